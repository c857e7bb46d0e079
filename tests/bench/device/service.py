"""The installed service: its configuration, its life and what it writes into the journal."""

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
WITHIN_S = 60.0  # an emulated machine needs 15 s for what takes one on a real one

CONFIGURATION = """\
[audio]
boot_chime = false
capture = "Mic"
playback = "Speaker"
lead_ms = {lead_ms}
volume = 100
[wake]
chime = false
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
    """Within it the service may be configured at will; afterwards it is as it was."""
    saved = CONFIG.with_suffix(".before-bench")
    if not saved.exists():
        shutil.copy2(CONFIG, saved)
    try:
        yield
    finally:
        shutil.move(saved, CONFIG)
        systemctl("restart", "--no-block", UNIT)


def configure(*, lead_ms: int = 40, url: str = "", more: str = "") -> None:
    """The loopback cards, the simulated LEDs, and a server: by default the embedded one."""
    server = "compatible" if url else "embedded"
    CONFIG.write_text(CONFIGURATION.format(lead_ms=lead_ms, server=server, url=url) + more)


def systemctl(*arguments: str) -> str:
    """What it prints; raises as `run` does."""
    return run("systemctl", *arguments)


def run(*command: str) -> str:
    """What it prints; an `AssertionError` has all of it when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * WITHIN_S)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def start() -> float:
    """Start it afresh; returns the seconds until it was READY."""
    systemctl("stop", UNIT)
    systemctl("reset-failed", UNIT)  # ten starts in ten minutes are its limit
    begun = time.monotonic()
    systemctl("start", UNIT)
    return time.monotonic() - begun


def shown(name: str) -> str:
    """A property of the unit: MainPID, StatusText, NRestarts, ..."""
    return systemctl("show", "--value", "-p", name, UNIT)


def wait_for_status(beginning: str, within_s: float = WITHIN_S) -> None:
    """Until the status in words begins so."""
    deadline = time.monotonic() + within_s
    while not (status := shown("StatusText")).startswith(beginning):
        if time.monotonic() > deadline:
            raise AssertionError(f"the status is {status!r}, expected was {beginning!r}")
        time.sleep(0.1)


def dropouts() -> float:
    """How often the sound dropped out since the start; waits until nothing is said."""
    wait_for_status("idle")
    counted = re.search(r"(\d+) dropout", shown("StatusText"))
    return float(counted[1]) if counted else 0.0


class Journal:
    """Follows what the service writes from now on; a context manager."""

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
        """How many entries there were so far: the place to wait `after`."""
        return len(self._entries)

    def entries(self, after: int = 0) -> list[Entry]:
        """What was written."""
        with self._grew:
            return self._entries[after:]

    def wait(
        self, matches: Callable[[Entry], bool], after: int, within_s: float = WITHIN_S
    ) -> Entry:
        """The first matching entry behind that place, as soon as it is there."""
        with self._grew:
            found = self._grew.wait_for(
                lambda: next(filter(matches, self._entries[after:]), None), within_s
            )
            if found is None:
                last = "\n".join(str(entry.get("MESSAGE")) for entry in self._entries[-15:])
                raise AssertionError(
                    f"it did not come in {within_s:.0f} s; the newest are:\n{last}"
                )
            return found

    def wait_for_state(self, state: str, after: int, within_s: float = WITHIN_S) -> Entry:
        """The turn came into this state."""
        return self.wait(lambda e: e.get("PARLEY_AFTER") == state, after, within_s)

    def wait_for_note(self, name: str, after: int, within_s: float = WITHIN_S) -> Entry:
        """The core noted this."""
        return self.wait(lambda e: str(e.get("MESSAGE")).split(" ")[0] == name, after, within_s)

    def wait_for(self, text: str, after: int, within_s: float = WITHIN_S) -> Entry:
        """A line that has this text in it."""
        return self.wait(lambda e: text in str(e.get("MESSAGE")), after, within_s)

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._grew:
                self._entries.append(json.loads(line))
                self._grew.notify_all()
