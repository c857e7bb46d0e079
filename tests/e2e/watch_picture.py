"""A window of tmux with `parley watch` in it, and its picture as SVG."""

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

WITHIN_S = 60.0
COLUMNS, ROWS = 80, 24
# rich's own frame loads a font from the network
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" xml:space="preserve">
<style>
.{unique_id}-matrix {{ font: {char_height}px monospace; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
<rect width="100%" height="100%" fill="#16181d"/>
<g transform="translate(9, 9)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Tmux:
    """A server of its own, with one window; a context manager."""

    def __init__(self, folder: Path, *command: str) -> None:
        self._server = ("tmux", "-S", str(folder / "tmux"), "-f", "/dev/null")
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        inside = ("env", "COLORTERM=truecolor", sys.executable, "-m", "parleyd", *command)
        start = [*self._server, "-u", "new-session", "-d", *size, *inside]
        subprocess.run(start, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})

    def __enter__(self) -> "Tmux":
        return self

    def __exit__(self, *exception: object) -> None:
        subprocess.run([*self._server, "kill-server"], check=False)

    def wait_for(self, *patterns: str) -> str:
        """Wait until the window matches all patterns; return it with its colours."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            shown = self._capture("-e")
            if all(re.search(each, Text.from_ansi(shown).plain) for each in patterns):
                return shown
            assert time.monotonic() < deadline, f"not {patterns} in\n{Text.from_ansi(shown).plain}"
            time.sleep(0.1)

    def _capture(self, *options: str) -> str:
        capture = [*self._server, "capture-pane", "-p", *options]
        return subprocess.run(capture, capture_output=True, text=True, check=True).stdout


def svg(shown: str) -> str:
    """The window as a picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    console.print(Text.from_ansi(shown), soft_wrap=True)
    return console.export_svg(code_format=FRAME, unique_id="watch") + "\n"
