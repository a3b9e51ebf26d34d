"""Who fills which table is told truly: as the collectors declare it, as the code of the portal writes it.

Comes in: the catalog, the collectors, the portal's sources. Goes out: nothing. Invariant held here: the reference
cannot say that a table is filled which is not.
"""

import ast

import pytest

from agent.collectors.registry import collectors
from muster.estate.coverage import PORTAL, filled_by, sources
from nql.catalog.load import builtin
from tests.architecture.project import ROOT

WRITES = ("storage/control", "portal/agents", "portal/relay.py")  # what puts rows of the portal's own into tables


def test_every_table_has_an_answer() -> None:
    assert set(sources()) == set(builtin().tables)
    assert all(filled_by(name) for name in builtin().tables)


def test_collectors_are_named_where_they_say_they_write() -> None:
    declared = {table for collector in collectors("") for table in collector.tables}
    assert {name for name, found in sources().items() if found.collectors} == declared
    assert all(builtin().tables[name].writer == "agent" for name in declared)


def test_the_portal_is_named_where_its_code_writes() -> None:
    texts = set()
    for place in WRITES:
        path = ROOT / place
        for file in [path] if path.is_file() else path.rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            texts |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in TABLES}
    assert texts == PORTAL


TABLES = set(builtin().tables)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("user.users", "the agent (collectors users and executions)"),
        ("device.devices", "the agent (collector inventory) and the portal"),
        ("remote_action.executions", "the portal"),
        ("remote_action.#<nql_id>.executions", "the portal"),
        ("ticket.tickets", "imports from other systems"),
        ("web.page_views", "no collector yet, only imports"),
        ("campaign.#<nql_id>.responses", "the portal"),
        ("custom_trend.#<nql_id>.snapshots", "no part of the portal yet, only imports"),
    ],
)
def test_it_is_said_in_words(table: str, words: str) -> None:
    assert filled_by(table) == words


def test_a_table_that_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled_by("device.printers")
