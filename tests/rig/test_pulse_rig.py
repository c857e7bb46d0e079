"""The rig survives the death of its sound server: one line, not eleven failed tests."""

import os
import signal

import pytest
from pulse_rig import PulseRig, RigDied


def test_rig_with_dead_server_restarts_it(own_rig: PulseRig) -> None:
    died = own_rig.pid
    own_rig.ensure()
    assert own_rig.deaths == []
    assert own_rig.pid == died
    os.kill(died, signal.SIGKILL)
    os.waitid(os.P_PID, died, os.WEXITED | os.WNOWAIT)
    own_rig.ensure()
    assert own_rig.pid != died
    assert "pulseaudio ended with -9" in own_rig.deaths[0]
    assert "spk" in own_rig.pactl("list", "short", "sinks")


def test_rig_that_cannot_restart_raises_one_clear_error(
    own_rig: PulseRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = own_rig.pid
    os.kill(died, signal.SIGKILL)
    os.waitid(os.P_PID, died, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(PulseRig, "pulse_script", "load-module module-that-is-nowhere\n")
    with pytest.raises(RigDied, match=r"ended with -9.*; started again: pulseaudio does not run"):
        own_rig.ensure()


def test_rig_with_unplugged_card_does_not_restart_it(own_rig: PulseRig) -> None:
    own_rig.kill()
    own_rig.ensure()
    assert own_rig._daemon is None
    own_rig.restart()
    assert "spk" in own_rig.pactl("list", "short", "sinks")
