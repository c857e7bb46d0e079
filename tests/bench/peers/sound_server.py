"""The bench's private PulseAudio: a loudspeaker, a microphone that is a pipe, real-time priority.

The loudspeaker is a null sink at 48 kHz. The microphone is a pipe, which `Air` writes; so the
loudspeaker's clock is the only clock, and nothing is queued between the air and the microphone.
"""

import os
import sys
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[2] / "rig"))

from pulse_rig import PulseRig

CLIENT_PRIORITY, RECORDER_PRIORITY, SERVER_PRIORITY = 1, 4, 5  # of SCHED_RR; the air has 2 and 3

_PULSE = """\
load-module module-native-protocol-unix socket={run}/native auth-anonymous=1
load-module module-null-sink sink_name=spk rate=48000 channels=2
load-module module-pipe-source source_name=mic file={run}/air format=s16le rate=16000 channels=1
"""
_DIRECT = """\
set-default-sink spk
set-default-source mic
"""
# without gain control: it would change the level of the microphone for everybody
_ECHO_CANCEL = """\
load-module module-echo-cancel sink_name=cancelled_spk sink_master=spk \
source_name=cancelled_mic source_master=mic aec_method=webrtc use_master_format=0 \
rate=48000 channels=1 aec_args="analog_gain_control=0 digital_gain_control=0"
set-default-sink cancelled_spk
set-default-source cancelled_mic
"""
# one rate only: a sink that changes its rate for a client starts a new buffer, and the echo jumps
_DAEMON = """\
exit-idle-time = -1
rlimit-rttime = -1
flat-volumes = no
resample-method = speex-float-1
default-sample-rate = 48000
alternate-sample-rate = 48000
default-fragments = 4
default-fragment-size-msec = 5
realtime-scheduling = yes
realtime-priority = 5
high-priority = yes
"""
_ALSA = """\
</usr/share/alsa/alsa.conf>
pcm.speaker {{ type pulse server "unix:{run}/native" handle_underrun 0 }}
pcm.mic {{ type pulse server "unix:{run}/native" }}
pcm.!default {{ type asym playback.pcm speaker capture.pcm mic }}
ctl.!default {{ type pulse server "unix:{run}/native" }}
"""


class PeersRig(PulseRig):
    """A context manager like `PulseRig`; every client uses the default devices."""

    pulse_script = _PULSE + _DIRECT
    daemon_conf = _DAEMON
    alsa_conf = _ALSA

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def pipe(self) -> Path:
        """Return the pipe of the microphone: PCM16 at 16 kHz, mono."""
        return Path(os.environ["PULSE_RUNTIME_PATH"]) / "air"

    def _record(self, log: Path) -> None:
        """Record nothing here: `Air` holds the recordings."""
        run_in_real_time(self.pid, SERVER_PRIORITY)


class EchoCancellingRig(PeersRig):
    """The same with PulseAudio's WebRTC echo canceller before the client."""

    pulse_script = _PULSE + _ECHO_CANCEL


def run_in_real_time(pid: int, priority: int) -> None:
    """Give SCHED_RR to the threads of a process that have no real-time priority.

    Raises `PermissionError` without the right to.
    """
    for task in map(int, os.listdir(f"/proc/{pid}/task")):
        if os.sched_getscheduler(task) == os.SCHED_OTHER:
            os.sched_setscheduler(task, os.SCHED_RR, os.sched_param(priority))
