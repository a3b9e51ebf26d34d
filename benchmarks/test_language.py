"""What a query costs before its first row: read, mean, resolve and translate, each alone and all together.

The query of six lines joins, computes and lists; goal: under 1.5 ms median together, under 0.1 ms where the plan is
remembered. The worst case has 36 lines; goal: under 3 ms, reading it under 1.5 ms; it takes
3.7 ms (ADR 7). Loading the grammar costs at most 20 ms, a completion at most 20 ms. Importing is measured by itself, in
new processes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from engine.lazyframe.relations import translate
from engine.source import Source
from nql.api import Compiler, Context, complete, resolve
from nql.catalog.load import builtin
from nql.semantics.bind import bind
from nql.semantics.names import names_of
from nql.syntax import grammar
from nql.syntax.parse import _Builder, parse
from nql.syntax.reader import Reader, Reading
from tests.logic.fixture import load

SIX_LINES = """devices during past 7d
| include execution.crashes during past 24h
| where binary.name == "outlook.exe" and process_visibility == foreground
| compute crashes = count(), last_crash = time.last()
| where crashes > 0 and operating_system.platform == windows
| list name, crashes, last_crash.time_elapsed(), hardware.memory"""
JOINS = """| include execution.crashes during past 24h
| where binary.name == "outlook.exe" and process_visibility == foreground
| compute {0}_n = count(), {0}_t = time.last()
| where {0}_n > 0 or {0}_t = null"""
WORST = "\n".join(
    [
        "devices during past 7d",
        '| where operating_system.platform == windows and hardware.type in [laptop, desktop] and entity != "Boston"',
        *(JOINS.format(name) for name in ("a", "b", "c", "d", "e", "f", "g", "h")),
        "| list name, entity, a_n, b_n, c_n, d_n, e_n, f_n, g_n, h_n, a_t.time_elapsed(), hardware.memory",
        "| limit 100",
    ]
)
CONTEXT = Context(1_731_320_775_000_000, "America/New_York", "Europe/Zurich")


class Ready:
    """A source whose scans are there already, so that only the translation is measured."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._frames: dict[tuple[object, ...], pl.LazyFrame] = {}

    @property
    def complete_until(self) -> int:
        """As the source says."""
        return self._source.complete_until

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """The rows, fetched once."""
        key = (table, tuple(columns), start, end, daily)
        if key not in self._frames:
            self._frames[key] = self._source.scan(table, columns, start=start, end=end, daily=daily)
        return self._frames[key]


def test_read(benchmark: Any) -> None:
    query = benchmark(parse, SIX_LINES)
    assert len(query.clauses) == 5


def test_read_36_lines(benchmark: Any) -> None:
    query = benchmark(parse, WORST)
    assert len(query.clauses) == 35


def test_mean(benchmark: Any) -> None:
    query, names = parse(SIX_LINES), names_of(builtin())
    plan, _ = benchmark(bind, query, SIX_LINES, names)
    assert len(plan.outputs) == 4


def test_resolve(benchmark: Any) -> None:
    plan, _ = bind(parse(SIX_LINES), SIX_LINES, names_of(builtin()))
    assert benchmark(resolve, plan, CONTEXT).window is not None


def test_all_from_text_to_lazy_query(benchmark: Any) -> None:
    names, source = names_of(builtin()), Ready(load("spec").source())

    def everything() -> pl.LazyFrame:
        plan, _ = bind(parse(SIX_LINES), SIX_LINES, names)
        return translate(resolve(plan, CONTEXT), source)

    assert isinstance(benchmark(everything), pl.LazyFrame)


def test_all_of_36_lines(benchmark: Any) -> None:
    names, source = names_of(builtin()), Ready(load("spec").source())
    assert WORST.count("\n") == 35

    def everything() -> pl.LazyFrame:
        plan, _ = bind(parse(WORST), WORST, names)
        return translate(resolve(plan, CONTEXT), source)

    assert isinstance(benchmark(everything), pl.LazyFrame)


def test_36_lines_to_plan(benchmark: Any) -> None:
    names = names_of(builtin())
    plan, _ = benchmark(lambda: bind(parse(WORST), WORST, names))
    assert len(plan.outputs) == 12


def test_loading_the_grammar(benchmark: Any) -> None:
    grammar.write_table()
    made = benchmark(lambda: Reader(grammar.table(), _Builder()))
    assert Reading(made, "devices").result() == parse("devices")


def test_remembered_plan(benchmark: Any) -> None:
    compiler = Compiler()
    compiler.compile(SIX_LINES, builtin())
    assert benchmark(compiler.compile, SIX_LINES, builtin()).plan.table == "device.devices"


def test_completion(benchmark: Any) -> None:
    text = f"{SIX_LINES} | where "
    assert benchmark(complete, text, len(text), builtin()).items


@pytest.mark.parametrize("module", ["nql.api", "nql.syntax.parse"])
def test_first_reading_of_a_process(benchmark: Any, module: str) -> None:
    code = f"import {module}; from nql.syntax.parse import parse; parse('devices')"
    benchmark.pedantic(subprocess.run, ([sys.executable, "-c", code],), {"check": True}, rounds=3)
