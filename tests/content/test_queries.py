"""The starter queries: each can be asked, says what it is, and gives no cause for a warning.

Comes in: `content/queries`. Goes out: nothing.
"""

from __future__ import annotations

import pytest

from muster.content import folder
from muster.content.items import Item
from nql.api import diagnose
from nql.catalog.load import builtin
from tests.architecture.project import ROOT

QUERIES = [item for item in folder.read(ROOT / "content") if item.kind == "query"]


@pytest.mark.parametrize("item", QUERIES, ids=lambda item: item.nql_id)
def test_it_can_be_asked(item: Item) -> None:
    assert diagnose(item.body["text"], builtin()) == ()
    assert item.body["name"] != item.nql_id.removeprefix("#")
    assert item.body["description"].endswith(".")


def test_there_are_some() -> None:
    assert len(QUERIES) >= 3
