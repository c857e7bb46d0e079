"""The realtime demo of openai-agents, `demo.py` in its environment, with the server's address."""

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import agents
from agents.realtime import RealtimeRunner

connect = RealtimeRunner.run


async def connect_here(self: RealtimeRunner, **options: Any) -> Any:
    """Connect as the demo does, but to our server."""
    config = {**(options.pop("model_config", None) or {}), "api_key": "none"}
    config["url"] = os.environ["REALTIME_URL"] + "?model=gpt-realtime-2.1"
    return await connect(self, **options, model_config=config)


agents.set_tracing_disabled(True)
RealtimeRunner.run = connect_here
runpy.run_path(str(Path(sys.prefix) / "demo.py"), run_name="__main__")
