"""Pages that agree with the code: the configuration, the floors, the installed files."""

import errno
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from parleyd import __version__
from tests.bench import talk_cost
from tests.docs import reference
from tests.docs.pages import DOCS, PACKAGE, ROOT, Page, page, pages

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SHARE = "share/doc/parleyd"
LONG = 8  # characters; shorter parts of a message are in many places
INSTALLED = {
    target.removeprefix(f"{SHARE}/"): sources
    for target, sources in PROJECT["tool"]["setuptools"]["data-files"].items()
}


def test_configuration_page_is_generated() -> None:
    written = DOCS.joinpath("configuration.md").read_text("utf-8")
    assert written == reference.page(), "write it again: python -m tests.docs"


def test_architecture_page_has_the_floors_in_order() -> None:
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    floors = [sorted(re.findall(r"parleyd\.(\w+)", layer)) for layer in contract["layers"]]
    table = page("daemon/docs/architecture.md").text.partition("| folder | holds |")[2]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table.partition("\n\n")[0], re.MULTILINE)
    assert [sorted(re.findall(r"`(\w+)`", row)) for row in rows] == floors


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 7000


def test_readme_and_changelog_name_this_version() -> None:
    assert f"Version {__version__} " in page("README.md").text
    headings = page("daemon/CHANGELOG.md").headings[1:]
    newest = next(heading for heading in headings if heading[0].isdigit())  # not "Unreleased"
    assert newest.split(" ")[0] == __version__


def test_hardware_page_quotes_messages_of_the_code() -> None:
    rows = page("hardware/README.md").text.partition("| message | remedy |")[2].splitlines()
    quoted = [re.findall("`(.+?)`", row.split("|")[1])[0] for row in rows if row.startswith("| `")]
    parts = {part.strip() for text in quoted for part in re.split(r"\.\.\.|\d+|[(),;=%]", text)}
    sources = [path.read_text("utf-8") for path in PACKAGE.rglob("*.py")]
    known = {os.strerror(number) for number in errno.errorcode}
    long = {part for part in parts if len(part) >= LONG} - known
    assert long
    assert [part for part in long if not any(part in source for source in sources)] == []


def test_documentation_is_installed_as_it_stands() -> None:
    """Each folder keeps its place, so that links between installed pages hold."""
    for folder, sources in INSTALLED.items():
        assert all(Path(source).parent.as_posix() == folder for source in sources)
    assert {file.parent for file in _installed()} >= {DOCS, ROOT / "hardware", ROOT / "systemd"}
    assert set(DOCS.glob("*.md")) <= _installed()


@pytest.mark.parametrize(
    "page", [page for page in pages() if page.path.parent in (DOCS, ROOT / "hardware")], ids=str
)
def test_installed_page_links_to_installed_files(page: Page) -> None:
    targets = {
        (page.path.parent / connection.partition("#")[0]).resolve()
        for connection in page.links
        if connection[0] != "#" and not re.match(r"[a-z]+:", connection)
    }
    assert {path for path in targets - _installed() if ROOT / "tests" not in path.parents} == set()


def test_unit_names_an_installed_page() -> None:
    unit = (ROOT / "systemd/parleyd.service").read_text("utf-8")
    (place,) = re.findall(r"^Documentation=file:///opt/parley/venv/(.*)$", unit, re.MULTILINE)
    assert ROOT / place.removeprefix(f"{SHARE}/") in _installed()


def _installed() -> set[Path]:
    return {
        path for sources in INSTALLED.values() for source in sources for path in ROOT.glob(source)
    }


def test_costs_page_has_the_figures_of_its_bench() -> None:
    text = page("daemon/docs/costs.md").text
    first = talk_cost.instructions_tokens()
    assert all(row in text for row in talk_cost.rows(first)), "python -m tests.bench.talk_cost"
    assert f"about {round(first, -1)} tokens" in text
