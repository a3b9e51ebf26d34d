"""The manifest of an action comes back as it was given, so that what is read can be saved again.

Comes in: a running portal. Goes out: nothing.
"""

from __future__ import annotations

from typing import Any

from tests.portal.conftest import API, MANIFEST, House, Play

MORE: dict[str, Any] = {
    "origin": "library",
    "run_as": "service",
    "service": "backup",
    "secrets": ["token"],
    "idempotent": True,
    "campaigns": [{"nql_id": "#ask", "title": "?", "questions": [{"label": "l", "text": "t", "kind": "rating"}]}],
    "simulate": {"outputs": {"files": {"range": [1, 9]}}},
}


def test_a_manifest_comes_back(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for manifest in (MANIFEST, MANIFEST | MORE):
            defined = (await client.post(f"{API}/actions", json=manifest)).json()["action"]
            for nql_id in ("clear_cache", "%23clear_cache"):
                answer = await client.get(f"{API}/actions/{nql_id}/manifest")
                said = answer.json()
                assert answer.status_code == 200
                assert {name: said[name] for name in manifest if name not in ("inputs", "outputs", "campaigns")} == {
                    name: value for name, value in manifest.items() if name not in ("inputs", "outputs", "campaigns")
                }
            again = (await client.post(f"{API}/actions", json=said)).json()["action"]
            assert again == defined
        assert [entry.action for entry in house.portal.control.audit.latest(subject="action:#clear_cache")] == [
            "action.saved",
            "action.saved",
        ]
        assert (await client.get(f"{API}/actions/nowhere/manifest")).status_code == 404

    play(scene)


def test_new_parts_change_no_version_that_does_not_use_them(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        plain = (await client.post(f"{API}/actions", json=MANIFEST)).json()["action"]
        nothing = {"secrets": [], "campaigns": [], "idempotent": False, "service": None}
        same = (await client.post(f"{API}/actions", json=MANIFEST | nothing)).json()["action"]
        assert (same["version"], same["number"]) == (plain["version"], 1)
        other = (await client.post(f"{API}/actions", json=MANIFEST | {"idempotent": True})).json()["action"]
        assert other["number"] == 2

    play(scene)
