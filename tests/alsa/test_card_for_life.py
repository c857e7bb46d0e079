"""The daemon as a service through alsa-lib, without a card, then with one that comes and goes."""

from pathlib import Path

from daemon_process import RIG_CARDS, Daemon
from pulse_rig import PulseRig

from parleyd.simulation.clips import normalised, synthesize


def test_service_survives_a_card_that_comes_and_goes(own_rig: PulseRig, tmp_path: Path) -> None:
    own_rig.kill()
    service = Daemon(tmp_path, RIG_CARDS)
    try:
        service.wait("READY=1")
        assert "audio.playback" in service.wait("STATUS=error: ")
        own_rig.restart()
        service.wait("STATUS=idle")
        own_rig.say(normalised(synthesize("hey jarvis, tell me a story", "rms"), -24.0))
        service.wait("STATUS=speaking")
        own_rig.kill()  # during the reply
        assert "was lost" in service.wait("STATUS=error: ")
        own_rig.restart()
        service.wait("STATUS=idle")
        assert service.end() == 0
    finally:
        service.close()
    assert "Traceback" not in service.log.read_text()
