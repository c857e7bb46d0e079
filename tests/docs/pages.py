"""The Markdown pages of the repository, parsed as a renderer parses them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "daemon/docs"
PACKAGE = ROOT / "daemon/parleyd"
OUTPUTS = {"build", "dist", "demo-report"}  # folders that commands write


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """The file."""
        return self.path.read_text("utf-8")

    @cached_property
    def tokens(self) -> list[Token]:
        """All tokens in order; those inside of paragraphs, headings and cells too."""
        parsed = MarkdownIt("commonmark").enable("table").parse(self.text)
        return [inner for token in parsed for inner in (token, *(token.children or ()))]

    @cached_property
    def headings(self) -> list[str]:
        """The Markdown of each heading."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        return [inline.content for opens, inline in pairs if opens.type == "heading_open"]

    @cached_property
    def sections(self) -> dict[str, list[str]]:
        """The headings below each heading of the second level."""
        found: dict[str, list[str]] = {}
        below: list[str] = []
        for opens, inline in zip(self.tokens, self.tokens[1:], strict=False):
            if opens.type == "heading_open" and opens.tag == "h2":
                below = found[inline.content] = []
            elif opens.type == "heading_open":
                below.append(inline.content)
        return found

    @cached_property
    def anchors(self) -> set[str]:
        """What a link can name behind `#`."""
        found: set[str] = set()
        for heading in self.headings:
            name, number = _anchor(heading), 0
            while (unique := f"{name}-{number}" if number else name) in found:
                number += 1
            found.add(unique)
        return found

    @property
    def links(self) -> Iterator[str]:
        """The target of each link and picture."""
        for token in self.tokens:
            target = token.attrs.get({"link_open": "href", "image": "src"}.get(token.type, ""))
            if target is not None:
                yield str(target)

    @property
    def code(self) -> Iterator[str]:
        """Each text in backticks."""
        return (token.content for token in self.tokens if token.type == "code_inline")

    @property
    def blocks(self) -> Iterator[str]:
        """Each block of code."""
        return (t.content for t in self.tokens if t.type in ("fence", "code_block"))


def _anchor(heading: str) -> str:
    """As GitHub makes it: lower case, no punctuation, hyphens for spaces."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@cache
def pages() -> tuple[Page, ...]:
    """Every page of the repository, by name."""
    found = (path for path in ROOT.rglob("*.md") if not _is_output(path))
    return tuple(map(Page, sorted(found)))


def page(name: str) -> Page:
    """The page of this name below the root. Raises `StopIteration` where there is none."""
    return next(page for page in pages() if page.name == name)


def _is_output(path: Path) -> bool:
    folders = path.relative_to(ROOT).parts[:-1]
    return any(f in OUTPUTS or (f.startswith(".") and f != ".github") for f in folders)
