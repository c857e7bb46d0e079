"""The daemon as a service, through alsa-lib: no card at the start, one that comes, goes, comes."""

from pathlib import Path

from daemon_process import RIG_CARDS, Daemon
from pulse_rig import PulseRig

from parleyd.simulation.clips import normalised, synthesize


def test_a_service_outlives_its_card(own_rig: PulseRig, tmp_path: Path) -> None:
    own_rig.kill()
    service = Daemon(tmp_path, RIG_CARDS)
    try:
        service.wait("READY=1")
        assert "audio.playback" in service.wait("STATUS=error: ")
        own_rig.restart()
        service.wait("STATUS=idle")
        own_rig.say(normalised(synthesize("hey jarvis, tell me a story", "rms"), -24.0))
        service.wait("STATUS=speaking")
        own_rig.kill()  # in mid-sentence
        assert "was lost" in service.wait("STATUS=error: ")
        own_rig.restart()
        service.wait("STATUS=idle")
        assert service.end() == 0
    finally:
        service.close()
    assert "Traceback" not in service.log.read_text()
