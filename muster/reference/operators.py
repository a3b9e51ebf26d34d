"""Tables of what operators do with which types, found by asking the language itself.

In: a query for each pair of a type and an operator. Out: tables for the pages that people write. Invariant: a cell says
what the compiler says when the page is made; no rule is repeated here.
"""

from __future__ import annotations

from dataclasses import dataclass

from muster.reference.markdown import code, link, table
from nql.api import compile_query
from nql.catalog.load import builtin
from nql.datatypes import Kind
from nql.diagnostics import QueryError
from nql.rules import STRICT


@dataclass(frozen=True, slots=True)
class Subject:
    """A field of a kind: the rows it is of, its path, a literal, and a list of literals."""

    kind: Kind
    rows: str
    path: str
    literal: str


SUBJECTS = (
    Subject(Kind.STRING, "devices", "name", '"pc-*"'),
    Subject(Kind.INT, "execution.crashes", "number_of_crashes", "3"),
    Subject(Kind.FLOAT, "device.cpus", "frequency", "2.5"),
    Subject(Kind.PERCENTAGE, "device_performance.events", "cpu_usage.avg", "80.5"),
    Subject(Kind.BOOLEAN, "devices", "simulated", "true"),
    Subject(Kind.DATETIME, "devices", "last_seen", "2024-07-15"),
    Subject(Kind.DURATION, "device_performance.boots", "duration", "40s"),
    Subject(Kind.BYTES, "devices", "hardware.memory", "8GB"),
    Subject(Kind.ENUM, "devices", "hardware.type", "laptop"),
    Subject(Kind.VERSION, "devices", "collector.version", "v24.10"),
    Subject(Kind.IP, "devices", "collector.local_ip", "10.0.0.7"),
    Subject(Kind.STRINGS, "devices", "tags", '"vip"'),
    Subject(Kind.OBJECTS, "devices", "antiviruses", '"*Defender*"'),
)
OPERATORS = ("==", "!=", "<", ">", "<=", ">=", "in", "!in", "contains", "!contains")
BEYOND = ("between", "like", "starts with", "ends with", "matches")
SIGNS = ("+", "-", "*", "/", "^")
TEXTS = ("like", "starts with", "ends with", "matches", "contains", "!contains")
NUMBERS = {
    Kind.INT: ("number_of_freezes", "2"),
    Kind.FLOAT: ("(number_of_freezes / 2)", "2.5"),
    Kind.DURATION: ("cpu_time", "1h"),
    Kind.BYTES: ("incoming_traffic", "1GB"),
}


def comparisons() -> str:
    """Every type beside every operator."""
    rows = []
    for subject in SUBJECTS:
        own = [_outcome(subject, operator) for operator in (*OPERATORS, "null")]
        rows.append([link(code(subject.kind.value), "values.md", subject.kind.value), *own])
    return table(["type", *(code(operator) for operator in (*OPERATORS, "= null"))], rows)


def beyond() -> str:
    """Every type beside the operators that are ours."""
    rows = [[code(subject.kind.value), *(_outcome(subject, operator) for operator in BEYOND)] for subject in SUBJECTS]
    return table(["type", *map(code, BEYOND)], rows)


def arithmetic() -> str:
    """The type that each operator gives over each pair of types."""
    rows = [
        [f"{code(left.value)} {code(sign)}", *(_result(left, sign, right) for right in NUMBERS)]
        for left in NUMBERS
        for sign in SIGNS
    ]
    return table(["", *(code(kind.value) for kind in NUMBERS)], rows)


def condition(subject: Subject, operator: str) -> str:
    """A condition with the operator; `null` asks for null."""
    literal = '"a*"' if operator in TEXTS else subject.literal
    match operator:
        case "matches":
            return f'{subject.path} matches "^a"'
        case "null":
            return f"{subject.path} = null"
        case "in" | "!in":
            return f"{subject.path} {operator} [{literal}]"
        case "between":
            return f"{subject.path} between {literal} and {literal}"
    return f"{subject.path} {operator} {literal}"


def _outcome(subject: Subject, operator: str) -> str:
    text = f"{subject.rows} | where {condition(subject, operator)}"
    try:
        compile_query(text, builtin())
    except QueryError as error:
        return error.diagnostics[0].code
    if operator in BEYOND:
        return "yes"
    try:
        compile_query(text, builtin(), rules=STRICT)
    except QueryError:
        return "ours"
    return "yes"


def _result(left: Kind, sign: str, right: Kind) -> str:
    text = f"execution.events past 2h | list x = {NUMBERS[left][0]} {sign} {NUMBERS[right][0]}"
    try:
        (output,) = compile_query(text, builtin()).plan.outputs
    except QueryError as error:
        return error.diagnostics[0].code
    return code(output.dtype.kind.value)
