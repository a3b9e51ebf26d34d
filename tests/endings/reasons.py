"""The reasons that a device gives, read from the code that makes them.

In: the agent's modules. Out: the texts with `{}` where something is filled in. Invariant: whoever adds a reason adds it
here without knowing, so that the table of `states` lacks it and a test says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = (
    "orders", "core", "runner", "runtime", "local_steps", "accounts", "secret_values", "outputs", "host/fake",
)  # fmt: skip
PLACES = {"Denied": 1, "Ended": 1, "Foreign": 0, "AccountError": 0, "SecretError": 0, "append": 0}  # of the text
GIVEN = ("forbidden", "_inputs", "judge", "_put")  # functions that return one


def reasons() -> frozenset[str]:
    """Every reason."""
    found = (text(node) for name in MODULES for node in _nodes(ROOT / "agent" / f"{name}.py"))
    return frozenset(said for said in found if said)


def _nodes(path: Path) -> Iterator[ast.expr]:
    """What may be the text of a reason."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
                place = PLACES.get(name, len(args))
                yield from args[place : place + 1]
                yield from (item.value for item in keywords if item.arg == "detail")
            case ast.Assign(targets=[ast.Name(id="detail" | "problems")], value=value):
                yield from value.body.elts if _is_listed(value) else [value]  # type: ignore[attr-defined]  # just seen
            case ast.FunctionDef(name=name) if name in GIVEN:
                yield from _returned(node)


def _is_listed(value: ast.expr) -> bool:
    return isinstance(value, ast.IfExp) and isinstance(value.body, ast.List)


def _returned(function: ast.FunctionDef) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value.elts[1] if isinstance(node.value, ast.Tuple) else node.value


def text(node: ast.expr) -> str:
    """A text with `{}` for each value in it; empty for what is none."""
    match node:
        case ast.Constant(value=str(said)):
            return said
        case ast.JoinedStr(values=parts):
            return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)  # type: ignore[misc]
        case ast.Subscript(value=value):
            return text(value)
        case _:
            return ""
