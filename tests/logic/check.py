"""Runs one record in every way that must not matter, and compares the answers with what it expects.

In: a record. Out: nothing, or `MismatchError` with a diff that says which way differs. The ways: Polars as in
production; Polars with optimizations off and on its other engine; DuckDB through SQL; Polars over shuffled rows in two
pieces, and over tables cut into memory, segments, sorted days and stored states as chance has it; and, for a third of
the records, both engines with rows outside a view domain added. Invariant: rows are compared as written cells, so that
a difference in type shows as much as one in value; floats agree to nine digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zlib import crc32

import pyarrow as pa

from engine.execute import Engine, finish, fitting, run
from engine.result import Result, ResultColumn
from engine.rewrites import restrict
from nql.api import Area, Context, compile_domain, compile_query, resolve
from nql.datatypes import BYTES, DataType, Kind
from nql.diagnostics import Diagnostic, QueryError, render
from nql.nxql.api import compile_nxql
from nql.plan.plan import ResolvedPlan
from nql.plan.text import show
from nql.rules import NullRule, Rules
from tests.logic.cut_source import CutSource
from tests.logic.duck import duck_rows
from tests.logic.fixture import NULL, Fixture, instant, load, value_of
from tests.logic.outside import DOMAIN, outside, sees_all
from tests.logic.records import Expected, Finding, Record

KINDS = {kind.value: kind for kind in Kind}
MICROSECOND = timedelta(microseconds=1)


class MismatchError(AssertionError):
    """A record whose answer differs from what it expects."""


def check(record: Record, *, every_way: bool = True) -> None:
    """Run a record, in every way or as in production alone. Raises MismatchError."""
    fixture = fixture_of(record.settings)
    try:
        plan, warnings = _compiled(record, fixture)
    except QueryError as error:
        _check_findings(record, error.diagnostics)
        if record.expected is not None:
            raise MismatchError(f"rows expected, but\n{render(record.query, error.diagnostics)}") from None
        return
    _check_findings(record, warnings)
    if record.expected is None:
        if any(finding.severity == "error" for finding in record.findings):
            raise MismatchError("an error is expected, but the query runs")
        return
    limit = int(record.settings["limit"]) if "limit" in record.settings else None
    for way, result in islice(answers(plan, fixture, limit), None if every_way else 1):
        _compare(way, record.expected, result)
    if every_way and crc32(record.name.encode()) % 3 == 0:
        _check_domain(record.expected, plan, fixture, limit)


def answers(plan: ResolvedPlan, fixture: Fixture, limit: int | None = None) -> Iterator[tuple[str, Result]]:
    """The answer to a plan in each way, with the way's name."""
    source = fixture.source()
    other: Engine = "in-memory" if fitting(plan) == "streaming" else "streaming"
    yield "Polars", run(plan, source, limit=limit)
    yield "Polars, not optimized", run(plan, source, limit=limit, optimized=False, engine=other)
    yield "DuckDB", finish(plan, duck_rows(plan, source), source, limit=limit)
    yield "shuffled and split", run(plan, source.disturbed(seed=7), limit=limit)
    seed = crc32(show(plan).encode())
    yield f"cut by {seed}", run(plan, CutSource(source, fixture.catalog, fixture.instance_zone, seed), limit=limit)


def _check_domain(expected: Expected, plan: ResolvedPlan, fixture: Fixture, limit: int | None) -> None:
    """Rows outside the view domain change nothing; if the domain leaves out no row of the fixture, the answer is the
    one that is expected."""
    context = Context(fixture.now, fixture.instance_zone, fixture.instance_zone, {})
    bound = restrict(plan, resolve(compile_domain(DOMAIN, fixture.catalog), context), fixture.catalog)
    alone = written(run(bound, fixture.source(), limit=limit))
    source = outside(fixture)
    for way, result in (
        ("Polars, outside added", run(bound, source, limit=limit)),
        ("DuckDB, outside added", finish(bound, duck_rows(bound, source), source, limit=limit)),
    ):
        if sees_all(plan, fixture):
            _compare(way, expected, result)
        elif Counter(written(result)) != Counter(alone):
            raise MismatchError(f"{way}: differs from the fixture alone{_shown(alone)}\n{_shown(written(result))}")


def fixture_of(settings: Mapping[str, str]) -> Fixture:
    """The fixture of a record, under its settings."""
    fixture = load(settings["fixture"])
    return replace(
        fixture,
        now=instant(settings["now"]) if "now" in settings else fixture.now,
        user_zone=settings.get("user zone", fixture.user_zone),
        instance_zone=settings.get("instance zone", fixture.instance_zone),
    )


def _compiled(record: Record, fixture: Fixture) -> tuple[ResolvedPlan, tuple[Diagnostic, ...]]:
    settings = record.settings
    if "language" in settings:
        return _classic(record, fixture)
    area = Area[settings["area"].upper()] if "area" in settings else Area.INVESTIGATION
    devices = settings.get("devices") == "true"
    compiled = compile_query(record.query, fixture.catalog, area=area, devices=devices, rules=rules_of(settings))
    return resolve(compiled.plan, context_of(settings, fixture)), compiled.warnings


def context_of(settings: Mapping[str, str], fixture: Fixture) -> Context:
    """The instant, zones and parameters of a record."""
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key.startswith("parameter "):
            listed = [item.strip() for item in text[1:-1].split(",") if item.strip()]
            values[key.split(" ")[1]] = listed if text.startswith("[") else text
    return Context(fixture.now, fixture.instance_zone, fixture.user_zone, values)


