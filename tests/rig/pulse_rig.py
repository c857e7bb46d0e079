"""A private PulseAudio for tests: gives alsa-lib programs a loudspeaker, a microphone and a room.

`speaker` and `mic` are ALSA devices of the real alsa-lib, connected to null sinks: ``spk`` is
the loudspeaker, and its monitor records the audible sound; ``room`` is the air at the
microphone, and tests play speech into it. It needs no sound card, session bus, kernel module or
real-time priority. Limits of pulse: it reports no xruns, drops the last few milliseconds before
one, and is late on a loaded machine.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

SPEAKER_RATE_HZ = 48_000
MIC_RATE_HZ = 16_000
START_S = 15.0
PLUGINS = ("/usr/lib/*/alsa-lib", "/usr/lib/alsa-lib", "/usr/lib64/alsa-lib")
NEEDED = ("pulseaudio", "pactl", "parec", "pacat")

_PULSE = """\
load-module module-native-protocol-unix socket={run}/native auth-anonymous=1
load-module module-null-sink sink_name=spk rate=48000 channels=2
load-module module-null-sink sink_name=room rate=16000 channels=1 channel_map=mono
set-default-sink spk
set-default-source room.monitor
"""
# no rlimit-rttime: on a loaded machine the limit kills pulse's late real-time threads
_DAEMON = """\
exit-idle-time = -1
rlimit-rttime = -1
flat-volumes = no
resample-method = speex-float-1
default-fragments = 4
default-fragment-size-msec = 5
"""
_ALSA = """\
</usr/share/alsa/alsa.conf>
pcm.speaker {{ type pulse device spk server "unix:{run}/native" handle_underrun 0 }}
pcm.mic {{ type pulse device room.monitor server "unix:{run}/native" }}
pcm.!default {{ type asym playback.pcm speaker capture.pcm mic }}
ctl.speaker {{ type pulse server "unix:{run}/native" sink spk }}
"""


class RigUnavailable(Exception):
    """The rig cannot run on this machine; the text names the missing part and how to install it."""


class RigDied(Exception):
    """The sound server ended by itself and cannot restart; the text has its last log lines."""


class PulseRig:
    """A context manager that points alsa-lib to the rig by this process's environment."""

    pulse_script: ClassVar[str] = _PULSE
    daemon_conf: ClassVar[str] = _DAEMON
    alsa_conf: ClassVar[str] = _ALSA
    heard: "Recording"
    """Recording of the loudspeaker: 48 kHz, first of two channels."""

    def __init__(self) -> None:
        self._home = Path()
        self._daemon: subprocess.Popen[bytes] | None = None
        self.deaths: list[str] = []
        """The last log lines of each sound server that ended by itself."""
        self._open = contextlib.ExitStack()
        self._saved: dict[str, str | None] = {}

    def __enter__(self) -> "PulseRig":
        missing = [tool for tool in NEEDED if shutil.which(tool) is None]
        if missing:
            raise RigUnavailable(
                f"{', '.join(missing)} not installed: apt install pulseaudio pulseaudio-utils"
            )
        if not any(Path("/").glob(f"{p[1:]}/libasound_module_pcm_pulse.so") for p in PLUGINS):
            raise RigUnavailable("no pulse plugin for ALSA: apt install libasound2-plugins")
        # not pytest's tmp_path: the path of a socket has at most 107 bytes
        self._home = Path(tempfile.mkdtemp(prefix="parley-pulse-"))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._open.close()
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._saved.clear()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process id of the sound server."""
        assert self._daemon is not None
        return self._daemon.pid

    def kill(self) -> None:
        """End the daemon, as if the sound card were unplugged."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()

    def restart(self) -> None:
        """Start the daemon again after `kill`, as if the card were plugged in."""
        self._open.close()
        self._start()

    def ensure(self) -> None:
        """Restart the daemon if it has ended by itself or does not answer.

        A card unplugged by `kill` stays unplugged. Raises `RigDied` if the restart fails.
        """
        daemon = self._daemon
        if daemon is None or (daemon.poll() is None and self._answers()):
            return
        ended = daemon.poll()
        how = "does not answer" if ended is None else f"ended with {ended}"
        self.deaths.append(f"pulseaudio {how}: {_tail(self._home / 'log')}")
        self.kill()
        try:
            self.restart()
        except RigUnavailable as reason:
            raise RigDied(f"{self.deaths[-1]}; started again: {reason}") from None

    def _answers(self) -> bool:
        try:
            asked = subprocess.run(["pactl", "info"], capture_output=True, timeout=START_S)
        except subprocess.TimeoutExpired:
            return False
        return asked.returncode == 0

    def pactl(self, *arguments: str) -> str:
        """Run `pactl` and return its output."""
        return subprocess.run(
            ["pactl", *arguments], check=True, capture_output=True, text=True, timeout=START_S
        ).stdout

    def open_microphones(self) -> int:
        """Return the number of ALSA programs that have a microphone open."""
        return self.pactl("list", "source-outputs").count('application.name = "ALSA plug-in')

    def echo(self, percent: int) -> None:
        """Feed the loudspeaker's signal into the microphone, as in a room."""
        self.pactl("load-module", "module-loopback", "source=spk.monitor", "sink=room",
                   "latency_msec=30", "adjust_time=0")  # fmt: skip
        inputs = self.pactl("list", "short", "sink-inputs").splitlines()
        loopback = next(line for line in inputs if "module-loopback" in line)
        self.pactl("set-sink-input-volume", loopback.split()[0], f"{percent}%")

    def say(self, frames: NDArray[np.int16]) -> None:
        """Play 16 kHz mono frames in the room; returns after the last one."""
        subprocess.run(
            ["pacat", "--raw", "--rate=16000", "--channels=1", "--format=s16le", "-d", "room"],
            input=frames.tobytes(),
            check=True,
            timeout=START_S,
        )

    def _start(self) -> None:
        run = self._home / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        (self._home / "default.pa").write_text(self.pulse_script.format(run=run))
        (self._home / "daemon.conf").write_text(self.daemon_conf)
        (self._home / "alsa.conf").write_text(self.alsa_conf.format(run=run))
        self._set("HOME", self._home)
        self._set("PULSE_SERVER", f"unix:{run}/native")
        self._set("PULSE_RUNTIME_PATH", run)
        self._set("PULSE_CONFIG_PATH", self._home)
        self._set("ALSA_CONFIG_PATH", self._home / "alsa.conf")
        log = self._home / "log"
        bus = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent", "DBUS_SESSION_BUS_ADDRESS": ""}
        self._daemon = subprocess.Popen(
            [
                *("pulseaudio", "--daemonize=no", "--use-pid-file=no", "-n"),
                *("-F", str(self._home / "default.pa"), f"--log-target=file:{log}"),
            ],
            env={**os.environ, **bus},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._await_daemon(log)
        self._record(log)

    def _record(self, log: Path) -> None:
        # permanent recorders keep the sinks' latency low: without one, the first stream on a
        # sink is buffered for up to 2 s
        self.heard = self._open.enter_context(Recording("spk.monitor", SPEAKER_RATE_HZ, channels=2))
        air = self._open.enter_context(Recording("room.monitor", MIC_RATE_HZ, keep=False))
        if not (self.heard.running.wait(START_S) and air.running.wait(START_S)):
            raise RigUnavailable(f"pulseaudio records nothing here: {_tail(log)}")

    def _await_daemon(self, log: Path) -> None:
        pause = threading.Event()
        for _ in range(int(START_S / 0.05)):
            if self._answers():
                return
            if self._daemon is None or self._daemon.poll() is not None:
                break
            pause.wait(0.05)
        raise RigUnavailable(f"pulseaudio does not run here: {_tail(log)}")

    def _set(self, name: str, value: object) -> None:
        self._saved.setdefault(name, os.environ.get(name))
        os.environ[name] = str(value)


class Recording:
    """A recording of a source by a separate process; a context manager."""

    def __init__(self, source: str, rate_hz: int, channels: int = 1, keep: bool = True) -> None:
        self.running = threading.Event()
        """Set when the first frames arrive."""
        self._channels, self._keep = channels, keep
        self._chunks: list[bytes] = []
        self._grew = threading.Condition()
        self._command = ["parec", "-d", source, f"--rate={rate_hz}", f"--channels={channels}"]
        self._command += ["--format=s16le", "--raw", "--latency-msec=10"]

    def __enter__(self) -> "Recording":
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join(START_S)

    def clear(self) -> None:
        """Drop the recording so far."""
        with self._grew:
            self._chunks.clear()

    def frames(self) -> NDArray[np.int16]:
        """Return the first channel of the recording since the last `clear`."""
        with self._grew:
            data = b"".join(self._chunks)
        frame_bytes = 2 * self._channels
        whole = data[: len(data) // frame_bytes * frame_bytes]
        return np.frombuffer(whole, np.int16)[:: self._channels]

    def wait_for(self, level: int, count: int = 1, timeout_s: float = START_S) -> bool:
        """Wait until `count` frames were at least as loud as `level`; False on timeout."""
        with self._grew:
            return self._grew.wait_for(
                lambda: loud_frames(self.frames(), level) >= count, timeout_s
            )

    def _record(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as out:
            while data := out.read1(65536):  # type: ignore[attr-defined]
                with self._grew:
                    if self._keep:
                        self._chunks.append(data)
                    self._grew.notify_all()
                self.running.set()


def loud_frames(frames: NDArray[np.int16], level: int) -> int:
    """Return the number of frames at least as loud as `level`, either sign."""
    return int(np.count_nonzero(np.abs(frames.astype(np.int32)) >= level))


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return " / ".join(lines[-3:]) or "it printed no log line"
