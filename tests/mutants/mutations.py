"""Small changes to a program that its tests should notice.

In: the source of a module. Out: its mutations, each with the place, what stood there and what stands there now; and
the changed source. Left alone are types, docstrings, decorators, assertions, slots, and texts with spaces, of which
people are the judges. Invariant: the same source gives the same mutations in the same order, and each changes
something.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTE: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
}  # fmt: skip
_TYPES = frozenset({"cast", "TypeVar", "Choice", "Literal"})


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: in which function, at which line, from what to what. `number` is its place among all of a module."""

    path: str
    number: int
    line: int
    function: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """What it is called in a progress file."""
        return f"{self.path}:{self.line} {self.function}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class _Site:
    """A node that can be changed, the function it lies in, and the node it becomes."""

    node: ast.AST
    function: str
    changed: ast.AST


def mutations(path: str, source: str) -> list[Mutation]:
    """Every mutation of a module."""
    found = []
    for number, site in enumerate(_sites(source)):
        before, after = _text(site.node), _text(site.changed)
        found.append(Mutation(path, number, getattr(site.node, "lineno", 0), site.function, before, after))
    return found


def mutated(source: str, number: int) -> str:
    """The source with the mutation of a number."""
    tree = copy.deepcopy(_tree(source))
    site = list(_walk(tree, ""))[number]
    return ast.unparse(ast.fix_missing_locations(_Replace(site).visit(tree)))


class _Replace(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, site: _Site) -> None:
        self.site = site

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or what stands in its place."""
        return self.site.changed if node is self.site.node else self.generic_visit(node)


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _sites(source: str) -> list[_Site]:
    return list(_walk(_tree(source), ""))


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())[:160]


def _walk(node: ast.AST, function: str) -> Iterator[_Site]:
    yield from (_Site(node, function, changed) for changed in _changes(node))
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params") or _left_alone(node, name):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _silent(child):
                yield from _walk(child, function)


def _left_alone(node: ast.AST, name: str) -> bool:
    """Types written as expressions."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in _TYPES:
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TYPES and name == "args"


def _silent(node: ast.AST) -> bool:
    """Whether a node says nothing that a test could notice."""
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__" | "__all__")]):
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.BinOp(op=ast.BitOr())):
            return name[0].isupper()  # a union of types
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case _:
            return False


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of a node."""
    match node:
        case ast.Compare(ops=[op, *others]) if type(op) in _COMPARE:
            yield ast.Compare(node.left, [_COMPARE[type(op)](), *others], node.comparators)
        case ast.BinOp(op=op) if type(op) in _COMPUTE:
            yield ast.BinOp(node.left, _COMPUTE[type(op)](), node.right)
        case ast.BoolOp(op=op):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant():
            yield from _constants(node)
        case ast.Call(args=[one, two, *others]) if not isinstance(one, ast.Starred | ast.Constant):
            if not isinstance(two, ast.Starred) and ast.dump(one) != ast.dump(two):
                yield ast.Call(node.func, [two, one, *others], node.keywords)
        case ast.If() | ast.While():
            yield type(node)(_negated(node.test), node.body, node.orelse)
        case ast.IfExp():
            yield ast.IfExp(_negated(node.test), node.body, node.orelse)
        case ast.comprehension(ifs=[test, *others]):
            yield ast.comprehension(node.target, node.iter, [_negated(test), *others], node.is_async)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()


def _constants(node: ast.Constant) -> Iterator[ast.Constant]:
    match node.value:
        case bool():
            yield ast.Constant(not node.value)
        case int():
            yield ast.Constant(node.value + 1)
            yield ast.Constant(node.value - 1)
        case str() as text if text and not set(text) & set(" \n"):
            yield ast.Constant(text + "_")


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)
