"""The installed service: its configuration, its state and its journal."""

import contextlib
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

UNIT = "parleyd"
CONFIG = Path("/etc/parley/parley.toml")
WITHIN_S = 60.0  # an emulated machine takes 15 s for 1 s of work

CONFIGURATION = """\
[audio]
boot_chime = false
capture = "Mic"
playback = "Speaker"
lead_ms = {lead_ms}
volume = 100
[earcons]
wake = ""
follow_up = ""
muted = ""
unmuted = ""
[turn]
detection = "local"
silence_ms = 300
follow_up_turns = 0  # a user of the figures interrupts for minutes without a wake word
[realtime]
server = "{server}"
url = "{url}"
[lights]
output = "rgb"
[buttons]
push_pin = 23
mute_pin = 24
[log]
level = "debug"
"""

Entry = Mapping[str, str]


@contextlib.contextmanager
def own_configuration() -> Iterator[None]:
    """Restore the configuration of the service when the context ends."""
    saved = CONFIG.with_suffix(".before-bench")
    if not saved.exists():
        shutil.copy2(CONFIG, saved)
    try:
        yield
    finally:
        shutil.move(saved, CONFIG)
        systemctl("restart", "--no-block", UNIT)


def configure(*, lead_ms: int = 40, url: str = "", more: str = "") -> None:
    """Configure loopback cards, simulated LEDs and a server (default: the embedded one)."""
    server = "compatible" if url else "embedded"
    CONFIG.write_text(CONFIGURATION.format(lead_ms=lead_ms, server=server, url=url) + more)


def systemctl(*arguments: str) -> str:
    """Run systemctl and return its output; raises like `run`."""
    return run("systemctl", *arguments)


def run(*command: str) -> str:
    """Run a command and return its output. Raises `AssertionError` with all output on failure."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * WITHIN_S)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def start() -> float:
    """Restart the service; returns the seconds until READY."""
    systemctl("stop", UNIT)
    systemctl("reset-failed", UNIT)  # the unit allows ten starts in ten minutes
    begun = time.monotonic()
    systemctl("start", UNIT)
    return time.monotonic() - begun


def shown(name: str) -> str:
    """Return a property of the unit: MainPID, StatusText, NRestarts, ..."""
    return systemctl("show", "--value", "-p", name, UNIT)


def wait_for_status(beginning: str, within_s: float = WITHIN_S) -> None:
    """Wait until the status text starts with `beginning`."""
    deadline = time.monotonic() + within_s
    while not (status := shown("StatusText")).startswith(beginning):
        if time.monotonic() > deadline:
            raise AssertionError(f"the status is {status!r}, expected {beginning!r}")
        time.sleep(0.1)


def xruns() -> float:
    """Return the number of xruns since the start; waits until the service is idle."""
    wait_for_status("idle")
    counted = re.search(r"(\d+) xrun", shown("StatusText"))
    return float(counted[1]) if counted else 0.0


class Journal:
    """Follows new journal entries of the service; a context manager."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._grew = threading.Condition()

    def __enter__(self) -> "Journal":
        self._process = subprocess.Popen(
            ["journalctl", "-u", UNIT, "-o", "json", "-f", "-n", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._follow, name="journal", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    @property
    def length(self) -> int:
        """Number of entries so far: the position for `after`."""
        return len(self._entries)

    def entries(self, after: int = 0) -> list[Entry]:
        """Return the entries from position `after` on."""
        with self._grew:
            return self._entries[after:]

    def wait(
        self, matches: Callable[[Entry], bool], after: int, within_s: float = WITHIN_S
    ) -> Entry:
        """Wait for and return the first matching entry from position `after` on."""
        with self._grew:
            found = self._grew.wait_for(
                lambda: next(filter(matches, self._entries[after:]), None), within_s
            )
            if found is None:
                last = "\n".join(str(entry.get("MESSAGE")) for entry in self._entries[-15:])
                raise AssertionError(
                    f"no matching entry in {within_s:.0f} s; the newest are:\n{last}"
                )
            return found

    def wait_for_state(self, state: str, after: int, within_s: float = WITHIN_S) -> Entry:
        """Wait until the turn enters this state."""
        return self.wait(lambda e: e.get("PARLEY_AFTER") == state, after, within_s)

    def wait_for_note(self, name: str, after: int, within_s: float = WITHIN_S) -> Entry:
        """Wait for a log event of the core with this name."""
        return self.wait(lambda e: str(e.get("MESSAGE")).split(" ")[0] == name, after, within_s)

    def wait_for(self, text: str, after: int, within_s: float = WITHIN_S) -> Entry:
        """Wait for an entry that contains the text."""
        return self.wait(lambda e: text in str(e.get("MESSAGE")), after, within_s)

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._grew:
                self._entries.append(json.loads(line))
                self._grew.notify_all()
