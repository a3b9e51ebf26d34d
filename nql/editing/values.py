"""Values and conditions in words, as the author wrote them and with the types that the binder gave them.

In: an expression of a query and the state before its clause. Out: part of a sentence: `the sum of cpu time divided by
2`, `name matches "pc-*"`. Where a missing value decides, the rule for it is said. Invariant: the rule comes from the
same `Rules` that the binder follows.
"""

from __future__ import annotations

from typing import TypeGuard

from nql.catalog.model import TableKind
from nql.datatypes import DataType, Kind
from nql.editing.times import date_words, length
from nql.plan.windows import Moment
from nql.semantics.literals import is_pattern
from nql.semantics.names import FieldRef, ObjectRef
from nql.semantics.scope import Rows, State
from nql.syntax import ast

_DURATIONS = frozenset({"ms", "s", "min", "m", "h", "d"})
_ARITHMETIC = {"+": "plus", "-": "minus", "*": "times", "/": "divided by", "^": "to the power of"}
_AGGREGATES = {
    "sum": "the sum of {}", "avg": "the mean {}", "min": "the smallest {}", "max": "the largest {}",
    "last": "the latest {}", "first": "the earliest {}", "median": "the median {}",
    "stddev": "the standard deviation of {}", "sumif": "the sum of {}",
}  # fmt: skip
_TIMES = {"min": "the earliest {}", "max": "the latest {}"}
_PARTS = {
    "avg": "the mean {} of a sample", "sum": "the total {} of a sample", "count": "the number of {} values of a sample",
    "min": "the smallest {} of a sample", "max": "the largest {} of a sample",
}  # fmt: skip
_SCALARS = {
    "time_elapsed": "the time since {}", "hour": "the hour of {}", "day": "the day of the month of {}",
    "day_of_week": "the day of the week, Monday is 1, of {}", "round": "{} rounded", "abs": "the size of {}",
    "lower": "{} in lower case", "upper": "{} in upper case",
}  # fmt: skip
_ORDER = {"<": "less than", ">": "more than", "<=": "at most", ">=": "at least"}
_WHEN = {"<": "before", ">": "after", "<=": "at or before", ">=": "at or after"}
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_VERBS = {
    "matches": ("match the regular expression", "matches the regular expression"), "like": ("match", "matches"),
    "starts with": ("start with", "starts with"), "ends with": ("end with", "ends with"),
}  # fmt: skip
_PLAIN = (ast.Number, ast.Text, ast.Date, ast.Constant, ast.Version, ast.Address, ast.Parameter)
_UNSURE = frozenset({"!=", "!in", "!contains", "!matches", "!like", "!between", "!starts with", "!ends with"})


def noun(rows: Rows) -> str:
    """What the rows of a table are called, several of them: `devices`, `crashes`, `samples`."""
    tail = rows.table.name.rpartition(".")[2].replace("_", " ")
    return "samples" if rows.table.kind is TableKind.SAMPLED and tail == "events" else tail


def one(rows: Rows) -> str:
    """One row of a table: `device`, `crash`, `sample`."""
    record = rows.table.record.replace("_", " ")
    return "sample" if rows.table.kind is TableKind.SAMPLED and record == "event" else record


def value(state: State, node: ast.Expr) -> str:
    """A value in words."""
    match node:
        case ast.Path():
            return _name(state, node)
        case ast.Call():
            return _call(state, node)
        case ast.Binary(op, left, right):
            return f"{_part(state, left)} {_ARITHMETIC[op]} {_part(state, right)}"
        case ast.Negative(operand):
            return f"minus {_part(state, operand)}"
        case ast.Items(items):
            return f"[{', '.join(value(state, item) for item in items)}]"
        case ast.Comparison() | ast.Logic() | ast.Not():
            return condition(state, node)
        case _:
            return literal(node)


def literal(node: ast.Expr) -> str:
    """A constant in words: `7 days`, `8 GB`, `"abc"`."""
    match node:
        case ast.Number(count, unit):
            if unit in _DURATIONS:
                return length(count, unit)
            return f"{count} {unit.upper()}" if unit else f"{count}"
        case ast.Text(text):
            return f"'{text}'" if '"' in text else f'"{text}"'
        case ast.Constant(flag):
            return "no value" if flag is None else str(flag).lower()
        case ast.Version(text):
            return f"version {text}"
        case ast.Address(text):
            return text
        case ast.Date(year, month, day, hour, minute, second, zone):
            if not 1 <= month <= 12:
                return "a date"
            return date_words(Moment(year, month, day, hour, minute, second, zone))
        case ast.Parameter(name):
            return f"the value of ${name}"
        case _:
            return "a value"


