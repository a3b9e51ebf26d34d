"""The function table: names, ranks, and measures that cannot be built wrong."""

from __future__ import annotations

import pytest

from nql.api import compile_query, diagnose
from nql.catalog.load import builtin
from nql.datatypes import FLOAT, INT, STRING
from nql.extensions import EXTENSIONS
from nql.functions import FUNCTIONS, MEASURES, function_named, percentile_rank
from nql.plan.expressions import Column
from nql.plan.plan import Plan
from nql.plan.relations import Extend, Measure, Relation, inputs
from nql.plan.text import show
from nql.rules import DEFAULT, STRICT, Rules

N = Column("n", INT)


def plan(text: str) -> Plan:
    """The plan of a text."""
    return compile_query(text, builtin()).plan


def test_every_percentile_from_1_to_99_is_a_function() -> None:
    for rank in range(1, 100):
        function = function_named(f"p{rank:02}")
        assert function is not None
        assert function.name == f"p{rank:02}"
        assert bool(function.extension) == (rank not in (5, 95))


@pytest.mark.parametrize("name", ["p00", "p100", "p5", "p", "pp5", "p0a", "p05 ", "P05", "summe"])
def test_other_names_are_none(name: str) -> None:
    assert function_named(name) is None
    assert percentile_rank(name) is None


def test_extensions_of_functions_are_known() -> None:
    assert {function.extension for function in FUNCTIONS.values()} - {""} <= set(EXTENSIONS)


def test_every_example_compiles() -> None:
    for function in FUNCTIONS.values():
        assert compile_query(function.example, builtin()).plan.outputs, function.name


@pytest.mark.parametrize(
    ("function", "given"),
    [
        ("p05", {"operand": N}),
        ("rows", {"operand": N}),
        ("sum", {"operand": None}),
        ("last", {"operand": N}),
        ("first", {"operand": N}),
        ("sum", {"operand": N, "order": ("t",)}),
        ("percentile", {"operand": N}),
        ("median", {"operand": N, "rank": 50}),
        ("percentile", {"operand": N, "rank": 0}),
        ("percentile", {"operand": N, "rank": 100}),
        ("avg", {"operand": N, "weight": N}),
        ("median", {"operand": N, "weight": Column("w", FLOAT)}),
        ("median", {"operand": N, "weight": Column("w", STRING)}),
    ],
)
def test_a_measure_that_means_nothing_cannot_be_built(function: str, given: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Measure("m", function, dtype=INT, **given)  # type: ignore[arg-type]


def test_a_weight_is_read_and_shown() -> None:
    found = plan("device_performance.events past 24h | summarize p = free_memory.p95(), m = free_memory.median()")
    measures = [measure for node in _nodes(found.relation) for measure in getattr(node, "measures", ())]
    assert [measure.reads() for measure in measures] == [{"free_memory.sum", "free_memory.count"}] * 2
    text = show(found)
    mean = "(`free_memory.sum` / `free_memory.count`)"
    assert f"`p` = percentile(95% of {mean}) weighed by `free_memory.count`" in text
    assert f"`m` = median({mean}) weighed by `free_memory.count`" in text


def test_first_says_earliest_and_last_latest() -> None:
    text = show(plan("session.logins past 24h | summarize a = logon_type.first(), b = logon_type.last()"))
    assert "`a` = first(`logon_type`) earliest by time, @row" in text
    assert "`b` = last(`logon_type`) latest by time, @row" in text


def test_the_same_measure_is_computed_once() -> None:
    found = plan("session.logins past 24h | summarize a = count(), b = count() * 2, c = count() + user.count()")
    measures = [measure for node in _nodes(found.relation) for measure in getattr(node, "measures", ())]
    assert [measure.function for measure in measures].count("rows") == 1


def test_counts_are_those_that_give_zero_for_nothing() -> None:
    assert {name for name, item in MEASURES.items() if item.empty == 0} == {"rows", "count", "distinct", "total"}
    assert Measure("m", "rows", None, INT).counts
    assert not Measure("m", "sum", N, INT).counts


@pytest.mark.parametrize(("rules", "offered"), [(DEFAULT, True), (STRICT, False)])
def test_the_way_out_names_what_the_rules_allow(rules: Rules, offered: bool) -> None:
    (found,) = diagnose("devices | summarize a = last_seen.avg()", builtin(), rules)
    assert "max()" in found.hint
    assert ("median()" in found.hint) == offered


def _nodes(relation: Relation) -> list[Relation]:
    below = [node for child in inputs(relation) for node in _nodes(child)]
    return [relation, *below] if not isinstance(relation, Extend) else below
