"""The results of a run as tables: each number has its n or its bounds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.hearing import kinds
from tests.bench.hearing.bounds import rate_bounds, share_bounds
from tests.bench.hearing.scenes import Scene
from tests.bench.hearing.session import Alone, Outcome, Trial

GROUPS: dict[str, Callable[[float], bool]] = {
    "<= 0": lambda db: db <= 0,
    "5-10": lambda db: 5 <= db <= 10,
    "15": lambda db: db == 15,
    "20": lambda db: db == 20,
}
SPEECH = ("request", "long")
SHORT = ("mhm", "cough")
JUDGED = ("speaking", "barge-in")
Pair = tuple[Scene, Trial]


def print_all(console: Console, outcomes: Sequence[Outcome], title: str) -> None:
    """Print every table that has data."""
    users = [(o.scene, trial) for o in outcomes for trial in o.trials]
    speech = [(s, t) for s, t in users if t.kind in SPEECH]
    beside = [(s, t) for s, t in speech if s.voices]
    plain = [(s, t) for s, t in speech if s.condition == "plain" and s.ordinary]
    steady = [(s, t) for s, t in plain if s.clock != "100ppm"]
    if steady:
        _reactions(console, f"{title}: users, warm, clocks shared or within 5 ppm", {
            f"ENR {name} dB": [(s, t) for s, t in steady if test(s.enr_db)]
            for name, test in GROUPS.items()
        })  # fmt: skip
    if plain:
        _reactions(console, f"{title}: users, ENR <= 15 dB, by clock, noise, delay (core to ear)", {
            name: [(s, t) for s, t in plain if s.enr_db <= 15 and test(s)]
            for name, test in _SLICES.items()
        })  # fmt: skip
    if beside:
        _reactions(console, f"{title}: users beside other voices, ENR <= 15 dB", {
            name: [(s, t) for s, t in beside if s.enr_db <= 15 and test(s)]
            for name, test in _VOICES.items()
        })  # fmt: skip
    rest = {
        "path moved before": [(s, t) for s, t in speech if s.condition == "path" and _since(t)],
        "delay jumped, reported": _jumped(speech, told=True),
        "delay jumped, unreported": _jumped(speech, told=False),
    }
    if any(rest.values()):
        _reactions(console, f"{title}: users after a change, all ENR and clocks", rest)
    special = kinds.rows(users)
    if special:
        _reactions(console, f"{title}: first sounds, devices, music", special)
    short = {kind: [(s, t) for s, t in users if t.kind == kind and s.ordinary] for kind in SHORT}
    if any(short.values()):
        _reactions(console, f"{title}: short sounds of users (to interrupt is wrong)", short)
    _alone(console, title, [o for o in outcomes if o.scene.task == "echo"], _ALONE)
    _alone(console, title, [o for o in outcomes if o.scene.task == "echo"], _VOICES)
    _alone(console, title, [o for o in outcomes if o.scene.task == "echo"], kinds.ALONE)
    recognised = [replace(o, alone=o.recognised) for o in outcomes if o.recognised.seconds]
    _alone(console, f"{title}: after the microphone was recognised", recognised, _RECOGNISED)
    _starts(console, title, [o for o in outcomes if o.scene.task == "starts"])
    _cost(console, title, outcomes)


_RECOGNISED: dict[str, Callable[[Scene], bool]] = {
    "devices": lambda s: s.device,
    "plain microphones": lambda s: not s.device,
}
_SLICES: dict[str, Callable[[Scene], bool]] = {
    "clock shared": lambda s: s.clock == "shared",
    "clock 5 ppm": lambda s: s.clock == "5ppm",
    "clock 100 ppm": lambda s: s.clock == "100ppm",
    "quiet": lambda s: s.noise == "quiet" and s.clock != "100ppm",
    "pink": lambda s: s.noise == "pink" and s.clock != "100ppm",
    "kitchen": lambda s: s.noise == "kitchen" and s.clock != "100ppm",
    "dishes": lambda s: s.noise == "dishes" and s.clock != "100ppm",
    "40 to 160 ms": lambda s: s.delay_ms <= 120 and s.clock != "100ppm",
    "over 160 ms": lambda s: s.delay_ms > 120 and s.clock != "100ppm",
}


def _since(trial: Trial) -> bool:
    return trial.since_fault_s is not None and trial.since_fault_s >= 0


def _jumped(pairs: Sequence[Pair], *, told: bool) -> list[Pair]:
    return [(s, t) for s, t in pairs if s.condition == "jump" and s.jump_told is told and _since(t)]


def reaction_cells(pairs: Sequence[Pair]) -> dict[str, object]:
    """Return the numbers of one row about users."""
    judged = [t for _, t in pairs if t.at_onset in JUDGED]
    reactions = [t.reaction_ms for t in judged if t.reaction_ms is not None]
    decided = [t.interrupt_ms for t in judged if t.interrupt_ms is not None]
    levels = [t.level_db for t in judged if t.level_db is not None]
    n = len(judged)
    return {
        "n": n,
        "not_speaking": len(pairs) - n,
        "reaction_median_ms": _quantile(reactions, 50),
        "reaction_p95_ms": _quantile(reactions, 95),
        "within_200": sum(ms <= 200 for ms in reactions),
        "interrupt_median_ms": _quantile(decided, 50),
        "interrupted_500": sum(ms <= 500 for ms in decided),
        "interrupted_800": sum(ms <= 800 for ms in decided),
        "interrupted": len(decided),
        "level_median_db": _quantile(levels, 50),
        "level_p10_db": _quantile(levels, 10),
        "seam_median_ms": _quantile([t.seam_ms for t in judged if t.seam_ms is not None], 50),
    }


def alone_cells(alones: Iterable[Alone]) -> dict[str, float]:
    """Return the numbers of one row about time without a user."""
    every = list(alones)
    return {
        "hours": sum(a.seconds for a in every) / 3600,
        "reactions": sum(a.reactions for a in every),
        "interruptions": sum(a.interruptions for a in every),
        "held_s": sum(a.held_s for a in every),
        "ducked_s": sum(a.ducked_s for a in every),
    }


def cells(outcomes: Sequence[Outcome]) -> dict[str, dict[str, dict[str, object]]]:
    """Return every row of every table as numbers: users by group, no user by class, cold starts."""
    speech = [(o.scene, t) for o in outcomes for t in o.trials if t.kind in SPEECH]
    steady = [(s, t) for s, t in speech if s.condition == "plain" and s.clock != "100ppm"]
    steady = [(s, t) for s, t in steady if s.ordinary]
    beside = [(s, t) for s, t in speech if s.voices and s.enr_db <= 15]
    plain = [(s, t) for s, t in speech if s.condition == "plain" and s.ordinary]
    plain = [(s, t) for s, t in plain if s.enr_db <= 15]
    echo = [o for o in outcomes if o.scene.task == "echo"]
    starts = [o.alone for o in outcomes if o.scene.task == "starts"]
    return {
        "users by ENR": {
            name: reaction_cells([(s, t) for s, t in steady if test(s.enr_db)])
            for name, test in GROUPS.items()
        },
        "users by scene": {
            name: reaction_cells([(s, t) for s, t in plain if test(s)])
            for name, test in _SLICES.items()
        },
        "nobody": {
            name: dict(alone_cells(o.alone for o in echo if test(o.scene)))
            for name, test in _ALONE.items()
        },
        "users beside voices": {
            name: reaction_cells([(s, t) for s, t in beside if test(s)])
            for name, test in _VOICES.items()
        },
        "voices, no user": {
            name: dict(alone_cells(o.alone for o in echo if test(o.scene)))
            for name, test in _VOICES.items()
        },
        "first sounds, devices, music": {
            name: reaction_cells(pairs)
            for name, pairs in kinds.rows(
                [(o.scene, t) for o in outcomes for t in o.trials]
            ).items()
        },
        "devices and music, no user": {
            name: dict(alone_cells(o.alone for o in echo if test(o.scene)))
            for name, test in kinds.ALONE.items()
        },
        "cold starts": {
            "all": {
                "n": len(starts),
                "with_reaction": sum(a.reactions > 0 for a in starts),
                "with_interruption": sum(a.interruptions > 0 for a in starts),
            }
        },
    }


def _reactions(console: Console, title: str, rows: dict[str, list[Pair]]) -> None:
    table = Table(title=title, title_justify="left")
    for head in (
        "", "n", "reaction ms\nmedian / p95", "within 200 ms\n% [95 %]", "interrupted ms\nmedian",
        "by 500 ms\n%", "by 800 ms\n% [95 %]", "ever\n%", "sent: level dB\nmedian / p10, seam",
        "reply was\ncut before",
    ):  # fmt: skip
        table.add_column(head, justify="right" if head else "left", no_wrap=not head)
    for name, pairs in rows.items():
        if not pairs:
            continue
        c = reaction_cells(pairs)
        n = int(str(c["n"]))
        level = f"{_db(c['level_median_db'])} / {_db(c['level_p10_db'])}"
        table.add_row(
            name, str(n), f"{_ms(c['reaction_median_ms'])} / {_ms(c['reaction_p95_ms'])}",
            _share(c["within_200"], n), _ms(c["interrupt_median_ms"]),
            _percent(c["interrupted_500"], n), _share(c["interrupted_800"], n),
            _percent(c["interrupted"], n), f"{level}, {_ms(c['seam_median_ms'])} ms",
            str(c["not_speaking"]),
        )  # fmt: skip
    console.print(table)


def _alone(
    console: Console,
    title: str,
    outcomes: Sequence[Outcome],
    rows: dict[str, Callable[[Scene], bool]],
) -> None:
    if not any(test(o.scene) for o in outcomes for test in rows.values()):
        return
    table = Table(title=f"{title}: no user", title_justify="left")
    for head in (
        "", "hours", "false reactions\nper hour [95 %]", "time lost\n% held / ducked",
        "false interruptions\nper hour [95 %]", "n",
    ):  # fmt: skip
        table.add_column(head, justify="right" if head else "left", no_wrap=not head)
    for name, test in rows.items():
        chosen = [o.alone for o in outcomes if test(o.scene)]
        c = alone_cells(chosen)
        hours = c["hours"]
        if hours:
            lost = [f"{100 * c[key] / hours / 3600:.2f}" for key in ("held_s", "ducked_s")]
            table.add_row(
                name, f"{hours:.2f}", _rate(int(c["reactions"]), hours), " / ".join(lost),
                _rate(int(c["interruptions"]), hours), str(int(c["interruptions"])),
            )  # fmt: skip
    console.print(table)


def _steady(scene: Scene) -> bool:
    steady = scene.condition == "plain" and scene.clock != "100ppm"
    return steady and not scene.music and scene.ordinary


_ALONE: dict[str, Callable[[Scene], bool]] = {
    "speech, quiet": lambda s: _steady(s) and s.noise == "quiet",
    "speech, pink": lambda s: _steady(s) and s.noise == "pink",
    "speech, kitchen": lambda s: _steady(s) and s.noise == "kitchen",
    "speech, dishes": lambda s: _steady(s) and s.noise == "dishes",
    "  with knocks": lambda s: _steady(s) and s.knocks,
    "speech, all noise": lambda s: _steady(s) and s.noise != "quiet",
    "  ENR <= 10 dB": lambda s: _steady(s) and s.enr_db <= 10,
    "  ENR 15-20 dB": lambda s: _steady(s) and s.enr_db > 10,
    "  40 to 160 ms": lambda s: _steady(s) and s.delay_ms <= 120,
    "  over 160 ms": lambda s: _steady(s) and s.delay_ms > 120,
    "speech, 100 ppm": lambda s: (
        s.condition == "plain" and s.clock == "100ppm" and not s.music and s.ordinary
    ),
    "music": lambda s: s.music,
    "40 s after a move": lambda s: s.condition == "path",
    "40 s after a reported jump": lambda s: s.condition == "jump" and s.jump_told,
    "40 s after an unreported jump": lambda s: s.condition == "jump" and not s.jump_told,
}


def _voices(kind: str, least_db: float, most_db: float) -> Callable[[Scene], bool]:
    return lambda s: s.voices and kind in (s.noise, "any") and least_db <= s.snr_db < most_db


_VOICES: dict[str, Callable[[Scene], bool]] = {
    f"{name}, {level}": _voices(kind, least_db, most_db)
    for kind, name in (
        ("tv", "television"), ("talker", "a talker"), ("babble", "babble"), ("radio", "radio"),
        ("two-talkers", "two talkers"), ("child", "a child"), ("film", "a film"),
        ("late-tv", "switched on late"), ("any", "any voices"),
    )
    for level, least_db, most_db in (
        ("inaudible", 40.0, 99.0), ("15-20 dB under", 15.0, 40.0), ("10-15 dB under", 10.0, 15.0),
        ("at the user's", -9.0, 9.0),
    )
}  # fmt: skip
_VOICES["users 6 dB softer than before"] = lambda s: s.softer_db > 0
_VOICES["users with a child's voice"] = lambda s: s.pitch > 1
_VOICES["  after idle time, 10-20 dB under"] = lambda s: (
    s.voices and s.idle_s > 0 and s.snr_db >= 10
)
_VOICES["  at once, 10-20 dB under"] = lambda s: s.voices and s.idle_s == 0 and s.snr_db >= 10


def _starts(console: Console, title: str, outcomes: Sequence[Outcome]) -> None:
    if not outcomes:
        return
    n = len(outcomes)
    table = Table(title=f"{title}: cold starts, no user", title_justify="left")
    for head in (
        "starts",
        "with a false reaction\n% [95 %]",
        "with a false interruption\n% [95 %]",
    ):
        table.add_column(head, justify="right")
    table.add_row(
        str(n), _share(sum(o.alone.reactions > 0 for o in outcomes), n),
        _share(sum(o.alone.interruptions > 0 for o in outcomes), n),
    )  # fmt: skip
    console.print(table)


def _cost(console: Console, title: str, outcomes: Sequence[Outcome]) -> None:
    cpu_us = np.concatenate([o.cpu_us for o in outcomes]) if outcomes else np.zeros(0)
    if len(cpu_us):
        console.print(
            f"{title}: one tick of the core while it speaks takes {np.median(cpu_us):.0f} us"
            f" (median), {np.percentile(cpu_us, 95):.0f} us (p95), of 10,000"
        )


def _quantile(values: Sequence[float], percent: float) -> float | None:
    return round(float(np.percentile(values, percent)), 1) if values else None


def _ms(value: object) -> str:
    return "-" if value is None else f"{value:.0f}"


def _db(value: object) -> str:
    return "-" if value is None else f"{value:+.1f}"


def _percent(hits: object, n: int) -> str:
    return f"{100 * int(str(hits)) / n:.0f}" if n else "-"


def _share(hits: object, n: int) -> str:
    if not n:
        return "-"
    low, high = share_bounds(int(str(hits)), n)
    return f"{_percent(hits, n)} [{100 * low:.0f}-{100 * high:.0f}]"


def _rate(events: int, hours: float) -> str:
    low, high = rate_bounds(events, hours)
    return f"{events / hours:.1f} [{low:.1f}-{high:.1f}]"