def listed(parts: list[str], word: str = "and") -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}" if parts else ""


# --- names ------------------------------------------------------------------------------------


def _name(state: State, node: ast.Path) -> str:
    text = node.text
    if state.joined is None and text.lower() in state.aliases:
        return state.aliases[text.lower()].name
    found = state.names.find(state.current.table, text)
    if isinstance(found, FieldRef):
        path = found.path
        if found.component is not None:
            return _PARTS[found.component].format(plain(path.rpartition(".")[0]))
        return plain(path)
    return plain(text)


def plain(path: str) -> str:
    """A path as words."""
    return path.replace(".", " ").replace("_", " ").replace("#", "")


def kind_of(state: State, node: ast.Expr) -> tuple[DataType | None, bool]:
    """The type of a name, if that is known, and whether its value was computed by the query."""
    if isinstance(node, ast.Path):
        alias = state.aliases.get(node.text.lower()) if state.joined is None else None
        if alias is not None:
            return alias.column.dtype, not alias.plain
        found = state.names.find(state.current.table, node.text)
        return (found.field.dtype if isinstance(found, FieldRef) else None), False
    return None, any(kind_of(state, inner)[1] for inner in ast.inside(node))


# --- functions --------------------------------------------------------------------------------


def _part(state: State, node: ast.Expr) -> str:
    said = value(state, node)
    return f"({said})" if isinstance(node, ast.Binary) or " where " in said else said


def _call(state: State, node: ast.Call) -> str:
    name, target = node.function, node.target
    if name in ("count", "countif"):
        return _count(state, node)
    if name == "if" and len(node.arguments) == 3:
        test, yes, no = node.arguments
        return f"{value(state, yes)} if {condition(state, test)}, else {value(state, no)}"
    if target is None:
        return f"{name}({', '.join(value(state, argument) for argument in node.arguments)})"
    inner = value(state, target)
    if name in _SCALARS:
        zone = [f" in {a.right.value}" for a in node.arguments if _zone(a) and isinstance(a.right, ast.Text)]
        digits = [f" after digit {value(state, a)}" for a in node.arguments if isinstance(a, ast.Number)]
        return _SCALARS[name].format(inner) + "".join(zone + digits)
    if name == "default" and node.arguments:
        return f"{inner}, or {value(state, node.arguments[0])} where it has no value"
    if name[:1] == "p" and name[1:].isdigit():
        return f"the {int(name[1:])}{_ordinal(int(name[1:]))} percentile of {inner}"
    dtype, _ = kind_of(state, target)
    words = _TIMES if dtype is not None and dtype.kind is Kind.DATETIME and name in _TIMES else _AGGREGATES
    said = words.get(name, f"{name} of {{}}").format(inner)
    return f"{said}{_where(state, node)}"


def _zone(node: ast.Expr) -> TypeGuard[ast.Comparison]:
    return isinstance(node, ast.Comparison)


def _count(state: State, node: ast.Call) -> str:
    rows = state.current
    what = noun(rows) if rows.table.kind is not TableKind.SAMPLED else "samples"
    if state.summary is not None:
        what = "rows"
    if isinstance(node.target, ast.Path):
        found = None if _alias(state, node.target) else state.names.find(rows.table, node.target.text)
        if isinstance(found, ObjectRef):
            what = f"different {found.table.name.rpartition('.')[2].replace('_', ' ')}"
            if found.table is rows.table:
                what = noun(rows)
        elif isinstance(found, FieldRef) and found.field.metric is None:
            what = f"different values of {_name(state, node.target)}"
        else:
            what = f"values of {_name(state, node.target)}"
    return f"the number of {what}{_where(state, node)}"


def _alias(state: State, path: ast.Path) -> bool:
    return state.joined is None and path.text.lower() in state.aliases


def _where(state: State, node: ast.Call) -> str:
    if node.function not in ("countif", "sumif") or not node.arguments:
        return ""
    return f" where {condition(state, node.arguments[0])}"


def _ordinal(number: int) -> str:
    if number // 10 == 1:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


# --- conditions -------------------------------------------------------------------------------


def condition(state: State, node: ast.Expr) -> str:
    """A condition in words, with the rule for missing values where it decides."""
    match node:
        case ast.Logic(op, operands):
            parts = [condition(state, part) for part in operands]
            inner = [
                f"({said})" if isinstance(part, ast.Logic) else said for part, said in zip(operands, parts, strict=True)
            ]
            return f" {op} ".join(inner)
        case ast.Not(operand):
            said = condition(state, operand)
            return f"it is not so that {f'({said})' if isinstance(operand, ast.Logic) else said}"
        case ast.Comparison():
            return _comparison(state, node)
        case _:
            return f"{value(state, node)} is true"


