"""Tests that must not run at the same time stay in one process of a parallel run."""

import pytest


def test_groups_reach_the_parallel_run(request: pytest.FixtureRequest) -> None:
    """xdist tells a group by the end of a test's id; a version that cannot ignores all groups."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("needs -n 2 --dist loadgroup, as in install.sh --test")
    assert request.node.nodeid.endswith("@test_test_groups.py")
