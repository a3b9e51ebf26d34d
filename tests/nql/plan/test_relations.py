"""A relation's schema: what it takes over from its input, and what it adds."""

from nql.datatypes import INT, STRING
from nql.plan.expressions import Column, Compare, Literal
from nql.plan.relations import Attach, Extend, Filter, Limit, Measure, Relation, Scan, ScanColumn


def scan(*names: str) -> Scan:
    return Scan("a.b", tuple(ScanColumn(name, INT, name) for name in names))


def test_a_schema_that_does_not_change_is_the_same_object_however_deep() -> None:
    below = scan("x")
    relation: Relation = below
    for _ in range(50):
        relation = Limit(Filter(relation, Compare("==", Column("x", INT), Literal(1, INT))), 10)
    assert relation.schema is below.schema


def test_what_is_added_or_replaced_leaves_the_input_alone() -> None:
    below = scan("@id", "x")
    extended = Extend(below, (("x", Literal("a", STRING)), ("y", Literal("b", STRING))))
    attached = Attach(below, scan("@a"), "@a", (Measure("n", "rows", None, INT),), keep_all=True)
    assert dict(extended.schema) == {"@id": INT, "x": STRING, "y": STRING}
    assert dict(attached.schema) == {"@id": INT, "x": INT, "n": INT}
    assert dict(below.schema) == {"@id": INT, "x": INT}


def test_measures_of_one_value_differ_by_name_alone() -> None:
    one, other = Measure("a", "rows", None, INT), Measure("b", "rows", None, INT)
    kept = Measure("a", "rows", None, INT, Compare("==", Column("x", INT), Literal(1, INT)))
    assert one != other
    assert one.value == other.value
    assert one.value != kept.value
