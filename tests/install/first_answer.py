"""The path of a person from the top of README.md to the first spoken answer, walked and measured.

    sudo .venv/bin/python -m tests.install.first_answer [bookworm | trixie] [--root DIR]

Types the commands of README.md, and nothing else, at a pseudo-terminal of a minimal Debian of this
machine's architecture, with network: mmdebstrap's packages, sudo, and a card that is a file. Then
the installed Parley hears "hey jarvis" and the sentence of the last line in a simulated room.
Prints the words that were read, the commands, the answers, and the minutes. Takes some minutes and
2 GB.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))

from terminal_session import TerminalSession

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "daemon" / "packaging"
ADDRESS = "/srv/parley.git"
STEP_S = 1800.0
PROMPT = re.compile(r"(?:\[[^\]\n]+\]|Enter is none\)|three seconds): \Z")
VOICE_S = 600
PIP = """\
[global]
cert = /run/certs.crt
"""
"""The certificates of this machine, which `inside` puts there; sudo drops its PIP_CERT."""
ASOUND = """\
pcm.!plughw {
  @args [ CARD DEV ]
  @args.CARD { type string }
  @args.DEV { type integer default 0 }
  type plug
  slave.pcm { type file slave.pcm null file /dev/null infile /srv/voice.raw format raw }
}
"""


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
    inside(root, "apt-get", "-qy", "--no-install-recommends", "install", "sudo")
    (root / "etc/pip.conf").write_text(PIP)
    (root / "etc/asound.conf").write_text(ASOUND)
    for name in ("pcmC0D0p", "pcmC0D0c"):  # /sys is an empty folder there
        (root / "sys/class/sound/card0" / name).mkdir(parents=True)
    (root / "sys/class/sound/card0/id").write_text("Device\n")
    voice = subprocess.run(
        [sys.executable, "-c", _VOICE], check=True, capture_output=True, cwd=ROOT
    ).stdout
    (root / "srv/voice.raw").write_bytes(voice)


_VOICE = f"""
import sys
import numpy as np
from parleyd.simulation.clips import synthesize
said = synthesize("this is the voice of a person in the kitchen")
noisy = (said + np.random.default_rng(1).normal(0, 30, len(said))).astype(np.int16)
sys.stdout.buffer.write(np.tile(noisy, {VOICE_S} * 16000 // len(noisy)).tobytes())
"""


def inside(root: Path, *command: str) -> None:
    """Run a command there, quietly."""
    subprocess.run([PACKAGING / "inside", root, *command], check=True, stdout=subprocess.DEVNULL)


def typed(root: Path, command: str) -> tuple[str, int]:
    """Type a command in root's home there; return the terminal's text and the answers given."""
    line = f"cd /root && {command}"
    arguments = [str(PACKAGING / "inside"), str(root), "bash", "-c", line]
    answers = 0
    with TerminalSession(arguments, os.environ) as session:
        while session.read_until_match(PROMPT, STEP_S):
            session.type("")
            answers += 1
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
    for command in path.commands:
        print(f"$ {command}", flush=True)
        text, given = typed(chosen.root, command.replace("ADDRESS", ADDRESS))
        print(text.strip()[-4000:] + "\n", flush=True)
        answers += given
        last = text.strip().splitlines()[-1] if text.strip() else last
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
