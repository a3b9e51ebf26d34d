"""Values in workflows: what a step's texts name, what an action answered, and how two values compare.

In: texts of a definition, an execution with its parameters and the answers of its steps. Out: values; whether a
comparison holds. Invariants: what was never answered is None and makes no comparison hold but those that deny
something; numbers compare as numbers, all else as text without regard to case; what is kept of an answer is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from storage.control.records import to_json
from storage.control.workflow_definition import Comparison, output_named, parameter_named
from storage.control.workflow_rows import WorkflowExecution

MOST_BYTES = 4096  # of one answer that is kept
NUMBER_CHARACTERS = 64


def meant(text: str, one: WorkflowExecution) -> Any:
    """The value of a text of the definition; None for what no step has answered."""
    if (name := parameter_named(text)) is not None:
        return one.parameters.get(name)
    if (named := output_named(text)) is None:
        return text
    step, output = named
    answers = one.outputs.get(step)
    if answers is None:
        return None
    return answers["state"] if output is None else answers["outputs"].get(output)


def kept(outputs: Mapping[str, Any], read: Collection[str]) -> dict[str, Any]:
    """Those outputs that other steps read; a list loses what is beyond MOST_BYTES."""
    found = {}
    for name in sorted(read):
        value = outputs.get(name)
        while isinstance(value, list) and len(to_json(value)) > MOST_BYTES:
            value = value[: len(value) // 2]
        if value is not None:
            found[name] = value
    return found


def as_text(value: Any) -> str:
    """A value as a script is given it: lists by commas, numbers without a fraction that is none."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.15g}"
        case list() | tuple():
            return ",".join(map(as_text, value))
    return str(value)


def holds(comparison: Comparison, one: WorkflowExecution) -> bool:
    """Whether a comparison is true of an execution."""
    value, than = meant(comparison.value, one), meant(comparison.than, one)
    match comparison.operator:
        case "empty":
            return _is_empty(value)
        case "not empty":
            return not _is_empty(value)
        case "is":
            return _same(value, than)
        case "is not":
            return not _same(value, than)
        case "contains":
            return _contains(value, than)
        case "not contains":
            return not _contains(value, than)
        case _:
            return _ordered(comparison.operator, value, than)


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def _same(value: Any, than: Any) -> bool:
    if value is None or than is None:
        return False
    numbers = _number(value), _number(than)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return as_text(value).casefold() == as_text(than).casefold()


def _contains(value: Any, than: Any) -> bool:
    if value is None or than is None:
        return False
    wanted = as_text(than).casefold()
    if isinstance(value, list | tuple):
        return wanted in (as_text(item).casefold() for item in value)
    return wanted in as_text(value).casefold()


def _ordered(operator: str, value: Any, than: Any) -> bool:
    if value is None or than is None:
        return False
    numbers = _number(value), _number(than)
    one: Any = numbers[0] if None not in numbers else as_text(value).casefold()
    other: Any = numbers[1] if None not in numbers else as_text(than).casefold()
    match operator:
        case ">":
            return bool(one > other)
        case "<":
            return bool(one < other)
        case ">=":
            return bool(one >= other)
        case _:
            return bool(one <= other)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (len(value) > NUMBER_CHARACTERS or "_" in value or not value.isascii()):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
