"""Names of the package: every mentioned one exists, and no two classes share one."""

import ast
import importlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "daemon" / "parleyd"
IMPORT = re.compile(r"from (parleyd[\w.]*) import (?:\(([^)]*)\)|([\w, ]+))")
DOTTED = re.compile(r"(?<![\w./-])(parleyd(?:\.[A-Za-z_]\w*)+)")
NO_MODULES = frozenset(
    {
        *("parleyd.service", "parleyd.deb", "parleyd.list", "parleyd.md5sums", "parleyd.pth"),
        *("parleyd.turns", "parleyd.test", "parleyd.x"),  # loggers
    }
)
CALLED_BY_LIBRARIES = frozenset(
    {
        *("list_commands", "get_command", "format_commands"),  # click
        "process_redirect",  # websockets
    }
)


def test_names_in_texts_exist() -> None:
    members = {_module(path): set(_members(path)) for path in PACKAGE.rglob("*.py")}
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in _texts()
        for name in _mentioned(path.read_text(encoding="utf-8"))
        if not _exists(name, members)
    ]
    assert missing == []


@pytest.mark.slow
def test_members_named_in_tests_exist() -> None:
    """A class or module, then one of its members as a string, as `monkeypatch.setattr` takes it."""
    missing = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {owner.__name__}.{node.value}"
        for path in (ROOT / "tests").rglob("*.py")
        for owner, node in _members_in_strings(_tree(path))
        if not hasattr(owner, node.value)
    ]
    assert missing == []


def test_class_names_are_unique() -> None:
    classes = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, times in classes.items() if times > 1] == []


def test_test_files_have_names_of_their_own() -> None:
    """Pytest imports them by name alone, and leaves out the second of two."""
    files = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in files.items() if times > 1] == []


def test_definitions_are_used() -> None:
    """Each function and class is named a second time, in the package or in a test."""
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    words = Counter(word for path in sources for word in re.findall(r"\w+", path.read_text()))
    unused = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and words[node.name] == 1
        and node.name not in CALLED_BY_LIBRARIES
        and not (node.name.startswith("__") and node.name.endswith("__"))
    ]
    assert unused == []


def test_tree_of_errors_names_each_error() -> None:
    tree = _tree(PACKAGE / "errors.py")
    drawn = re.findall(r"── (\w+)", ast.get_docstring(tree) or "")
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert sorted(drawn) == sorted(set(defined) - {"ParleyError"})


def _texts() -> Iterator[Path]:
    """Every file of the project but the changelog, which names things of earlier versions."""
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for path in (ROOT / name for name in sorted(set(listed.splitlines()))):
        readable = path.suffix in (".py", ".md", ".toml", ".sh", ".yml", "") and path.is_file()
        if readable and path.name != "CHANGELOG.md" and not path.is_symlink():
            yield path


def _mentioned(text: str) -> Iterator[str]:
    for module, block, line in IMPORT.findall(text):
        for name in re.sub(r"#.*", "", block or line).split(","):
            if words := name.split():
                yield f"{module}.{words[0]}"
    yield from DOTTED.findall(text)


def _members_in_strings(tree: ast.Module) -> Iterator[tuple[Any, Any]]:
    imported: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("parleyd"):
            for name in node.names:
                imported[name.asname or name.name] = _object(node.module or "", name.name)
    for node in ast.walk(tree):
        listed = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        for owner, member in pairwise(listed):
            named = imported.get(owner.id) if isinstance(owner, ast.Name) else None
            word = member.value if isinstance(member, ast.Constant) else None
            plain = isinstance(word, str) and word.isidentifier()
            if isinstance(named, type | ModuleType) and plain:
                yield named, member


def _object(module: str, name: str) -> object:
    found = getattr(importlib.import_module(module), name, None)
    return found if found is not None else importlib.import_module(f"{module}.{name}")


def _exists(name: str, members: dict[str, set[str]]) -> bool:
    """Whether a module has this path, or holds the name that follows its path."""
    if name in members or ".".join(name.split(".")[:2]) in NO_MODULES:
        return True
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if (module := ".".join(parts[:end])) in members:
            return parts[end] in members[module]
    return False


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _members(path: Path) -> Iterator[str]:
    """The names that a module defines or imports at its top level."""
    yield from ("__file__", "__path__")
    for node in ast.walk(_tree(path)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name.split(".")[0] for alias in names)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
