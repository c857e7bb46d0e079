"""A faster form of the hearing computes what the slower one did."""

import numpy as np
import pytest

from tests.hearing import pinned


@pytest.fixture(scope="module")
def found() -> pinned.Figures:
    return pinned.figures()


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("cleaned", 0.2),  # steps of int16
        ("excess_db", 0.02),
        ("voice", 0.02),  # the gain before the voice detector turns a step of int16 into this
    ],
)
def test_pinned_tape_gives_the_pinned_figures(
    found: pinned.Figures, name: str, within: float
) -> None:
    with np.load(pinned.FILE) as file:
        expected = file[name]
    assert len(expected) == pinned.SECONDS * 100
    np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-3, atol=within)
