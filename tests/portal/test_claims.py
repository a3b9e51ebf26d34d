"""Which fields decide a target though only the devices themselves say them.

Comes in: targeting queries. Goes out: the names. Invariant: what is merely shown is not named, nor what the portal
decides, and whatever could let a device join or leave as it likes is.
"""

from __future__ import annotations

import pytest

from nql import api as nql
from nql.catalog.load import builtin
from portal.queries.claims import claims

NAME, OS = "device.name", "device.operating_system.name"
CASES: list[tuple[str, list[str]]] = [
    ("devices", []),
    ("devices | list name, operating_system.name", []),
    ("devices | sort name asc", []),
    ('devices | where entity == "Lyon" and days_since_last_seen < 30', []),
    ('devices | where uid == "x"', []),
    ('devices | where name == "pc" | list uid', [NAME]),
    ('devices | where entity == "Lyon" or operating_system.name == "Windows"', [OS]),
    ("devices | sort name asc | limit 5", [NAME]),
    ("devices | limit 5", []),
    ("devices during past 7d", ["device_performance.events"]),
    ("devices | with execution.crashes during past 7d", ["execution.crashes"]),
    (
        'devices | with execution.crashes during past 7d | where binary.name == "x"',
        ["binary.name", "execution.crashes"],
    ),
    ("devices | include execution.crashes during past 7d | compute n = count()", []),
    (
        "devices | include execution.crashes during past 7d | compute n = count() | where n > 3",
        ["execution.crashes"],
    ),
    (
        "devices | include device_performance.events during past 7d | compute m = free_memory.avg() | where m < 1GB",
        ["device_performance.event.free_memory", "device_performance.events"],
    ),
    (
        "devices | with remote_action.executions during past 7d | where status == success",
        ["remote_action.execution.status"],
    ),
    ("devices | with device.presences during past 7d | where status == connected", []),
]


@pytest.mark.parametrize(("text", "named"), CASES)
def test_what_a_target_rests_on(text: str, named: list[str]) -> None:
    catalog = builtin()
    compiled = nql.compile_query(text, catalog, area=nql.Area.TARGETING, devices=True)
    assert list(claims(compiled.plan, catalog)) == named
