"""The rows of the tables about first sounds, devices, and music in the answer."""

from collections.abc import Callable, Sequence

from tests.bench.hearing import device
from tests.bench.hearing.scenes import Scene
from tests.bench.hearing.session import Trial

Pair = tuple[Scene, Trial]


def rows(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Return the rows of short words, devices and music that have users."""
    found = {name: [(s, t) for s, t in pairs if test(s, t)] for name, test in _USERS.items()}
    return {name: row for name, row in found.items() if row}


_USERS: dict[str, Callable[[Scene, Trial], bool]] = {
    "begins with s, sh or f": lambda s, t: t.kind == "hiss",
    "begins with a voice": lambda s, t: t.kind == "voiced",
    "stop, no, wait alone": lambda s, t: t.kind == "lone",
    "  stop": lambda s, t: t.kind == "lone" and t.clip.endswith("Stop"),
    "device, ENR <= 10 dB": lambda s, t: s.device and _asks(t) and s.enr_db <= 10,
    "device, ENR 15 dB": lambda s, t: s.device and _asks(t) and s.enr_db == 15,
    "device, ENR 20 dB": lambda s, t: s.device and _asks(t) and s.enr_db == 20,
    "delay of 0.3 to 2 s": lambda s, t: s.lost and not s.restless and _asks(t) and s.enr_db <= 15,
    "restless delay": lambda s, t: s.restless and _asks(t) and s.enr_db <= 15,
    "sound server, ENR <= 10 dB": lambda s, t: s.sound_server and _asks(t) and s.enr_db <= 10,
    "sound server, ENR 15 dB": lambda s, t: s.sound_server and _asks(t) and s.enr_db == 15,
    "over music": lambda s, t: s.music and _asks(t) and s.enr_db <= 15,
    "over speech with music": lambda s, t: (
        s.music_under_db is not None and _asks(t) and s.enr_db <= 15
    ),
}

ALONE: dict[str, Callable[[Scene], bool]] = {
    "device": lambda s: s.device,
    "  with gate or gain control": lambda s: s.device and bool(_traits(s) & {"gate", "gain"}),
    "  without": lambda s: s.device and not _traits(s) & {"gate", "gain"},
    "  ENR <= 10 dB": lambda s: s.device and s.enr_db <= 10,
    "speech with music": lambda s: s.music_under_db is not None,
    "delay of 0.3 to 2 s": lambda s: s.lost and not s.restless,
    "restless delay": lambda s: s.restless,
    "sound server": lambda s: s.sound_server,
    "  ENR <= 10 dB ": lambda s: s.sound_server and s.enr_db <= 10,
    "  ENR 15 to 20 dB": lambda s: s.sound_server and s.enr_db > 10,
}


def _traits(scene: Scene) -> frozenset[str]:
    return device.of(scene.seed, scene.user_dbfs).traits


def _asks(trial: Trial) -> bool:
    return trial.kind in ("request", "long")
