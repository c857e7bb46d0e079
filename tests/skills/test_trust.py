"""Any other user who could change a skill's file, folder or a link on the way is found."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from parleyd.skills import trust
from parleyd.skills.trust import Untrusted

NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    """A file with safe permissions, three folders deep."""
    path = tmp_path / "etc" / "skills" / "lamp.py"
    path.parent.mkdir(parents=True)
    path.write_text("")
    for place in (path, path.parent, path.parent.parent):
        place.chmod(0o755)
    return path


def test_own_file_is_trusted(lamp: Path) -> None:
    trust.check(lamp)
    trust.check(lamp.parent)
    trust.check(Path("/etc"))


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o720])
@pytest.mark.parametrize("place", ["lamp.py", "skills", "etc"])
def test_path_that_others_can_write_is_found(lamp: Path, place: str, mode: int) -> None:
    path = next(p for p in (lamp, *lamp.parents) if p.name == place)
    path.chmod(mode)
    with pytest.raises(Untrusted, match=f"can write {path}") as found:
        trust.check(lamp)
    assert found.value.path == path


def test_sticky_folder_is_trusted_only_on_the_way(lamp: Path) -> None:
    lamp.parent.parent.chmod(0o1777)
    trust.check(lamp)
    lamp.parent.chmod(0o1777)
    with pytest.raises(Untrusted):
        trust.check(lamp.parent)


@root_only
@pytest.mark.parametrize("place", ["lamp.py", "skills", "etc"])
def test_path_of_another_user_is_found(lamp: Path, place: str) -> None:
    path = next(p for p in (lamp, *lamp.parents) if p.name == place)
    os.chown(path, NOBODY, -1)
    with pytest.raises(Untrusted, match=f"{path} belongs to"):
        trust.check(lamp)
    trust.check(lamp, owners=[0, NOBODY])


def through_a_link_of_another(lamp: Path) -> Path:
    connection = lamp.parents[2] / "link"
    connection.symlink_to(lamp.parent)
    os.lchown(connection, NOBODY, -1)
    return connection / "lamp.py"


def to_a_file_of_another(lamp: Path) -> Path:
    target = lamp.parents[2] / "target.py"
    target.write_text("")
    os.chown(target, NOBODY, -1)
    lamp.unlink()
    lamp.symlink_to(target)
    return lamp


def through_an_open_folder(lamp: Path) -> Path:
    inner = lamp.parents[2] / "open"
    inner.mkdir()
    inner.chmod(0o777)
    (inner / "link").symlink_to(lamp.parent)
    connection = lamp.parents[2] / "link"
    connection.symlink_to("open/../open/link")
    return connection / "lamp.py"


@root_only
@pytest.mark.parametrize(
    "way", [through_a_link_of_another, to_a_file_of_another, through_an_open_folder]
)
def test_link_that_others_can_change_is_found(lamp: Path, way: Callable[[Path], Path]) -> None:
    with pytest.raises(Untrusted):
        trust.check(way(lamp))


def test_own_links_are_followed(lamp: Path) -> None:
    connection = lamp.parents[2] / "link"
    connection.symlink_to("etc/../etc/skills/")
    trust.check(connection / "lamp.py")
    loop = lamp.parents[2] / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="too many"):
        trust.check(loop)
    with pytest.raises(FileNotFoundError):
        trust.check(lamp.parent / "none.py")
