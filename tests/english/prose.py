"""The prose of a file: docstrings, comments, messages, pages."""

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEAST_SPACES = 2
"""A string with fewer is a name or a format, not a sentence."""
SPOKEN = ("stories.py", "grammar.py", "intents.py")
"""Files whose strings are spoken by people or to them."""
PAGES = (".md", ".toml", ".yml", ".yaml", ".service", ".rules", ".conf", ".sysusers")
SOURCES = (".py", ".pyi", ".sh", ".c", ".cjs", "")
"""Those without a suffix are scripts."""
_SHELL = re.compile(r'#|\b(?:echo|printf)\b|"\w+ \w+ ')
NO_PROSE = ("LICENSE", ".gitignore", "cpuinfo-pi4", "copyright", "lintian-overrides")


def files() -> list[Path]:
    """Every file of the project that holds prose, but for this folder, which quotes phrases."""
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    return [
        ROOT / name
        for name in sorted(set(listed.splitlines()))
        if Path(name).suffix in (*SOURCES, *PAGES)
        and Path(name).name not in NO_PROSE
        and not name.startswith("tests/english/")
        and (ROOT / name).is_file()
        and not (ROOT / name).is_symlink()
    ]


def prose(path: Path) -> str:
    """The sentences of one file."""
    source = path.read_text(encoding="utf-8")
    if path.parent.name == "languages":  # phrases of users are no prose of ours
        return "\n".join(line for line in source.splitlines() if line.startswith("#"))
    if path.suffix in (".md", ".toml"):
        return re.sub(r"```.*?```", "", source, flags=re.DOTALL)
    if path.suffix in (".py", ".pyi") or source.startswith("#!/usr/bin/env python"):
        return _of_python(source, messages="tests" not in path.parts and path.name not in SPOKEN)
    if path.suffix in (".c", ".cjs"):
        return "\n".join(re.findall(r"/\*.*?\*/|//.*", source, flags=re.DOTALL))
    return "\n".join(line for line in source.splitlines() if _SHELL.search(line))


def _of_python(source: str, *, messages: bool) -> str:
    tree = ast.parse(source)
    found = [
        ast.get_docstring(node) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    quoted = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    found += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.count(" ") >= LEAST_SPACES
        and node.value not in quoted
        and messages
    ]
    found += [
        node.name.replace("_", " ")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    found += [
        token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    return "\n".join(found)
