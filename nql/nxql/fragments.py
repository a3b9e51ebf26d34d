"""Pieces of NQL out of the mapping, as syntax trees that stand at a place of the NXQL text.

In: an expression or condition in NQL and the span of the NXQL name that it stands for. Out: its tree with that span on
every node, and with the link before its paths where the rows are reached through one. Invariant: no text is put
together and read again; what is read here is the mapping's own.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, cast

from nql.diagnostics import Span
from nql.syntax import ast
from nql.syntax.parse import parse


def expression(nql: str, span: Span, prefix: str = "") -> ast.Expr:
    """An expression of the mapping at a place."""
    return cast("ast.Expr", _placed(_expression(nql), span, prefix))


def condition(nql: str, span: Span, prefix: str = "") -> ast.Expr:
    """A condition of the mapping at a place."""
    return cast("ast.Expr", _placed(_condition(nql), span, prefix))


def summed(expr: ast.Expr, function: str) -> ast.Expr:
    """The expression with each path in it under an aggregate: `name` becomes `name.last()`."""
    return cast("ast.Expr", _summed(expr, function))


def every(parts: list[ast.Expr], op: str, span: Span) -> ast.Expr:
    """All conditions joined by `and` or `or`; at least one."""
    return parts[0] if len(parts) == 1 else ast.Logic(op, tuple(parts), span)


@lru_cache(maxsize=1024)
def _expression(nql: str) -> ast.Expr:
    (clause,) = parse(f"devices | compute x = {nql}").clauses
    assert isinstance(clause, ast.Compute)
    return clause.items[0].value


@lru_cache(maxsize=1024)
def _condition(nql: str) -> ast.Expr:
    (clause,) = parse(f"devices | where {nql}").clauses
    assert isinstance(clause, ast.Where)
    return clause.condition


def _placed(node: Any, span: Span, prefix: str) -> Any:
    if isinstance(node, ast.Path) and prefix:
        return ast.Path(f"{prefix}.{node.text}", span)
    if isinstance(node, tuple):
        return tuple(_placed(item, span, prefix) for item in node)
    if isinstance(node, Span):
        return span
    if not is_dataclass(node) or isinstance(node, type):
        return node
    return replace(node, **{item.name: _placed(getattr(node, item.name), span, prefix) for item in fields(node)})


def _summed(node: Any, function: str) -> Any:
    if isinstance(node, ast.Path):
        return ast.Call(node, function, (), node.span, node.span, 1)
    if isinstance(node, tuple):
        return tuple(_summed(item, function) for item in node)
    if not is_dataclass(node) or isinstance(node, type | Span):
        return node
    return replace(node, **{item.name: _summed(getattr(node, item.name), function) for item in fields(node)})
