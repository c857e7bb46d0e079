"""The demo's measurements, on recordings with constructed faults."""

import numpy as np
import pytest

from parleyd.audio import resample
from parleyd.config import Config
from parleyd.demo import measurements
from parleyd.demo.stage import Answer, Stage
from parleyd.errors import SceneError
from parleyd.realtime import events as ev
from parleyd.realtime.connection import ServerAddress
from parleyd.simulation.clips import synthesize
from parleyd.simulation.simulated_speaker import SimulatedSpeaker, Timestamped
from parleyd.units import Frames

RATE_HZ = 48_000
ITEM = "item_1"


@pytest.fixture(scope="module")
def speech() -> Frames:
    """The server's audio: about four seconds at 24 kHz."""
    said = synthesize("Every evening he climbed two hundred and twelve steps, and counted.", "slt")
    return resample(said, 16_000, 24_000)


def stage_with(speech: Frames, *pieces_ms: tuple[int, int] | int) -> tuple[Stage, Answer]:
    """Return a stage whose loudspeaker played these pieces of the speech, and pauses."""
    device = resample(speech, 24_000, RATE_HZ)
    simulated = SimulatedSpeaker(Config(), ServerAddress("ws://127.0.0.1:9"), None)
    ms = RATE_HZ // 1000
    for piece in pieces_ms:
        if isinstance(piece, int):
            played = np.zeros(piece * ms, np.int16)
        else:
            played = device[piece[0] * ms : piece[1] * ms]
        simulated.recording.add(played, np.zeros(len(played) // 3, np.int16))
    answer = Answer("resp_1", sounds={ITEM: bytearray(speech.astype("<i2").tobytes())})
    return Stage(simulated, lambda words: None), answer


def tell(stage: Stage, heard_ms: int) -> None:
    event = ev.TruncateItem(item_id=ITEM, content_index=0, audio_end_ms=heard_ms)
    stage.simulated.moments.append(Timestamped(0.0, event))


@pytest.mark.parametrize("told_ms", [1981, 1995, 2000])
def test_reports_are_true_accepts_a_correct_report(speech: Frames, told_ms: int) -> None:
    stage, answer = stage_with(speech, 500, (0, 2000), 1000)
    tell(stage, told_ms)
    told, true = measurements.reports_are_true(stage, answer)
    assert told.value == told_ms
    assert true.value == pytest.approx(2000, abs=20)


@pytest.mark.parametrize("told_ms", [0, 1900, 2100, 4000])
def test_reports_are_true_with_a_wrong_report_raises(speech: Frames, told_ms: int) -> None:
    stage, answer = stage_with(speech, 500, (0, 2000), 1000)
    tell(stage, told_ms)
    with pytest.raises(SceneError, match=f"{told_ms} ms were reported to the server"):
        measurements.reports_are_true(stage, answer)


def test_late_audio_of_the_new_reply_alone_is_zero(speech: Frames) -> None:
    stage, answer = stage_with(speech, (500, 1500), 700, (0, 4000), 500)
    assert measurements.late_audio(stage, answer, since_s=1.0).value == 0


@pytest.mark.parametrize(
    "pieces",
    [
        [100, (2000, 2060), 700, (0, 4000), 500],  # a short sound before the reply
        [700, (0, 4000), 500, (2000, 2060)],  # ... and after it
        [(1500, 1510), 700, (0, 4000)],  # one more period of the old reply
        [(0, 1700), (500, 600), (1700, 4000)],  # ... and within the new one
    ],
)
def test_late_audio_with_any_other_sound_raises(
    speech: Frames, pieces: list[tuple[int, int] | int]
) -> None:
    stage, answer = stage_with(speech, (500, 1500), *pieces)
    with pytest.raises(SceneError, match=r"of other sound were played|not heard in one piece"):
        measurements.late_audio(stage, answer, since_s=1.0)


def test_slips_of_an_exact_resumption_are_zero(speech: Frames) -> None:
    stage, answer = stage_with(speech, 100, (0, 1500), 500, (1500, 3500), 100)
    assert abs(measurements.slips(stage, answer).value) <= 48


@pytest.mark.parametrize("goes_on_ms", [1440, 1560])
def test_slips_with_lost_or_repeated_sound_raise(speech: Frames, goes_on_ms: int) -> None:
    stage, answer = stage_with(speech, 100, (0, 1500), 500, (goes_on_ms, 3500), 100)
    with pytest.raises(SceneError, match="frames were lost"):
        measurements.slips(stage, answer)


def test_button_to_silence_measures_to_the_last_frame(speech: Frames) -> None:
    stage, _ = stage_with(speech, (0, 1000), 1000)
    assert measurements.button_to_silence(stage, 0.99).value == pytest.approx(10, abs=0.1)
    with pytest.raises(SceneError, match=r"100\.0 ms after the button"):
        measurements.button_to_silence(stage, 0.9)
