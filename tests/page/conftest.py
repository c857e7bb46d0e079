import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page.page_rig import PageRig


@pytest.fixture
def place(tmp_path: Path) -> Iterator[PageRig]:
    with contextlib.ExitStack() as stack:
        yield PageRig(tmp_path, stack)
