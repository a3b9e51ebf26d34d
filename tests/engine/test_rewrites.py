"""The view domain in plans: what each table shows to somebody who sees some devices, on both engines."""

from __future__ import annotations

import pytest

from engine.execute import finish, run
from engine.rewrites import DEVICES, is_defined, restrict, witness_of
from nql.api import Context, compile_domain, compile_query, resolve
from nql.catalog.load import builtin
from nql.catalog.model import TableKind
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import Scan, scans
from tests.logic.check import written
from tests.logic.duck import duck_rows
from tests.logic.fixture import Fixture, parse

HOUSE = parse("""
now: 2024-11-11T12:00:00Z
user zone: UTC
instance zone: UTC

table device.devices
     | uid | name | entity
d1   | u1  | a    | Lyon
d2   | u2  | b    | Bern
d3   | u3  | c    | ∅

table user.users
     | uid | name
amy  | x1  | amy
ben  | x2  | ben
cyd  | x3  | cyd

table session.events
    | @device | @user | start_time           | end_time             | bucket_duration
s1  | d1      | amy   | 2024-11-11T10:00:00Z | 2024-11-11T10:05:00Z | 300s
s2  | d2      | ben   | 2024-11-11T10:00:00Z | 2024-11-11T10:05:00Z | 300s
s3  | d2      | amy   | 2024-11-11T11:00:00Z | 2024-11-11T11:05:00Z | 300s
s4  | ∅       | cyd   | 2024-11-11T10:00:00Z | 2024-11-11T10:05:00Z | 300s

table session.logins
    | @device | @user | time
l1  | d1      | amy   | 2024-11-11T10:00:00Z
l2  | d2      | ben   | 2024-11-11T10:00:00Z
l3  | d2      | amy   | 2024-11-11T10:00:00Z
l4  | ∅       | cyd   | 2024-11-11T10:00:00Z

table device.disks
    | @device | name
k1  | d1      | sda
k2  | d2      | sdb

table remote_action.remote_actions
    | nql_id | name
r1  | #go    | Go

table ticket.tickets
     | time                 | id
t1   | 2024-11-11T10:00:00Z | one
""")
LYON, NOT_BERN, NOBODY = 'entity == "Lyon"', 'entity != "Bern"', 'entity == "Oslo"'


def bounded(text: str, domain: str, fixture: Fixture = HOUSE) -> ResolvedPlan:
    context = Context(fixture.now, "UTC", "UTC", {})
    plan = resolve(compile_query(text, fixture.catalog, devices=True).plan, context)
    bound = restrict(plan, resolve(compile_domain(domain, fixture.catalog), context), fixture.catalog)
    assert (bound.outputs, bound.device, bound.window) == (plan.outputs, plan.device, plan.window)
    return bound


def answer(text: str, domain: str) -> list[tuple[str, ...]]:
    plan, source = bounded(text, domain), HOUSE.source()
    rows = written(run(plan, source))
    assert sorted(rows) == sorted(written(finish(plan, duck_rows(plan, source), source)))
    return rows


CASES = [
    ("devices | list name", LYON, [("a",)]),
    ("devices | list name", NOT_BERN, [("a",), ("c",)]),
    ("devices | list name", NOBODY, []),
    ("devices | summarize n = count()", LYON, [("1",)]),
    ("devices | sort name desc | limit 1 | list name", LYON, [("a",)]),
    ("devices | include session.logins past 7d | compute n = count() | list name, n", LYON, [("a", "1")]),
    ("devices | with session.logins past 7d | list name", NOT_BERN, [("a",)]),
    ("session.logins past 7d | list device.name, user.name", LYON, [("a", "amy")]),
    ("session.logins past 7d | list device.name, user.name", NOT_BERN, [("a", "amy")]),
    ("session.logins past 7d | summarize n = count()", NOBODY, [("0",)]),
    ("session.logins past 7d | summarize n = user.count()", LYON, [("1",)]),
    ("users | list name", LYON, [("amy",)]),
    ("users | list name", 'entity == "Bern"', [("amy",), ("ben",)]),
    ("users | summarize n = count()", NOBODY, [("0",)]),
    ("users during past 60min | list name", LYON, []),
    ("users during past 60min | list name", 'entity == "Bern"', [("amy",)]),
    ("users | include session.logins past 7d | compute n = count() | list name, n", LYON, [("amy", "1")]),
    ("device.disks | list name", LYON, [("sda",)]),
    ("remote_action.remote_actions | list name", NOBODY, [("Go",)]),
    ("ticket.tickets past 7d | summarize n = count()", LYON, [("0",)]),
]


@pytest.mark.parametrize(("text", "domain", "rows"), CASES)
def test_what_is_shown(text: str, domain: str, rows: list[tuple[str, ...]]) -> None:
    assert answer(text, domain) == rows


def test_every_row_is_somebodys_without_a_domain() -> None:
    plan = resolve(compile_query("users | list name", HOUSE.catalog).plan, Context(HOUSE.now, "UTC", "UTC", {}))
    assert len(written(run(plan, HOUSE.source()))) == 3


def test_a_domain_is_a_condition_on_devices() -> None:
    context = Context(HOUSE.now, "UTC", "UTC", {})
    plan = resolve(compile_query("devices", HOUSE.catalog).plan, context)
    for text in ("devices", 'users | where name == "amy"', 'devices | where name == "a" | limit 1'):
        domain = resolve(compile_query(text, HOUSE.catalog).plan, context)
        with pytest.raises(TypeError):
            restrict(plan, domain, HOUSE.catalog)


def test_hidden_columns_do_not_meet_those_of_the_query() -> None:
    plan = bounded('devices | where entity != "x" | list entity, name', LYON)
    assert [name for name in plan.relation.schema if "domain" in name] == []
    [scan] = scans(plan.relation)
    assert isinstance(scan, Scan)
    assert len({column.name for column in scan.columns}) == len(scan.columns)


def test_of_every_table_it_is_known_what_is_shown() -> None:
    """A table that is new appears here, and nothing of it is shown before somebody has thought of it."""
    catalog = builtin()
    rest = [table for table in catalog.tables.values() if "device" not in table.links and table.name != DEVICES]
    assert {table.name for table in rest if is_defined(table)} == {
        "alert.monitors", "application.applications", "application.network_applications", "application.pages",
        "application.transactions", "application.guides", "application.guide_steps", "campaign.campaigns",
        "custom_trend.custom_trends", "remote_action.remote_actions", "workflow.workflows",
    }  # fmt: skip
    seen = {
        table.name: witness[0].name
        for table in rest
        if not is_defined(table) and (witness := witness_of(table, catalog)) is not None
    }
    assert seen == {
        "ai.tools": "ai.interactions_summary",
        "binary.binaries": "execution.events",
        "package.packages": "package.installed_packages",
        "user.users": "session.events",
    }
    hidden = {table.name for table in rest if not is_defined(table) and table.name not in seen}
    assert hidden == {
        "agent.conversations", "alert.alerts", "device.mobile_devices", "platform.audit_logs",
        "platform.custom_trends_logs", "platform.data_export_logs", "platform.inbound_connector_logs",
        "platform.nql_api_logs", "remote_action.executions_summary", "session.vdi_sessions", "ticket.tickets",
        "usage.account_actions", "web.page_views_summary", "workflow.executions_summary",
        "campaign.#<nql_id>.responses",
    }  # fmt: skip
    assert all(catalog.tables[name].kind is TableKind.OBJECT for name in seen)
