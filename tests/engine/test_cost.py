"""The cost of a plan before it runs: rows by table and window, bytes by what is read of them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.cost import Cost, Grain, cost
from engine.lazyframe.told import told
from nql import api as nql
from nql.catalog.load import builtin
from nql.plan.plan import ResolvedPlan

NOW = 1_767_264_000_000_000
HOUR = 3_600_000_000
CATALOG = builtin()


@dataclass(frozen=True)
class Amount:
    rows: int


class Tables:
    """A hundred rows an hour of everything with a window, ten of everything else; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Amount:
        self.asked.append(table)
        return Amount(10 if start is None or end is None else 100 * (end - start) // HOUR)

    def stated(self, table: str, grain: Grain, *, start: int, end: int) -> int:
        return (end - start) // HOUR


def plan(text: str) -> ResolvedPlan:
    return nql.resolve(nql.compile_query(text, CATALOG).plan, nql.Context(NOW, "UTC", "UTC", {}))


def test_a_longer_window_costs_more() -> None:
    short, long = (cost(plan(f"execution.crashes during past {n}h | list time"), Tables()) for n in (2, 20))
    assert short == Cost(200, 200 * 16)
    assert (long.rows, long.bytes) == (10 * short.rows, 10 * short.bytes)


def test_more_columns_are_more_bytes_of_the_same_rows() -> None:
    one, two = (
        cost(plan(f"execution.events during past 2h | list {columns}"), Tables())
        for columns in ("cpu_time", "cpu_time, bucket_duration")
    )
    assert one.rows == two.rows == 200
    assert one.bytes < two.bytes


def test_linked_objects_count() -> None:
    tables = Tables()
    found = cost(plan("execution.crashes during past 2h | list time, device.name, device.entity"), tables)
    assert tables.asked == ["execution.crashes", "device.devices"]
    assert found.rows == 210


def test_tables_that_are_joined_count() -> None:
    text = "devices | with execution.crashes during past 3h | compute n = number_of_crashes.sum() | list name, n"
    assert cost(plan(text), Tables()).rows >= 300


def test_what_states_stand_for_counts_as_these() -> None:
    by_hour = plan("execution.crashes during past 20h | summarize n = number_of_crashes.sum() by 1h")
    assert cost(by_hour, Tables()).rows == 2000
    assert cost(by_hour, Tables(), told(by_hour.relation)).rows == 20
    shown = plan("execution.crashes during past 20h | list time")
    assert cost(shown, Tables(), told(shown.relation)) == cost(shown, Tables())


def test_daily_samples_are_counted_where_these_are_read() -> None:
    days, hours = (plan(f"execution.events past {window} | list cpu_time") for window in ("2d", "48h"))
    assert cost(hours, Tables()).rows == 4800
    assert cost(days, Tables()).rows < 72
