"""Outputs and inputs of a Python script: calls of the module `muster_output`, found in its syntax tree.

In: the text. Out: what it writes, into a `Finding`, and which inputs it names. Invariant: the script is read, never
run; whatever stands there gives an answer. A script for another version of Python that cannot be read here is said to
be so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from storage.control.scripts.found import TYPES, Finding, FoundOutput

MODULE = "muster_output"
PREFIX = "MUSTER_INPUT_"


def find(text: str, finding: Finding) -> frozenset[str] | None:
    """Find the outputs; the inputs that are read, None if any may be."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        finding.problem(error.lineno or 1, f"it cannot be read as Python: {error.msg}")
        return None
    except (ValueError, RecursionError, MemoryError) as error:
        finding.problem(1, f"it cannot be read as Python: {str(error) or 'it is nested too deep'}")
        return None
    modules, functions = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _called(node.func, modules, functions)):
            _output(node, name, finding)
    return _reads(tree)


def _imported(tree: ast.Module) -> tuple[set[str], dict[str, str]]:
    """The names under which the module is known, and those of its functions."""
    modules: set[str] = set()
    functions: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == MODULE}
        elif isinstance(node, ast.ImportFrom) and node.module == MODULE:
            functions |= {alias.asname or alias.name: alias.name for alias in node.names}
    return modules, functions


def _called(function: ast.expr, modules: set[str], functions: dict[str, str]) -> str:
    """The function of the module that is called, or an empty text."""
    match function:
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in modules:
            return name
        case ast.Name(id=name):
            return functions.get(name, "")
    return ""


def _output(call: ast.Call, function: str, finding: Finding) -> None:
    given = list(call.args)
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if function == "write":
        kind = _literal(given.pop(0) if given else named.get("type"))
        if kind is None:
            finding.dynamic(call.lineno, "type")
            return
    elif function.startswith("write_") and function.removeprefix("write_") in TYPES:
        kind = function.removeprefix("write_")
    else:
        return
    name = _literal(given[0] if given else named.get("name"))
    if name is None:
        finding.dynamic(call.lineno, "name")
    else:
        finding.output(FoundOutput(name, kind, call.lineno))


def _literal(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _reads(tree: ast.Module) -> frozenset[str] | None:
    texts = set(_texts(tree))
    if "MUSTER_INPUTS" in texts or PREFIX in texts or "argv" in texts:
        return None
    return frozenset(text.removeprefix(PREFIX).lower() for text in texts if text.startswith(PREFIX))


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr
