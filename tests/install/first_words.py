"""Says the wake word and a sentence to an installed Parley in a simulated room.

    /opt/parley/venv/bin/python first_words.py SENTENCE

The configuration, the wake-word engine and the embedded server are the installed ones. Prints the
words of the first spoken answer.
"""

import asyncio
import sys

from parleyd import config
from parleyd.core.events import PlayStartupSound
from parleyd.core.states import State
from parleyd.demo.scenes import GREETING_S
from parleyd.demo.stage import Stage
from parleyd.embedded.child_process import EmbeddedServer
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.acoustics import Room
from parleyd.simulation.simulated_speaker import SimulatedSpeaker
from parleyd.system.paths import INSTALLED_CONFIG
from parleyd.wake import factory


async def answered(sentence: str) -> str:
    settings = config.load(INSTALLED_CONFIG)
    server = EmbeddedServer()
    room = Room(seed=1, echo_gain_db=-12, loudspeaker_rate_hz=settings.audio.playback_rate_hz)
    try:
        address = ServerAddress.embedded(await server.start())
        engine = factory.create(settings.wake, None)
        stage = Stage(SimulatedSpeaker(settings, address, engine, room=room), lambda words: None)
        stage.simulated.on_moment = stage.answers.take
        async with stage.simulated.connected():
            await stage.until_ready(within_s=60)
            stage.simulated.post(PlayStartupSound())
            await stage.pause(GREETING_S)
            stage.say(settings.wake.keywords[0].replace("_", " "))
            await stage.until_state(State.LISTENING, "the wake word was not heard", within_s=3)
            await stage.pause(0.5)
            answer = await stage.answered(stage.say(sentence))
            await stage.pause(3)
            return answer.words
    finally:
        await server.stop()


if __name__ == "__main__":
    print(asyncio.run(answered(sys.argv[1])))
