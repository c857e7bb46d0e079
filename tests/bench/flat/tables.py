"""Wrong winners, two answers and none per 100 wake words that several speakers heard."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from tests.bench.flat import replay
from tests.bench.flat.air_broker import Way
from tests.bench.flat.season import USUAL_WAY, Called
from tests.bench.hearing.bounds import share_bounds

WAYS = (Way(0), USUAL_WAY, Way(20), Way(100), Way(100, 0.05), Way(500), Way(500, 0.05))

LEVELS = {
    "level, 1 to 4 kHz, over the usual one": replay.learned,
    "level, 1 to 4 kHz": replay.raw,
    "level, all frequencies": replay.broad,
    "ratio of signal and noise": replay.over_noise,
}

Answers = tuple[int, ...]


def of(called: Sequence[Called], rooms: int) -> str:
    """Return the tables of one size of flat."""
    contested = [one for one in called if one.contested]
    heard = sum(bool(one.outcome.detections) for one in called)
    right = sum(one.heard_right for one in called)
    disputed = sum(one.disputed for one in contested)
    lines = [
        "",
        f"{rooms} rooms: {len(called)} calls, {heard} heard, {right} by a right speaker, "
        f"{len(contested)} of these by several, {disputed} of these by a wrong one",
        "",
        f"| rule, way over the broker | wrong, of {disputed} | two answers, of {len(contested)} "
        "| none |",
        "|---|---|---|---|",
        _row("real cores, 20 ms, 5 % loss", contested, lambda one: one.outcome.answers),
    ]
    lines += [
        *(_row(f"3 dB rule, {_name(way)}", contested, _by(rooms, way, replay.learned))
          for way in WAYS),
        _row("3 dB rule without the offset, 20 ms", contested, _by(rooms, Way(20), replay.raw)),
        *(_row(f"the highest {name}", contested, partial(_highest, level))
          for name, level in LEVELS.items()),
        _row("first detection wins", contested, lambda one: replay.first(one.outcome.detections)),
        "",
        _chimes(contested),
        _times(called),
        f"the replay of the real cores' detections differs in {disagreements(called, rooms)} calls",
    ]  # fmt: skip
    return "\n".join(lines)


def disagreements(called: Sequence[Called], rooms: int, way: Way = USUAL_WAY) -> int:
    """Return in how many calls the real cores and the replay of their detections differ."""
    by = _by(rooms, way, replay.learned)
    return sum(by(one) != one.outcome.answers for one in called if one.outcome.detections)


def wrong(one: Called, answers: Answers) -> bool:
    """Whether exactly one speaker answers, and it is a wrong one."""
    return len(answers) == 1 and answers[0] not in one.call.right


def _by(rooms: int, way: Way, level: replay.Level) -> Callable[[Called], Answers]:
    return lambda one: replay.arbitrated(one.outcome.detections, rooms, way, one.call.seed, level)


def _highest(level: replay.Level, one: Called) -> Answers:
    return replay.loudest(one.outcome.detections, level)


def _row(name: str, called: Sequence[Called], answers: Callable[[Called], Answers]) -> str:
    found = [(one, answers(one)) for one in called]
    disputed = sum(one.disputed for one in called)
    shares = (
        _share(sum(wrong(one, who) for one, who in found), disputed),
        _share(sum(len(who) > 1 for _, who in found), len(found)),
        _share(sum(not who for _, who in found), len(found)),
    )
    return f"| {name} | {' | '.join(shares)} |"


def _share(count: int, trials: int) -> str:
    low, high = share_bounds(count, trials)
    return f"{100 * count / max(trials, 1):.1f} ({100 * low:.1f}-{100 * high:.1f})"


def _name(way: Way) -> str:
    lost = f", {100 * way.loss:.0f} % loss" if way.loss else ""
    return f"{way.delay_ms:.0f} ms{lost}"


def _chimes(contested: Sequence[Called]) -> str:
    two = sum(len(one.outcome.chimes) > 1 for one in contested)
    return f"two chimes (real cores, of {len(contested)}): {_share(two, len(contested))}"


def _times(called: Sequence[Called]) -> str:
    added = [ms for one in called for ms in one.outcome.added_ms]
    early = [_ahead_ms(one) for one in called if one.disputed]
    return (
        f"added to the chime of a speaker that answers: median {np.median(added):.0f} ms, "
        f"p95 {np.percentile(added, 95):.0f} ms; the right speaker detects "
        f"{np.median(early):.0f} ms (5 to 95 %: {np.percentile(early, 5):.0f} to "
        f"{np.percentile(early, 95):.0f}) before the first other"
    )


def _ahead_ms(one: Called) -> float:
    times = {found.speaker: found.at_s for found in one.outcome.detections}
    own = min(times[speaker] for speaker in one.call.right if speaker in times)
    return 1000 * (min(at for who, at in times.items() if who not in one.call.right) - own)
