"""Nothing in the catalog is empty: every table has rows, every column values, every enumeration all its members.

Comes in: an estate of some hundred devices, made once. Goes out: nothing. Invariant held here: a query over any table,
field or enum member of the catalog finds something, or it says here why it cannot.
"""

from collections.abc import Iterator, Mapping

import polars as pl
import pytest

from muster.estate.devices import devices
from muster.estate.load import planned
from nql.catalog.load import builtin
from nql.catalog.model import StoredColumn, Table, TableKind
from tests.muster.estate.conftest import DEVICES, NOW, Tables

pytestmark = pytest.mark.slow
CATALOG = builtin()
STORED = {table.name: table for table in CATALOG.tables.values() if "<" not in table.name}
BY_THE_STORE = {"@id", "@row", "first_seen", "last_seen"}  # the last two are looked at in test_configured

EMPTY: Mapping[str, str] = {}  # table.column: why no row has a value
OPEN_RUN = "only final executions are stored; open ones are in the portal's control database"
IN_THE_HOUSE = "virtual desktops stand in the company's data centres"
UNSEEN: Mapping[str, tuple[set[str], str]] = {  # table.column: members that do not occur, and why
    "device.presences.reason": ({"revoked", "cloned"}, "no device of the estate was revoked or copied"),
    "device.presences.status": ({"connected"}, "what is open is in the portal's control database"),
    "remote_action.executions.status": ({"in_progress", "waiting_on_device", "waiting_on_user"}, OPEN_RUN),
    "remote_action.executions_summary.status": ({"in_progress", "waiting_on_device", "waiting_on_user"}, OPEN_RUN),
    "remote_action.remote_actions.origin": ({"custom"}, "the estate ran the starter actions, which every portal has"),
    "session.connects.context.location.type": ({"Remote"}, IN_THE_HOUSE),
    "session.disconnects.context.location.type": ({"Remote"}, IN_THE_HOUSE),
    "session.vdi_events.context.location.type": ({"Remote"}, IN_THE_HOUSE),
}
CONSTANT: Mapping[str, str] = {  # table.column: why all its values are the same
    "alert.alerts.number_of_alerts": "one row an alert",
    "device.presences.status": "see UNSEEN",
    "device.devices.simulated": "that is what they are",
    "device.devices.site": "one portal serves them all",
    "device_performance.boots.number_of_boots": "one row a boot",
    "device_performance.hard_resets.number_of_hard_resets": "one row a reset",
    "device_performance.system_crashes.context.device_platform": "blue screens are of Windows",
    "device_performance.system_crashes.number_of_system_crashes": "one row a crash",
    "execution.crashes.number_of_crashes": "one row a crash",
    "remote_action.executions.number_of_executions": "one row an execution",
    "remote_action.remote_actions.origin": "see UNSEEN",
    "session.connects.context.device_platform": "virtual desktops run Windows",
    "session.connects.context.location.type": IN_THE_HOUSE,
    "session.disconnects.context.device_platform": "virtual desktops run Windows",
    "session.disconnects.context.location.type": IN_THE_HOUSE,
    "session.logins.number_of_logins": "one row a login",
    "session.vdi_events.context.device_platform": "virtual desktops run Windows",
    "session.vdi_events.context.location.type": IN_THE_HOUSE,
    "workflow.executions.number_of_executions": "one row an execution",
}
SUMMARIES_AND_WEEKS = "bucket_duration"  # the same in every row of tables with buckets of a day or a week
CONTEXT = [column.name for column in STORED["execution.events"].stored() if column.name.startswith("context.")]


def columns(table: Table) -> Iterator[tuple[str, StoredColumn]]:
    """The columns that the estate has to fill, with their names in the lists of exceptions."""
    for column in table.stored():
        if column.name not in BY_THE_STORE:
            yield f"{table.name}.{column.name}", column


def values(rows: pl.DataFrame, column: StoredColumn) -> pl.Series:
    """What a column holds: no nulls, and no empty lists."""
    held = rows[column.name].drop_nulls()
    return held.filter(held.list.len() > 0) if isinstance(held.dtype, pl.List) else held


def test_every_table_of_the_catalog_comes_and_no_other(tables: Tables) -> None:
    assert set(tables) == set(STORED)
    assert [name for name, rows in tables.items() if rows.is_empty()] == []


@pytest.mark.parametrize("name", sorted(STORED))
def test_every_column_has_values(tables: Tables, name: str) -> None:
    rows = tables[name]
    empty = {
        known for known, column in columns(STORED[name]) if column.name not in rows or values(rows, column).is_empty()
    }
    assert empty == {known for known in EMPTY if known.rpartition(".")[0].startswith(name)}


def test_every_member_of_an_enumeration_occurs(tables: Tables) -> None:
    more = devices(planned(2 * DEVICES, 1, 1, NOW))  # seven kinds of virtual desktops take some devices to be seen
    unseen: dict[str, set[str]] = {}
    for name, table in STORED.items():
        for known, column in columns(table):
            rows = more if name == "device.devices" else tables[name]
            missing = set(column.dtype.members) - set(values(rows, column)) if column.dtype.members else set()
            if missing:
                unseen[known] = missing
    assert unseen == {known: missing for known, (missing, _) in UNSEEN.items()}


def test_what_one_could_group_by_differs(tables: Tables) -> None:
    """A column that holds one value only answers nothing."""
    constant = set()
    for name, table in STORED.items():
        for known, column in columns(table):
            held = values(tables[name], column)
            if held.dtype in (pl.String, pl.Int64, pl.Float64, pl.Boolean) and held.n_unique() == 1:
                constant.add(known)
    assert {known for known in constant if not known.endswith(SUMMARIES_AND_WEEKS)} == set(CONSTANT)


def test_events_with_a_context_tell_all_of_it(tables: Tables) -> None:
    assert len(CONTEXT) == 6
    for name, table in STORED.items():
        if table.context:
            assert sum(tables[name][column].null_count() for column in CONTEXT) == 0, name


def test_every_link_leads_to_an_object(tables: Tables) -> None:
    """No event names a user, binary, page or campaign that has no row of its own."""
    links = [(name, link, target) for name, table in STORED.items() for link, target in table.links.items()]
    assert len(links) > 80
    for name, link, target in links:
        named = tables[name].filter(pl.col(f"@{link}").is_not_null())
        assert named.height > 0, f"{name} names no {link}"
        own = [part for part in STORED[target].key if part.startswith("@")]
        text = next(part for part in STORED[target].key if not part.startswith("@"))
        known = tables[target].select(*own, pl.col(text).alias(f"@{link}"))
        assert named.join(known, on=[*own, f"@{link}"], how="anti").is_empty(), f"{name}.{link}"


def test_every_kind_of_object_is_named_by_some_event(tables: Tables) -> None:
    linked = {target for table in STORED.values() for target in table.links.values()}
    alone = {name for name, table in STORED.items() if table.kind is TableKind.OBJECT and not table.links} - linked
    assert alone == {"device.mobile_devices", "session.vdi_sessions"}
