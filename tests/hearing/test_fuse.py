"""A failing part of the hearing is reset, skipped for a while, and tried again."""

import pytest

from parleyd.hearing.fuse import ComponentFault, Fuse


class Part:
    """Raises the given error, and counts calls and resets."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0
        self.resets = 0
        self.faults: list[ComponentFault] = []
        self.fuse = Fuse("ear", "nothing is heard", self.reset, self.faults.append)

    def work(self) -> str:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return "heard"

    def reset(self) -> None:
        self.resets += 1

    def run(self, now: float) -> str | None:
        return self.fuse.run(now, self.work)


def test_fuse_returns_the_result_of_its_part() -> None:
    part = Part()
    assert part.run(0.0) == "heard"
    assert part.fuse.trouble(0.0) == ""
    assert (part.resets, part.faults) == (0, [])


def test_fuse_resets_a_raising_part_and_skips_it_for_1_s() -> None:
    part = Part()
    part.error = ZeroDivisionError("once")
    assert part.run(5.0) is None
    part.error = None
    assert part.run(5.99) is None
    assert part.fuse.out(5.99)
    assert (part.calls, part.resets) == (1, 1)
    assert part.run(6.0) == "heard"
    (fault,) = part.faults
    assert (fault.part, fault.times, fault.known) == ("ear", 1, False)
    assert str(fault.error) == "once"
    assert fault.error.__traceback__ is not None


def test_fuse_shows_a_failure_for_a_minute() -> None:
    part = Part()
    part.error = ValueError()
    part.run(5.0)
    assert part.fuse.trouble(5.9) == "nothing is heard"
    assert part.fuse.trouble(6.0) == "the ear failed and was reset"  # the part works again
    assert part.fuse.trouble(64.9) == "the ear failed and was reset"
    assert part.fuse.trouble(65.0) == ""


def test_fuse_tries_a_part_that_always_fails_once_a_minute() -> None:
    """In an hour with 100 periods a second: 6 tries in the first minute, then one per minute."""
    part = Part()
    part.error = ValueError()
    for tick in range(360_000):
        part.run(tick / 100)
    assert part.calls == part.resets == len(part.faults) == pytest.approx(65, abs=2)
    assert [fault.known for fault in part.faults[:3]] == [False, True, True]
    assert part.faults[-1].times == part.calls


def test_fuse_after_a_steady_minute_starts_with_short_pauses() -> None:
    part = Part()
    part.error = ValueError()
    for now in (0.0, 1.0, 3.0):  # the pauses: 1, 2 and 4 s
        part.run(now)
    part.run(200.0)
    assert part.fuse.out(200.9)
    assert not part.fuse.out(201.0)


def test_fuse_reports_another_kind_of_failure_as_new() -> None:
    part = Part()
    for now, error in ((0.0, ValueError()), (10.0, ValueError()), (30.0, KeyError())):
        part.error = error
        part.run(now)
    assert [fault.known for fault in part.faults] == [False, True, False]


def test_fuse_survives_a_part_that_cannot_be_reset() -> None:
    def broken() -> None:
        raise OSError("no memory")

    faults: list[ComponentFault] = []
    fuse = Fuse("ear", "", broken, faults.append)

    def work() -> None:
        raise ValueError

    assert fuse.run(0.0, work) is None
    assert fuse.out(0.5)
    assert faults[0].error.__notes__ == ["and it cannot be reset: OSError: no memory"]


def test_fuse_runs_a_part_that_was_replaced_at_once() -> None:
    part = Part()
    part.error = ValueError()
    part.run(0.0)
    part.error = None
    part.fuse.mend()
    assert part.run(0.01) == "heard"


def test_fuse_does_not_catch_keyboard_interrupt() -> None:
    part = Part()
    part.error = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        part.run(0.0)
