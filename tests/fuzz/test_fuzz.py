"""A few seconds of fuzzing with constant inputs; for more use `python -m tests.fuzz`."""

import pytest

from tests.fuzz.targets import TARGETS, Target

EXAMPLES = 10  # for a target of weight 1


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_fuzz_target_never_crashes_hangs_or_grows(target: Target) -> None:
    target.run(EXAMPLES * target.weight, seed=None)
