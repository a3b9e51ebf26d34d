"""Values made of values of the same make, many deep: what an engine is handed grows in step, and never doubles.

In: columns that nest one form in itself. Invariant: the field is named as often as the text names it, in Polars and in
SQL alike; where a form named its operand twice, a short query would keep an engine busy for hours.
"""

from __future__ import annotations

import pytest
from sqlglot import exp

from engine.lazyframe.exprs import expression as in_polars
from engine.sql.exprs import expression as in_sql
from nql.api import Context, compile_query, resolve
from nql.catalog.load import builtin
from nql.plan.expressions import Column, Expr, children
from nql.plan.relations import Extend, Relation, inputs

DEPTH = 24
FORMS = {
    "division": "hardware.memory" + " / 2" * DEPTH,
    "division by": "(1 / " * DEPTH + "hardware.memory" + ")" * DEPTH,
    "power": "(2 ^ " * DEPTH + "hardware.memory" + ")" * DEPTH,
    "round": "hardware.memory" + ".round(1)" * DEPTH,
    "abs": "hardware.memory" + ".abs()" * DEPTH,
    "default": "hardware.memory" + ".default(0)" * DEPTH,
    "default of parts": "hardware.memory" + ".abs().default(0)" * DEPTH,
    "texts": "name" + ".lower().upper()" * DEPTH,
    "contains": "if(" * DEPTH + "name" + ' !contains "a", "x", "y")' * DEPTH,
    "in": "if(" * DEPTH + "name" + ' not in ["a", "b"], "x", "y")' * DEPTH,
    "matches": "if(" * DEPTH + "name" + ' not matches "a", "x", "y")' * DEPTH,
    "unequal": "if(" * DEPTH + "name" + ' != "a", "x", "y")' * DEPTH,
}


def computed(relation: Relation) -> list[Expr]:
    """Every column that a plan computes."""
    own = [expr for _, expr in relation.items] if isinstance(relation, Extend) else []
    return [*own, *(expr for below in inputs(relation) for expr in computed(below))]


def named(expr: Expr) -> int:
    """How often columns are named in an expression."""
    return isinstance(expr, Column) + sum(map(named, children(expr)))


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_a_nested_form_names_its_field_once(text: str) -> None:
    plan = compile_query(f"devices | list a = {text}", builtin()).plan
    (expr,) = computed(resolve(plan, Context(1_731_320_775_000_000, "UTC", "UTC")).relation)
    assert named(expr) == 1
    assert len(in_polars(expr).meta.root_names()) == 1
    assert len(list(in_sql(expr).find_all(exp.Column))) == 1
