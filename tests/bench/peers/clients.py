"""The clients and their settings."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers.sound_server import EchoCancellingRig, PeersRig

LAUNCHERS = Path(__file__).parent / "launchers"
DEFAULTS, LOUDSPEAKER = "defaults", "loudspeaker"
CACHE = Path(
    os.environ.get("PARLEY_PEER_DIR")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley-peers"
)
"""Where `tests/peers/run` puts the peers; found at once, because the rig changes HOME."""
PARLEY_TOML = '[realtime]\nserver = "compatible"\nurl = "{url}"\n'


@dataclass(frozen=True, slots=True)
class BenchClient:
    """A client with one setting."""

    name: str
    setting: str
    peer: str = ""
    """Its environment, as `tests/peers/run` names it; empty for Parley."""
    launcher: str = ""
    arguments: tuple[str, ...] = ()
    rig: type[PeersRig] = PeersRig
    playback_db: float = 0.0
    """The level at which it plays an answer with these settings, relative to the answer."""
    settles_s: float = 4.0
    """From its connection until it is ready to listen."""

    def command(self, folder: Path, url: str) -> list[str]:
        """Return its command line; writes its configuration into `folder`."""
        if not self.peer:
            config = folder / "parley.toml"
            config.write_text(PARLEY_TOML.format(url=url))
            return [sys.executable, "-m", "parleyd", "run", "--config", str(config)]
        python = CACHE / self.peer / "bin" / "python"
        return [str(python), str(LAUNCHERS / self.launcher), *self.arguments]


_DEMO = ("openai-agents", "openai_agents_demo.py")
_LOCAL = ("pipecat", "pipecat_local.py")
_CONSOLE = ("livekit", "livekit_console.py")
CLIENTS = [
    BenchClient("parley", DEFAULTS, playback_db=-6.0, settles_s=6.0),
    BenchClient("livekit", DEFAULTS, *_CONSOLE, arguments=("console",)),
    BenchClient("openai-agents", DEFAULTS, *_DEMO),
    BenchClient("openai-agents", LOUDSPEAKER, *_DEMO, rig=EchoCancellingRig),
    BenchClient("pipecat", DEFAULTS, *_LOCAL),
    BenchClient("pipecat", LOUDSPEAKER, *_LOCAL, arguments=("far",), rig=EchoCancellingRig),
]
