"""The plan of each query in `snapshots/` is the one that stands below it.

A file holds queries, each followed by its plan text after a line of dashes; records are parted by a line of equals
signs. After a meant change: `NQL_WRITE_SNAPSHOTS=1 pytest tests/plans`, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nql.api import compile_query
from nql.catalog.load import builtin
from nql.catalog.model import Catalog, executions_of
from nql.datatypes import BOOLEAN, SIZE
from nql.plan.text import show

FOLDER = Path(__file__).parent / "snapshots"
BETWEEN = "\n====\n\n"
UNDER = "\n----\n"


def catalog() -> Catalog:
    """The shipped catalog with one action."""
    return builtin().overlay([executions_of(builtin(), "clean", {"freed": SIZE, "ok": BOOLEAN}, ["mode"])], "clean")


def records(path: Path) -> list[tuple[str, str]]:
    """Queries with their plans."""
    found = []
    for record in path.read_text("utf-8").split(BETWEEN):
        query, _, plan = record.partition(UNDER)
        found.append((query.strip(), plan.strip()))
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.plans")), ids=lambda path: path.stem)
def test_plans(path: Path) -> None:
    current = [(query, show(compile_query(query, catalog()).plan).strip()) for query, _ in records(path)]
    if os.environ.get("NQL_WRITE_SNAPSHOTS"):
        path.write_text(BETWEEN.join(f"{query}{UNDER}{plan}\n" for query, plan in current), "utf-8")
    assert current == records(path)


def test_there_are_snapshots() -> None:
    assert sum(len(records(path)) for path in FOLDER.glob("*.plans")) >= 40
