"""Network faults: the played audio equals the sent audio, with gaps, and the talk continues.

`python -m tests.bench.weather` runs all faults and prints figures.
"""

import pytest
from jumping_loop import run_simulated
from weather import Weather

from parleyd.core.events import Show
from parleyd.core.states import Indication, State
from parleyd.units import Frames
from tests.e2e.fault_server import Faults
from tests.e2e.weathering import TALK, WEATHERS, Scene, cut_behind, outdoors, recover

REPLY_MS = 4000
WAITS = Show(Indication.THINKING, "waiting for the rest of the answer")
BEGINS_S = 1.0  # into the answer, the weather begins

CUTS = [
    ("> session.update", 1),
    ("> input_audio_buffer.append", 20),
    ("> input_audio_buffer.commit", 1),
    ("> response.create", 1),
    ("< response.created", 1),
    ("< response.output_audio.delta", 6),  # half of the answer, during playback
    ("< response.done", 1),
    ("> response.cancel", 1),
]


@pytest.mark.parametrize("name", [name for name in WEATHERS if name != "calm"])
def test_weather_plays_each_frame_once_in_order_and_recovers(name: str, question: Frames) -> None:
    async def scene() -> None:
        faults = Faults(paced=True, ahead_ms=400, reply_ms=REPLY_MS)
        async with outdoors(faults, question) as scene:
            weather = WEATHERS[name]
            began = scene.now
            scene.network.begin(weather)
            answered = await scene.ask()
            await scene.until(State.IDLE)
            if answered:
                (heard,) = scene.replies()
                assert heard.ms == REPLY_MS
            await scene.simulated.run_for(max(0.0, began + weather.ends_s - scene.now))
            await recover(scene)
            scene.replies()

    run_simulated(scene())


async def still_for(scene: Scene, seconds: float) -> list[tuple[float, int]]:
    """Ask, stall the network a second into the answer, and return the audible gaps."""
    assert await scene.ask()
    scene.network.begin(Weather(still=((BEGINS_S, BEGINS_S + seconds),)))
    await scene.until(State.IDLE)
    (heard,) = scene.replies()
    assert heard.ms == REPLY_MS
    return heard.gaps


def test_network_stall_beyond_the_buffer_is_audible_and_shown(
    question: Frames,
) -> None:
    async def scene() -> None:
        ahead_ms = 1000
        faults = Faults(paced=True, ahead_ms=ahead_ms, reply_ms=REPLY_MS)
        async with outdoors(faults, question) as scene:
            assert await still_for(scene, ahead_ms / 1000) == []
        async with outdoors(faults, question) as scene:
            ((began_s, gap_ms),) = await still_for(scene, ahead_ms / 1000 + 1.0)
            # the buffer has grown since the start, by up to one delta and the lead
            assert 700 <= gap_ms <= 1000
            assert scene.shown_at(began_s + 0.1).indication is Indication.SPEAKING
            assert scene.shown_at(began_s + 0.5) == WAITS
            assert scene.shown_at(began_s + gap_ms / 1000 + 0.1).indication is Indication.SPEAKING

    run_simulated(scene())


@pytest.mark.parametrize("cut", CUTS, ids="{0[0]} {0[1]}".format)
def test_cut_behind_any_message_ends_only_the_turn(cut: tuple[str, int], question: Frames) -> None:
    async def scene() -> None:
        heard, _ = await cut_behind(cut, question)
        assert heard[-1].ms == TALK.reply_ms
        assert not [gap for reply in heard for gap in reply.gaps]

    run_simulated(scene())
