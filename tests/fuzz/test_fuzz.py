"""A few seconds of fuzzing, with the same inputs every time; more: `python -m tests.fuzz`."""

import pytest

from tests.fuzz.targets import TARGETS, Target

EXAMPLES = 10  # of a target of weight 1


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_crashes_hangs_or_is_kept_for_ever(target: Target) -> None:
    target.run(EXAMPLES * target.weight, seed=None)