def _classic(record: Record, fixture: Fixture) -> tuple[ResolvedPlan, tuple[Diagnostic, ...]]:
    """A record in NXQL; `parameter p1: x` gives `%1`."""
    if record.settings["language"] != "nxql":
        raise ValueError(f"the other language is nxql, not {record.settings['language']}")
    given = {key.split(" p")[1]: text for key, text in record.settings.items() if key.startswith("parameter p")}
    parameters = [given[str(number)] for number in range(1, len(given) + 1)]
    platforms = [name.strip() for name in record.settings.get("platforms", "").split(",") if name.strip()]
    compiled = compile_nxql(record.query, fixture.catalog, parameters=parameters, platforms=platforms)
    context = Context(fixture.now, fixture.instance_zone, fixture.user_zone, {})
    return resolve(compiled.plan, context), compiled.warnings


def rules_of(settings: Mapping[str, str]) -> Rules:
    """The rules a record sets. Raises ValueError for a word that is none."""
    strict = settings.get("strict", "no")
    if strict not in ("nexthink", "no"):
        raise ValueError(f"strict is nexthink or no, not {strict}")
    return Rules(strict == "nexthink", NullRule(settings.get("nulls", "split")), int(settings.get("kilo", "1024")))


def _check_findings(record: Record, diagnostics: tuple[Diagnostic, ...]) -> None:
    found = [_finding(record.query, diagnostic) for diagnostic in diagnostics]
    expected = list(record.findings)
    missing = [wanted for wanted in expected if not any(_same(wanted, actual) for actual in found)]
    extra = [actual for actual in found if not any(_same(wanted, actual) for wanted in expected)]
    if missing or extra:
        wanted = "".join(f"\n  - {item.severity} {item.code} at {item.text!r}" for item in missing)
        actual = f"\n{render(record.query, diagnostics)}" if diagnostics else " none"
        raise MismatchError(f"diagnostics differ{wanted}\nfound:{actual}")


def _finding(query: str, diagnostic: Diagnostic) -> Finding:
    span = query[diagnostic.span.start : diagnostic.span.end]
    return Finding(diagnostic.severity.value, diagnostic.code, " ".join(span.split()))


def _same(wanted: Finding, actual: Finding) -> bool:
    text = wanted.text is None or wanted.text == actual.text
    return text and (wanted.severity, wanted.code) == (actual.severity, actual.code)


def _compare(way: str, expected: Expected, result: Result) -> None:
    header = tuple(f"{column.name} {type_name(column.dtype)}" for column in result.columns)
    actual = written(result)
    if header != expected.header:
        raise MismatchError(
            f"{way}: columns differ\n- {' | '.join(expected.header)}\n+ {' | '.join(header)}{_shown(actual)}"
        )
    wanted = [tuple(map(_normal, row, result.columns)) for row in expected.rows]
    if wanted == actual or (not expected.ordered and Counter(wanted) == Counter(actual)):
        return
    missing, extra = Counter(wanted) - Counter(actual), Counter(actual) - Counter(wanted)
    lines = [f"- {' | '.join(row)}" for row in missing.elements()] + [
        f"+ {' | '.join(row)}" for row in extra.elements()
    ]
    what = "rows differ" if lines else "the order of rows differs"
    raise MismatchError("\n".join([f"{way}: {what}", *lines]) + _shown(actual))


def _shown(rows: list[tuple[str, ...]]) -> str:
    return "\nfound rows:" + "".join(f"\n  {' | '.join(row)}" for row in rows[:50])


def type_name(dtype: DataType) -> str:
    """A type as headers write it: its kind, `real` behind averages of bytes and durations."""
    return f"{dtype.kind.value} real" if dtype.real else dtype.kind.value


def written(result: Result) -> list[tuple[str, ...]]:
    """The rows of a result as cells."""
    columns = [column.cast(_plain(column.type)).to_pylist() for column in result.table.columns]
    cells = [
        [cell(value, meta.dtype) for value in values] for values, meta in zip(columns, result.columns, strict=True)
    ]
    return list(zip(*cells, strict=True))


def _plain(dtype: pa.DataType) -> pa.DataType:
    """Times and durations as whole microseconds."""
    return pa.int64() if pa.types.is_timestamp(dtype) or pa.types.is_duration(dtype) else dtype


def cell(value: Any, dtype: DataType) -> str:
    """A physical value as a cell."""
    if value is None:
        return NULL
    match dtype.kind:
        case Kind.BOOLEAN:
            return "true" if value else "false"
        case Kind.DATETIME:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + value * MICROSECOND
            return str(moment.isoformat().replace("+00:00", "Z"))
        case Kind.DURATION:
            return f"{value / 1_000_000:.10g}s"
        case Kind.BYTES:
            unit = next(name for name, size in reversed(BYTES.items()) if abs(value) >= size or size == 1)
            return f"{value / BYTES[unit]:.9g}{unit}"
        case Kind.STRINGS:
            return f"[{', '.join(value)}]"
        case _:
            return f"{value:.9g}" if isinstance(value, float) else str(value)


def _normal(text: str, column: ResultColumn) -> str:
    """An expected cell in the same writing as a found one."""
    dtype = column.dtype
    if text == NULL or dtype.kind in (Kind.IP, Kind.MAP, Kind.ENUM, Kind.OBJECTS):
        return text
    value = value_of(text, dtype)
    if dtype.kind is Kind.DURATION:
        value = round(value)
    return cell(value, dtype)
