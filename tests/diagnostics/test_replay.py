"""The replay of a recording shows each decision with its reason, also in a picture."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from parleyd import config, wav
from parleyd.cli.main import parley
from parleyd.diagnostics.replay import replay
from parleyd.errors import ParleyError
from parleyd.hearing.barge_in import Decision
from parleyd.simulation.acoustics import Room
from parleyd.simulation.clips import synthesize
from parleyd.simulation.talker import Talker
from parleyd.units import MIC_PERIOD_FRAMES
from parleyd.wav import Stereo


@pytest.fixture(scope="module")
def recording() -> Stereo:
    """Parley speaks for eight seconds; a talker interrupts from second 5 on."""
    text = "There was once a lighthouse keeper who was afraid of the dark. " * 3
    speech = synthesize(text, "slt", level_dbfs=-18.0)[: 8 * 16_000]
    room, talker = Room(seed=2, echo_gain_db=-12, loudspeaker_rate_hz=16_000), Talker()
    talker.say(synthesize("stop it please, what day is it today", "rms"), at=5.0)
    periods = speech.reshape(-1, MIC_PERIOD_FRAMES)
    microphone = np.concatenate([room.hear(period, talker.period()) for period in periods])
    return Stereo(speech, microphone)


@pytest.mark.slow
def test_replay_returns_decisions_with_time_and_reason(recording: Stereo) -> None:
    heard = replay(recording, config.HearingConfig())
    assert len(heard.seconds) == len(recording.microphone) // MIC_PERIOD_FRAMES
    interruptions = [seconds for seconds, v in heard.decisions if v.decision is Decision.INTERRUPT]
    assert interruptions
    assert 5.0 < interruptions[0] < 6.5
    assert all(decision.reason for _, decision in heard.decisions)


@pytest.mark.slow
def test_explain_prints_decisions_and_draws(recording: Stereo, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "turn.wav"
    wav.write(path, recording, 16_000)
    ended = CliRunner().invoke(parley, ["explain", str(path)])
    assert ended.exit_code == 0, ended.output
    assert "interrupt" in ended.output
    assert (tmp_path / "turn.png").stat().st_size > 20_000


def test_wav_read_of_another_file_raises(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"nonsense")
    for wrong in (path, tmp_path / "none.wav"):
        with pytest.raises(ParleyError, match="16-bit stereo recording is expected"):
            wav.read(wrong, 16_000)
