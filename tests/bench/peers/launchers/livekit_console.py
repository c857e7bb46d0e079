"""LiveKit's console, with its own microphone, loudspeaker and echo canceller.

The agent is the smallest of its documentation, with the server's address.
"""

import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.plugins import openai

server = AgentServer()


@server.rtc_session()
async def start(context: JobContext) -> None:
    address = os.environ["REALTIME_URL"].removesuffix("/realtime")
    model = openai.realtime.RealtimeModel(base_url=address, api_key="none")
    session = AgentSession(llm=model)
    await session.start(agent=Agent(instructions="Be brief."), room=context.room)


if __name__ == "__main__":
    cli.run_app(server)
