"""No page refers to something that does not exist: links, paths, modules, keys, options."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd import config
from parleyd.cli.main import COMMANDS
from tests.docs.pages import PACKAGE, ROOT, Page, page, pages

EVERY_PAGE = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
DATA = ("json", "npz", "wav")
SOURCES = ("py", "md", "toml", "sh", "c", "svg", "png", "jsonl", "service", "rules", "conf")
PATH = re.compile(r"\.?[\w.-]+(?:/[\w.-]+)+/?")
FILE = re.compile(rf"[\w.-]+\.(?:{'|'.join(SOURCES)})")
MODULE = re.compile(r"python3? -m ((?:tests|hardware|parleyd)(?:\.\w+)*)")
INSTALLER = re.compile(r"install\.sh((?: --[a-z-]+(?: [A-Z]+)?)+)")
OPTION = re.compile(r"--[a-z-]+")
COMMAND = re.compile(r"(?:^|[ /])parley ([a-z][a-z-]*)", re.MULTILINE)
KEY = re.compile(r"(\w+)\.(\w+)(?: = .*)?")
WORD = re.compile(r"[a-z]+(?:_[a-z]+)+")
METHOD = re.compile(r"([A-Z]\w+)\.(\w+)\b.*")
HISTORY = "daemon/CHANGELOG.md"  # names words of earlier versions
OTHERS_FILES = {"cat.py", "timeline.png"}
"""Names in examples, which the reader's own files have."""

PROGRAM = [
    path.read_text("utf-8")
    for folder in (PACKAGE, ROOT / "tests")
    for path in sorted(folder.rglob("*"))
    if path.suffix in (".py", ".toml")
]
WORDS = frozenset(re.findall(r"\w+", "\n".join(PROGRAM).lower()))


@EVERY_PAGE
def test_page_links_lead_somewhere(page: Page) -> None:
    assert list(_broken(page)) == []


@EVERY_PAGE
def test_page_paths_in_backticks_exist(page: Page) -> None:
    missing = [text for text in page.code if _is_path(text) and not _found(page, text)]
    assert missing == []


@EVERY_PAGE
def test_page_commands_and_options_exist(page: Page) -> None:
    texts = [*page.code, *page.blocks]
    modules = {name for text in texts for name in MODULE.findall(text)}
    assert [name for name in modules if not _module_exists(name)] == []
    assert [line for text in texts for line in _wrong_installations(text)] == []
    commands = {name for text in texts for name in COMMAND.findall(text)}
    assert commands <= set(COMMANDS)


@EVERY_PAGE
def test_page_configuration_keys_exist(page: Page) -> None:
    sections = config.Config.__struct_fields__
    wrong = []
    for text in page.code:
        found = KEY.fullmatch(text)
        if found and found[1] in sections and found[2] not in (*SOURCES, *DATA):
            section = getattr(config.Config(), found[1])
            if found[2] not in getattr(section, "__struct_fields__", ()):
                wrong.append(text)
    assert wrong == []


@EVERY_PAGE
def test_page_words_of_the_code_exist(page: Page) -> None:
    words = {text for text in page.code if WORD.fullmatch(text)}
    assert page.name == HISTORY or words - WORDS == set()


@EVERY_PAGE
def test_page_methods_exist(page: Page) -> None:
    found = {METHOD.fullmatch(text) for text in page.code}
    named = {(match[1], match[2]) for match in found if match and match[2] not in SOURCES}
    missing = {
        names
        for names in named
        if not any(
            re.search(rf"class {names[0]}\b", s) and f"def {names[1]}(" in s for s in PROGRAM
        )
    }
    assert missing == set()


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[str] = set()
    waiting = ["README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for path, _ in _targets(page(name)):
            if path.suffix == ".md" and path.is_file():
                waiting.append(path.relative_to(ROOT).as_posix())
    assert {page.name for page in pages()} - reached == set()


@pytest.mark.parametrize("folder", ["daemon/parleyd", "systemd"])
def test_pages_that_the_program_names_exist(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".toml", ".sh")]
    named = {
        name for path in files for name in re.findall(r"[\w/-]+\.md\b", path.read_text("utf-8"))
    }
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("folder", ["daemon/parleyd", "systemd"])
def test_installations_that_the_program_names_exist(folder: str) -> None:
    """Its messages name commands of install.sh that can be typed as they are printed."""
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".toml", ".sh")]
    named = [line for path in files for line in _wrong_installations(path.read_text("utf-8"))]
    assert named == []


def _wrong_installations(text: str) -> Iterator[str]:
    """The commands of install.sh that begin with no option of their own, or name an unknown one."""
    usage = (ROOT / "install.sh").read_text("utf-8")
    for line in INSTALLER.findall(text):
        first, *others = OPTION.findall(line)
        begins = re.search(rf"^  {first}\b", usage, re.MULTILINE)
        if not begins or any(not re.search(rf" {name}\b", usage) for name in others):
            yield f"install.sh{line}"


def _broken(page: Page) -> Iterator[str]:
    for path, anchor in _targets(page):
        if not path.exists():
            yield f"{path.relative_to(ROOT)}"
        elif anchor and (path.suffix != ".md" or anchor not in Page(path).anchors):
            yield f"{path.relative_to(ROOT)}#{anchor}"


def _targets(page: Page) -> Iterator[tuple[Path, str]]:
    """The file and the anchor of each link that stays in the repository."""
    for connection in page.links:
        if not re.match(r"[a-z]+:", connection):
            name, _, anchor = connection.partition("#")
            yield (page.path.parent / name).resolve() if name else page.path, anchor


def _is_path(text: str) -> bool:
    """It names a file or folder of the repository, and not one of the device or the reader."""
    if FILE.fullmatch(text):
        return text not in OTHERS_FILES and not text.endswith((".toml", ".md"))
    if not PATH.fullmatch(text):
        return False
    first = text.split("/")[0]
    ours = any((folder / first).exists() for folder in (ROOT, PACKAGE)) and first != "demo-report"
    return ours or text.endswith((".py", ".md", ".sh"))


def _found(page: Page, text: str) -> bool:
    """From the root, the package, or the page's own folder; a bare name anywhere below."""
    places = [ROOT / text, PACKAGE / text, page.path.parent / text]
    if any(place.exists() for place in places):
        return True
    folders = [ROOT / name for name in ("daemon", "hardware", "systemd", "tests")]
    return "/" not in text and any(True for folder in folders for _ in folder.rglob(text))


def _module_exists(name: str) -> bool:
    path = ROOT / "daemon" / name.replace(".", "/")
    path = path if name.startswith("parleyd") else ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()
