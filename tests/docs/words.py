"""The words that Parley can show, read from its source: log events and checks of doctor."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import PACKAGE


class Unreadable(AssertionError):
    """A word that this module cannot find out."""


def first_texts(made: str, package: Path = PACKAGE) -> dict[str, str]:
    """Every text that is the first argument of `made(...)`, and a place where it stands.

    Followed are a function that hands one of its parameters on as this argument, a table of texts
    in the module, and the value of an enumeration. Raises `Unreadable` for anything else.
    """
    texts = {path: path.read_text("utf-8") for path in sorted(package.rglob("*.py"))}
    trees = {
        path.relative_to(package).as_posix(): ast.parse(text)
        for path, text in texts.items()
        if f"{made}(" in text or "Enum)" in text
    }
    values = _enumerated(trees.values())
    found: dict[str, str] = {}
    for name, tree in trees.items():
        module = _Module(tree, name, values)
        for text, line in module.texts(made):
            found.setdefault(text, f"{module.name}:{line}")
    return found


@dataclass
class _Module:
    tree: ast.Module
    name: str
    values: Mapping[str, list[str]]
    """By the name of a field, the texts of the enumeration that is its type."""
    _places: dict[str, int] = field(default_factory=dict)
    """The function to follow, and which of its arguments is the word."""

    def texts(self, made: str) -> Iterator[tuple[str, int]]:
        """The texts and their lines."""
        self._places = {made: 0}
        known = 0
        found: set[tuple[str, int]] = set()
        while len(self._places) > known:
            known = len(self._places)
            for scope in self._functions():
                found.update(self._of(scope))
        yield from sorted(found)

    def _functions(self) -> list[ast.AST]:
        """All functions, and the module for what stands outside of them."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [self.tree, *(node for node in ast.walk(self.tree) if isinstance(node, kinds))]

    def _of(self, scope: ast.AST) -> Iterator[tuple[str, int]]:
        for node in _inside(scope):
            place = self._places.get(_called(node)) if isinstance(node, ast.Call) else None
            if place is not None and isinstance(node, ast.Call):
                if len(node.args) <= place:
                    raise Unreadable(f"{self.name}:{node.lineno}: the word is given by its name")
                for text in self._words(node.args[place], scope):
                    yield text, node.lineno

    def _words(self, value: ast.expr, scope: ast.AST) -> list[str]:
        match value:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.IfExp(body=one, orelse=other):
                return [*self._words(one, scope), *self._words(other, scope)]
            case ast.Name(id=name) if name in _parameters(scope):
                assert isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
                self._places[scope.name] = _parameters(scope).index(name)
                return []
            case ast.Subscript(value=ast.Name(id=name)) if name in self._tables():
                return self._tables()[name]
            case ast.Attribute(value=ast.Attribute(attr=name), attr="value") if name in self.values:
                return self.values[name]
        raise Unreadable(f"{self.name}:{value.lineno}: {ast.unparse(value)} is no text")

    def _tables(self) -> Mapping[str, list[str]]:
        """The texts of each dictionary at the top of the module."""
        return {
            ast.unparse(node.targets[0]): _texts(node.value.values)
            for node in self.tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        }


def _texts(values: Iterable[ast.expr | None]) -> list[str]:
    constants = (value.value for value in values if isinstance(value, ast.Constant))
    return [text for text in constants if isinstance(text, str)]


def _enumerated(trees: Iterable[ast.Module]) -> dict[str, list[str]]:
    """By the name of a field, the texts of the enumeration that is its type."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    texts = {
        each.name: _texts(node.value for node in each.body if isinstance(node, ast.Assign))
        for each in classes
        if any(ast.unparse(base) in ("Enum", "StrEnum") for base in each.bases)
    }
    found: dict[str, list[str]] = {}
    for each in classes:
        for node in each.body:
            if isinstance(node, ast.AnnAssign):
                values = texts.get(ast.unparse(node.annotation))
                if values:
                    found.setdefault(ast.unparse(node.target), []).extend(values)
    return found


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in this scope, and not in a function within it."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _inside(node)


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _parameters(scope: ast.AST) -> list[str]:
    """By position, as a caller counts them."""
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    names = [argument.arg for argument in (*scope.args.posonlyargs, *scope.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names
