"""Small faults in a module's source, one at a time, like mistakes of a programmer.

Pure: source in, changed sources out. Log lines, annotations, docstrings and texts stay, as a
changed word is not a fault of behaviour.
"""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Pow: ast.Mult,
}  # fmt: skip
_EXTREMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LOGGERS = ("log", "_log", "logger", "warnings")


@dataclass(frozen=True)
class Mutant:
    """One fault: its place, and the whole changed source."""

    path: str
    line: int
    name: str
    """The change in two or three words."""
    before: str
    after: str

    def diff(self) -> str:
        """Return the changed lines, marked ``-`` and ``+``."""
        lines = difflib.unified_diff(
            self.before.splitlines(), self.after.splitlines(), lineterm="", n=0
        )
        return "\n".join(line for line in lines if line[:3] not in ("---", "+++", "@@ "))


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines."""
    found = sorted(_Finder(source).found, key=lambda change: (change.start, change.name))
    seen = {source}
    for change in found:
        after = source.encode()[: change.start] + change.text.encode()
        text = (after + source.encode()[change.end :]).decode()
        if text not in seen:
            seen.add(text)
            yield Mutant(path, change.line, change.name, source, text)


@dataclass(frozen=True)
class _Change:
    start: int
    end: int
    line: int
    text: str
    name: str


class _Finder(ast.NodeVisitor):
    """Collects the changes; positions are bytes of the source."""

    def __init__(self, source: str) -> None:
        self.found: list[_Change] = []
        self._starts = [0]
        for line in source.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._depth = 0  # of nested functions: 0 for tables and constants
        self.visit(ast.parse(source))

    # --- values -------------------------------------------------------------------------

    def visit_Compare(self, node: ast.Compare) -> None:
        for index, operator in enumerate(node.ops):
            ops = [*node.ops]
            ops[index] = _COMPARED[type(operator)]()
            self._replace(node, ast.Compare(node.left, ops, node.comparators), "comparison")
            if isinstance(operator, ast.In | ast.NotIn):
                self._shorten(node.comparators[index])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._replace(node, ast.BoolOp(other, node.values), "and/or")
        for index in range(len(node.values)):
            rest = node.values[:index] + node.values[index + 1 :]
            less = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            self._replace(node, less, "condition removed")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._replace(node, node.operand, "sign removed")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        alias = self._depth == 0 and isinstance(node.op, ast.BitOr)  # a union of types: A | B
        text = any(isinstance(side, ast.JoinedStr) for side in (node.left, node.right))
        if not (alias or text) and type(node.op) in _COMPUTED:
            other = ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)
            self._replace(node, other, "arithmetic")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace(node, ast.Constant(not value), "constant")
        elif isinstance(value, int):
            self._replace(node, ast.Constant(value + 1), "constant")
            if self._depth == 0 and value > 1:
                self._replace(node, ast.Constant(value * 3), "constant")
        elif isinstance(value, float):
            for other in (0.0 if value else 1.0, value * 3):
                self._replace(node, ast.Constant(other), "constant")

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _EXTREMES:
            other = ast.Call(ast.Name(_EXTREMES[node.func.id]), node.args, node.keywords)
            self._replace(node, other, "extreme")
        if not _logs(node):
            self.generic_visit(node)

    # --- tables -------------------------------------------------------------------------

    def visit_Dict(self, node: ast.Dict) -> None:
        if self._depth == 0 and len(node.keys) > 1:
            for index in range(len(node.keys)):
                keys = node.keys[:index] + node.keys[index + 1 :]
                rest = ast.Dict(keys, node.values[:index] + node.values[index + 1 :])
                row = node.keys[index] or node.values[index]
                self._replace(node, rest, "row removed", row.lineno)
        for value in node.values:  # a changed key equals a removed row
            if self._depth == 0:
                for part in ast.walk(value):
                    self._shorten(part)
            self.visit(value)

    def _shorten(self, node: ast.AST) -> None:
        if not isinstance(node, ast.Tuple | ast.Set | ast.List):
            return
        for index in range(len(node.elts) if len(node.elts) > 1 else 0):
            rest = node.elts[:index] + node.elts[index + 1 :]
            shorter = type(node)(rest) if isinstance(node, ast.Set) else type(node)(rest, node.ctx)
            self._replace(node, shorter, "element removed", node.elts[index].lineno)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:  # not its decorators: `frozen` makes no difference to callers
            self.visit(statement)

    # --- statements ---------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        self._depth += 1
        for statement in node.body:
            self.visit(statement)
        self._depth -= 1

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            if self._depth and isinstance(node.target, ast.Attribute):
                self._remove(node)
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(target, ast.Name) and target.id[:2] == "__" for target in node.targets):
            return
        if self._depth and all(
            isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets
        ):
            self._remove(node)
        if self._depth == 0:
            self._shorten(node.value)
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._remove(node)
        if type(node.op) in _COMPUTED:
            other = ast.AugAssign(node.target, _COMPUTED[type(node.op)](), node.value)
            self._replace(node, other, "arithmetic")
        self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or _logs(node.value):
            return
        if isinstance(node.value, ast.Call | ast.Await):
            self._remove(node)
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._remove(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._remove(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._remove(node)
        else:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Skip assertions: they only narrow types."""

    # --- output -------------------------------------------------------------------------

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.UnaryOp):  # these have other mutants
            self._replace(test, ast.UnaryOp(ast.Not(), test), "condition negated")

    def _remove(self, statement: ast.stmt) -> None:
        self._replace(statement, ast.Pass(), "statement removed")

    def _replace(self, node: ast.AST, other: ast.AST, name: str, line: int | None = None) -> None:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        text = ast.unparse(ast.fix_missing_locations(other))
        if isinstance(node, ast.expr):
            text = f"({text})" if isinstance(other, ast.expr) and _compound(other) else text
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        self.found.append(_Change(start, end, line or node.lineno, text, name))


def _compound(node: ast.expr) -> bool:
    return isinstance(node, ast.BoolOp | ast.BinOp | ast.Compare | ast.UnaryOp | ast.IfExp)


def _logs(node: ast.AST) -> bool:
    """Whether an expression writes to a log; texts are not mutated."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id in _LOGGERS
