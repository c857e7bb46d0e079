"""The path of a person from the top of README.md to the first spoken answer, walked and measured.

    sudo .venv/bin/python -m tests.install.first_answer [bookworm | trixie] [--root DIR]

Types the commands of README.md, and nothing else, at a pseudo-terminal of a minimal Debian of this
machine's architecture, with network: mmdebstrap's packages, sudo, and a virtual card. Then
the installed Parley hears "hey jarvis" and the sentence of the last line in a simulated room.
Prints the words that were read, the commands, the answers, and the minutes. Takes some minutes and
2 GB.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.install.stage import KernelLikeRig, plain, speaking

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))

from pulse_rig import PulseRig
from terminal_session import TerminalSession

SHOWN = 6000  # characters of each command's end
ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "daemon" / "packaging"
ADDRESS = "/srv/parley.git"
STEP_S = 1800.0
SPEAK = "three seconds: "
PROMPT = re.compile(r"(?:\[[^\]\n]+\]|Enter is none\)|three seconds): \Z")
VOICE_S = 600
PIP = """\
[global]
cert = /run/certs.crt
"""
"""The certificates of this machine, which `inside` puts there; sudo drops its PIP_CERT."""
PREPARED = ("sudo", "libasound2-plugins")  # of Raspberry Pi OS; for the card


class ReadmePath(NamedTuple):
    """The part of a person: reading and typing."""

    words: int
    """Of text and commands, from the title to the sentence to say."""
    commands: list[str]


def path_of(readme: str) -> ReadmePath:
    """The path in README.md, up to the block with the sentence to say."""
    read = readme[: readme.index("Say: ")]
    blocks = re.findall(r"```sh\n(.*?)```", read, re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    commands = [command.strip() for line in lines for command in line.split("&&")]
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", read)
    return ReadmePath(len(re.findall(r"\S*\w\S*", text)), [c for c in commands if c])


def new_root(suite: str, root: Path) -> None:
    """Unpack a minimal system with sudo, a card, and the repository at `ADDRESS`."""
    script = (
        f"source {PACKAGING}/roots.sh; need_roots $(dpkg --print-architecture); "
        f"new_root {suite} $(dpkg --print-architecture) {root}; rm -rf {root}$clone"
    )
    subprocess.run(["bash", "-euc", script], check=True)
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", "--depth=1", f"file://{ROOT}", f"{root}{ADDRESS}"],
        check=True,
    )
    inside(root, "apt-get", "-q", "update")
    inside(root, "apt-get", "-qy", "--no-install-recommends", "install", *PREPARED)
    (root / "etc/pip.conf").write_text(PIP)
    for name in ("pcmC0D0p", "pcmC0D0c"):  # /sys is an empty folder there
        (root / "sys/class/sound/card0" / name).mkdir(parents=True)
    (root / "sys/class/sound/card0/id").write_text("Device\n")


@contextlib.contextmanager
def card(root: Path) -> Iterator[PulseRig]:
    """A card for the system: a sound server of this one, in a folder that both see."""
    tempfile.tempdir = str(root / "srv")
    with KernelLikeRig() as rig:
        run = Path(os.environ["PULSE_RUNTIME_PATH"]).relative_to(root)
        own = rig.alsa_conf.partition("\n")[2]  # the rest of ALSA's files is there already
        (root / "etc/asound.conf").write_text(own.format(run=f"/{run}"))
        yield rig


def inside(root: Path, *command: str) -> None:
    """Run a command there, quietly."""
    subprocess.run([PACKAGING / "inside", root, *command], check=True, stdout=subprocess.DEVNULL)


def typed(root: Path, rig: PulseRig, command: str) -> tuple[str, int]:
    """Type a command in root's home there; return the terminal's text and the answers given."""
    line = f"cd /root && {command}"
    arguments = [str(PACKAGING / "inside"), str(root), "bash", "-c", line]
    answers = 0
    with TerminalSession(arguments, os.environ) as session:
        while session.read_until_match(PROMPT, STEP_S):
            answers += 1
            asked = session.text.endswith(SPEAK)
            with speaking(rig) if asked else contextlib.nullcontext():
                session.type("")
        status = session.ended()
    assert status == 0, f"{command} ends with {status}:\n{session.text}"
    return session.text, answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="?", default="trixie", choices=["bookworm", "trixie"])
    parser.add_argument("--root", type=Path, default=Path("/var/tmp/parley-first-answer"))
    chosen = parser.parse_args()
    new_root(chosen.suite, chosen.root)
    path = path_of((ROOT / "README.md").read_text("utf-8"))
    answers, last, began = 0, "", time.monotonic()
    with card(chosen.root) as rig:
        for command in path.commands:
            print(f"$ {command}", flush=True)
            text, given = typed(chosen.root, rig, command.replace("ADDRESS", ADDRESS))
            shown = plain(text).strip()
            print(shown[-SHOWN:] + "\n", flush=True)
            answers += given
            last = shown.splitlines()[-1] if shown else last
    took_min = (time.monotonic() - began) / 60
    said = re.search(r'Say: "([^"]+)".*?"([^"]+)"', last)
    assert said, f"the last line names no sentence: {last}"
    spoken = spoken_answer(chosen.root, said[2])
    print(f'said "{said[1]}", "{said[2]}"; the first spoken answer: {spoken}\n')
    print(f"words read {path.words}, commands typed {len(path.commands)}, Enter pressed {answers}")
    print(f"{took_min:.1f} minutes on this machine ({chosen.suite}), downloads included")
    return 0


def spoken_answer(root: Path, words: str) -> str:
    """Let the installed Parley hear the sentence, in a simulated room; return its answer."""
    program = "/var/tmp/first_words.py"
    (root / program[1:]).write_text((ROOT / "tests/install/first_words.py").read_text("utf-8"))
    command = [str(PACKAGING / "inside"), str(root), "/opt/parley/venv/bin/python", program, words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