def _comparison(state: State, node: ast.Comparison) -> str:
    left, op, right = node.left, node.op, node.right
    if isinstance(left, _PLAIN) and not isinstance(right, _PLAIN) and op in _FLIPPED:
        left, op, right = right, _FLIPPED[op], left
    dtype, computed = kind_of(state, left)
    if _null(right):
        return f"{value(state, left)} has {'no' if op in ('==', 'is') else 'a'} value"
    computed = computed or kind_of(state, right)[1]
    said = f"{_subject(state, left)} {_says(state, op, right, dtype, left)}"
    if op not in _UNSURE or any(map(_null, ast.inside(right))):
        return said
    passes = state.rules.passes(computed=computed)
    return f"{said} ({'or has no value' if passes else 'where it has a value'})"


def _subject(state: State, left: ast.Expr) -> str:
    if isinstance(left, ast.Call) and left.function == "time_elapsed" and left.target is not None:
        return value(state, left.target)
    return value(state, left)


def _says(state: State, op: str, right: ast.Expr, dtype: DataType | None, left: ast.Expr) -> str:
    kind = dtype.kind if dtype is not None else None
    other = _other(state, right, dtype)
    if isinstance(left, ast.Call) and left.function == "time_elapsed":
        return f"was {_ORDER.get(op, 'exactly')} {other} ago"
    match op:
        case "==" | "!=":
            return _equals(op == "!=", right, other)
        case "in" | "!in" if isinstance(right, ast.Items):
            return _one_of(state, op == "!in", right.items, dtype)
        case "in" | "!in":
            return f"is {'none' if op == '!in' else 'one'} of the values of {other.rpartition(' ')[2]}"
        case "contains" | "!contains" if (
            kind is Kind.STRING and isinstance(right, ast.Text) and is_pattern(right.value)
        ):
            return _equals(op == "!contains", right, other)
        case "contains" | "!contains":
            has = "does not have" if op == "!contains" else "has"
            what = "an element like" if kind in (Kind.STRINGS, Kind.OBJECTS) else "the text"
            return f"{has} {what} {other}{'' if kind in (Kind.STRINGS, Kind.OBJECTS) else ' in it'}"
        case "<" | ">" | "<=" | ">=":
            return f"is {(_WHEN if kind is Kind.DATETIME else _ORDER)[op]} {other}"
        case "between" | "!between":
            ends = [_other(state, end, dtype) for end in ast.inside(right)]
            return f"is {'not ' if op[0] == '!' else ''}from {' to '.join(ends)}"
        case _:
            verb, verbs = _VERBS.get(op.lstrip("!"), (op, op))
            return f"does not {verb} {other}" if op.startswith("!") else f"{verbs} {other}"


def _one_of(state: State, negated: bool, items: tuple[ast.Expr, ...], dtype: DataType | None) -> str:
    words = [_other(state, item, dtype) for item in items if not _null(item)]
    patterns = any(isinstance(item, ast.Text) and is_pattern(item.value) for item in items)
    verb = ("does not match" if negated else "matches") if patterns else ("is not" if negated else "is")
    said = f"{verb} {'any of ' if negated and len(words) > 1 else ''}{listed(words, 'or')}" if words else ""
    if len(words) == len(items):
        return said or f"is {'not ' if negated else ''}in an empty list"
    nothing = "has a value" if negated else "has no value"
    return f"{said} {'and' if negated else 'or'} {nothing}" if said else nothing


def _null(node: ast.Expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _equals(negated: bool, right: ast.Expr, other: str) -> str:
    if isinstance(right, ast.Text) and is_pattern(right.value):
        return f"{'does not match' if negated else 'matches'} {other}"
    if isinstance(right, ast.Address) and "/" in right.text:
        return f"is {'not ' if negated else ''}in the network {other}"
    if isinstance(right, ast.Date):
        return (
            f"is {'not ' if negated else ''}on {other}"
            if right.hour is None
            else f"is {'not ' if negated else ''}{other}"
        )
    return f"is {'not ' if negated else ''}{other}"


def _other(state: State, node: ast.Expr, dtype: DataType | None) -> str:
    """The right side: a member of an enum is a word and not a name."""
    if isinstance(node, ast.Path) and dtype is not None and dtype.kind is Kind.ENUM:
        member = dtype.member(node.text)
        if member is not None or not isinstance(state.names.find(state.current.table, node.text), FieldRef):
            return (member or node.text).replace("_", " ")
    return value(state, node)
