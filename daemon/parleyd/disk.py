"""Files that survive a power cut: the old one or the new one, never half of either."""

import os
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file; its folder is made if there is none.

    On the disk when this returns, or OSError and the file is what it was. Blocks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)  # the new name must be on the disk too
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
