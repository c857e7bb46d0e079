"""A device for a scene of the transcript: its cards, its /etc/parley, its terminal.

All of it is inside of a mount namespace of this program: /etc/parley and /sys/class/sound are those
of a device, and this machine keeps its own. Needs root.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))

from pulse_rig import PulseRig
from terminal_session import TerminalSession

from parleyd.config.editing import Value, with_values
from parleyd.simulation.clips import synthesize

ROOT = Path(__file__).parents[2]
ETC = Path("/etc/parley")
SOUND = Path("/sys/class/sound")
INSIDE = "PARLEY_STAGE"
CHECKOUT_SHOWN = "/home/pi/parley"
FIRST = ROOT / "daemon" / "parleyd" / "config" / "default.toml"

ECHO_PERCENT = 30
_NOISE = """
import sys, numpy as np
drawn = np.random.default_rng(1).normal(0, 104, 16000 * 60).astype("<i2").tobytes()  # -50 dBFS
while True: sys.stdout.buffer.write(drawn)
"""
_NAMESPACE = """\
set -e
mount -t tmpfs parley /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay parley -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
mount -t tmpfs parley /sys/class
[[ ! -d /run/systemd ]] || mount -t tmpfs parley /run/systemd  # for its service
rm -rf /etc/parley
exec "$@"
"""
_CARDS = """\
pcm.!plughw {{
  @args [ CARD DEV ]
  @args.CARD {{ type string }}
  @args.DEV {{ type integer default 0 }}
  type asym
  playback.pcm speaker
  capture.pcm mic
}}
ctl.!hw {{
  @args [ CARD ]
  @args.CARD {{ type string }}
  type pulse
  server "unix:{run}/native"
  sink spk
}}
"""


class KernelLikeRig(PulseRig):
    """The cards of the rig under the names of kernel cards: ``plughw:CARD=Device``.

    The room has the noise of a quiet room, and the microphone hears the loudspeaker.
    """

    alsa_conf = PulseRig.alsa_conf + _CARDS

    def __enter__(self) -> "KernelLikeRig":
        super().__enter__()
        try:
            self.echo(ECHO_PERCENT)
            self._noise = subprocess.Popen(
                ["bash", "-c", f"{sys.executable} -c '{_NOISE}' | pacat --raw --rate=16000 "
                 "--channels=1 --format=s16le -d room"],
                cwd="/",
                start_new_session=True,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except BaseException:
            super().__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._noise.pid, signal.SIGKILL)
        self._noise.wait()
        super().__exit__()


def enter_namespace() -> None:
    """Start this program again in a mount namespace; returns there. Ends without root."""
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        sys.exit("this needs root, for mounts that only this program sees")
    command = ["unshare", "--mount", "bash", "-c", _NAMESPACE, "bash"]
    os.execvpe(command[0], [*command, *sys.orig_argv], {**os.environ, INSIDE: "yes"})


class Stage:
    """One device; a context manager."""

    def __init__(
        self,
        *,
        cards: bool = True,
        values: Mapping[str, Value] = MappingProxyType({}),
        offline: bool = False,
    ) -> None:
        self.text = ""
        """The transcript so far."""
        self.last = ""
        """The last line that a command printed."""
        self.rig: PulseRig | None = KernelLikeRig() if cards else None
        self._values = values
        self._offline = offline
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Stage":
        ETC.mkdir(mode=0o755)
        self._open.callback(shutil.rmtree, ETC)
        first = re.sub(r"(?m)^[^#\[\n]", r"#\g<0>", FIRST.read_text())  # as the installation does
        (ETC / "parley.toml").write_text(with_values(first, self._values, "parley.toml")[0])
        (ETC / "parley.toml").chmod(0o644)
        SOUND.mkdir()
        self._open.callback(shutil.rmtree, SOUND)
        if self.rig is not None:
            for name in ("card0/pcmC0D0p", "card0/pcmC0D0c"):
                (SOUND / name).mkdir(parents=True)
            (SOUND / "card0/id").write_text("Device\n")
            self._open.enter_context(self.rig)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextlib.contextmanager
    def command(self, line: str) -> Iterator[TerminalSession]:
        """Type a command of `parley` at the terminal; its output is a part of the transcript."""
        arguments = [sys.executable, "-m", "parleyd", *line.removeprefix("parley ").split()]
        if self._offline:
            arguments = ["unshare", "--net", *arguments]
        with TerminalSession(arguments, self._environment()) as session:
            yield session
            session.ended(within_s=180)
            shown = plain(session.text)
        self.text += f"$ sudo {line}\n{shown}\n"
        self.last = shown.strip().splitlines()[-1]

    def run(self, line: str) -> None:
        """Run a command that asks nothing."""
        with self.command(line):
            pass

    def _environment(self) -> Mapping[str, str]:
        names = ("PATH", "HOME", "TERM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SSL_CERT_FILE")
        rig = {k: v for k, v in os.environ.items() if k.startswith(("PULSE_", "ALSA_"))}
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {**kept, **rig, "LANG": "C.UTF-8", "COLUMNS": "100"}


@contextlib.contextmanager
def speaking(rig: PulseRig) -> Iterator[None]:
    """Let a person in the room speak meanwhile."""
    words = "this is the voice of a person in the kitchen."
    talker = threading.Thread(target=rig.say, args=[synthesize(f"{words} {words}")])
    talker.start()
    yield
    talker.join()


def hear_and_speak(stage: Stage, session: TerminalSession, *, heard: str = "y") -> None:
    """Answer the questions for the sound card, on a card that works."""
    session.answer("Did you hear it? [Y/n]: ", heard)
    if heard != "y":
        return
    session.read_until("Press Enter")
    assert stage.rig is not None
    with speaking(stage.rig):
        session.type("")
        session.answer("Did you hear yourself? [Y/n]: ", "")


def plain(text: str) -> str:
    """The text as it stands in the end, without colours and without a path of this machine."""
    text = re.sub(r"\x1b\[[0-9;]*[mK]", "", text)
    text = re.sub(r"(?m)^.*\r(?=[^\r\n])", "", text).replace("\r", "")
    return text.replace(str(ROOT), CHECKOUT_SHOWN)
