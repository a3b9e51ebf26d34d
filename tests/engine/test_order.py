"""Where a query asks for no order, its rows get one."""

from engine.order import ordered
from nql.datatypes import INT, STRING
from nql.plan.expressions import Column, IsNull
from nql.plan.relations import Aggregate, Filter, Limit, Measure, Relation, Scan, ScanColumn, Select, Sort, SortKey
from nql.plan.windows import Absolute, Precision

NAME = Column("name", STRING)
OBJECTS = Scan("device.devices", (ScanColumn("name", STRING, "name"),))
EVENTS = Scan("session.logins", (), Absolute(0, 1, Precision.CLOCK, "UTC"), "time")
COUNT = Measure("n", "rows", None, INT)


def keys(relation: Relation) -> list[str]:
    """The columns of the topmost sort."""
    assert isinstance(relation, Sort)
    return [key.column.name for key in relation.keys]


def test_objects_come_by_their_id_which_the_scan_then_delivers() -> None:
    assert keys(ordered(OBJECTS)) == ["@id"]
    assert "@id" in ordered(OBJECTS).schema


def test_events_come_in_order_of_arrival() -> None:
    assert keys(ordered(EVENTS)) == ["@row"]


def test_groups_come_by_their_keys() -> None:
    assert keys(ordered(Aggregate(OBJECTS, ("name",), (COUNT,)))) == ["name"]


def test_one_row_needs_no_order() -> None:
    total = Aggregate(OBJECTS, (), (COUNT,))
    assert ordered(total) == total


def test_a_sort_is_kept_and_nothing_is_put_on_it() -> None:
    sort = Sort(OBJECTS, (SortKey(NAME),))
    for relation in (sort, Limit(sort, 3), Select(sort, ("name",)), Filter(Limit(sort, 3), IsNull(NAME))):
        assert ordered(relation) == relation


def test_a_limit_without_order_takes_the_first_rows() -> None:
    limited = ordered(Limit(OBJECTS, 2))
    assert isinstance(limited, Limit)
    assert keys(limited.input) == ["@id"]


def test_a_limit_inside_gets_its_order_below_a_grouping() -> None:
    grouped = ordered(Aggregate(Limit(OBJECTS, 2), (), (COUNT,)))
    assert isinstance(grouped, Aggregate)
    assert isinstance(grouped.input, Limit)
    assert keys(grouped.input.input) == ["@id"]


def test_a_selection_is_sorted_before_it_loses_the_key() -> None:
    selected = ordered(Select(OBJECTS, ("name",)))
    assert isinstance(selected, Select)
    assert keys(selected.input) == ["@id"]
