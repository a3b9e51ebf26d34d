"""Saved queries are kept, changed, found and removed over HTTP; what cannot be asked is not kept.

Comes in: a running portal. Goes out: nothing.
"""

from __future__ import annotations

import pytest

from tests.portal.conftest import API, House, Play

TEXT = "devices during past 7d\n| list name, hardware.model"
BODY = {"name": "Models", "description": "What there is.\nBy device.", "text": TEXT}


def test_a_query_is_kept(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        assert (await client.get(f"{API}/saved-queries")).json() == {"queries": []}
        answer = await client.put(f"{API}/saved-queries/models", json=BODY)
        assert answer.status_code == 200
        kept = answer.json()["query"]
        assert kept == BODY | {"nql_id": "#models", "updated_at": kept["updated_at"], "updated_by": "ann"}
        assert (await client.get(f"{API}/saved-queries/%23models")).json() == {"query": kept}
        assert (await client.get(f"{API}/saved-queries")).json() == {"queries": [kept]}
        [entry] = house.portal.control.audit.latest(subject="saved_query:#models")
        assert (entry.actor, entry.action) == ("account:ann", "saved_query.saved")

    play(scene)


def test_saving_the_same_again_writes_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        first = (await client.put(f"{API}/saved-queries/models", json=BODY)).json()
        house.time.now += 1_000_000
        assert (await client.put(f"{API}/saved-queries/models", json=BODY | {"text": f"\n{TEXT}\n"})).json() == first
        changed = (await client.put(f"{API}/saved-queries/models", json=BODY | {"name": "Other"})).json()
        assert changed["query"]["name"] == "Other"
        assert changed["query"]["updated_at"] > first["query"]["updated_at"]
        assert len(house.portal.control.audit.latest(subject="saved_query:#models")) == 2

    play(scene)


def test_a_query_is_removed(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        await client.put(f"{API}/saved-queries/models", json=BODY)
        assert (await client.delete(f"{API}/saved-queries/models")).status_code == 204
        assert (await client.delete(f"{API}/saved-queries/models")).status_code == 404
        assert (await client.get(f"{API}/saved-queries/models")).json()["error"]["code"] == "unknown_saved_query"
        assert [e.action for e in house.portal.control.audit.latest(subject="saved_query:#models")] == [
            "saved_query.deleted",
            "saved_query.saved",
        ]

    play(scene)


@pytest.mark.parametrize(
    ("name", "changes", "status", "code"),
    [
        ("models", {"text": "devices | lst name"}, 400, "query"),
        ("models", {"text": "nothing_at_all"}, 400, "query"),
        ("models", {"text": " "}, 422, "bad_saved_query"),
        ("models", {"name": " "}, 422, "bad_saved_query"),
        ("models", {"text": "x" * 20_001}, 400, "bad_request"),
        ("Models", {}, 404, "unknown_saved_query"),
        ("m", {}, 404, "unknown_saved_query"),
    ],
)
def test_what_is_not_kept(play: Play, name: str, changes: dict[str, str], status: int, code: str) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        answer = await client.put(f"{API}/saved-queries/{name}", json=BODY | changes)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert house.portal.control.saved_queries.everything() == []

    play(scene)
