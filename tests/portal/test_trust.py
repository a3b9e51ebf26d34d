"""Authors and signatures over the routes, and what a draft may not.

Comes in: a portal without devices, people and programs. Goes out: answers and the audit log. Invariant: what makes an
action run on devices is a signature that was made outside the portal.
"""

from __future__ import annotations

import base64
from typing import Any

import httpx

from agent import statements
from tests.authors import Signer
from tests.portal.conftest import API, MANIFEST, NOW, House, Play


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def said(signer: Signer, action: dict[str, Any], serial: int = NOW) -> dict[str, Any]:
    signature = signer.signature(action["nql_id"], action["version"], serial)
    return {
        "version": action["version"], "author": text(signer.public), "serial": serial, "signature": text(signature),
    }  # fmt: skip


async def known(client: httpx.AsyncClient, signer: Signer) -> str:
    answer = await client.post(f"{API}/authors", json={"name": signer.name, "key": text(signer.public)})
    assert answer.status_code == 201, answer.text
    identifier: str = answer.json()["author"]["fingerprint"]
    return identifier


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_draft_runs_only_where_it_is_asked_for(play: Play) -> None:
    async def scene(house: House) -> None:
        client, signer, uid = await house.program(), Signer("ann"), house.enrol().uid
        await house.settle()
        action = (await client.post(f"{API}/actions", json=MANIFEST)).json()["action"]
        assert (action["draft"], action["signed_by"]) == (True, [])
        run = {"action": "#clear_cache", "target": {"devices": [uid]}}
        assert code(await client.post(f"{API}/runs", json=run)) == (422, "draft")
        assert (await client.post(f"{API}/runs", json=run | {"allow_draft": True})).status_code == 201
        author = await known(client, signer)
        path = f"{API}/actions/clear_cache/signatures"
        assert (await client.post(path, json=said(signer, action))).status_code == 201
        shown = (await client.get(f"{API}/actions/clear_cache")).json()["action"]
        assert (shown["draft"], shown["signed_by"]) == (False, ["ann"])
        assert (await client.post(f"{API}/runs", json=run)).status_code == 201
        found = (await client.get(path)).json()
        assert (found["draft"], [one["author"] for one in found["signatures"]]) == (False, ["ann"])
        changed = MANIFEST | {"timeout": 99}
        assert (await client.post(f"{API}/actions", json=changed)).json()["action"]["draft"]
        assert code(await client.post(f"{API}/runs", json=run)) == (422, "draft")
        await client.post(f"{API}/actions", json=MANIFEST)
        assert (await client.delete(f"{API}/authors/{author}")).status_code == 204
        assert code(await client.post(f"{API}/runs", json=run)) == (422, "draft")

    play(scene)


def test_what_is_no_signature_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        client, signer, other = await house.program(), Signer(), Signer("other")
        action = (await client.post(f"{API}/actions", json=MANIFEST)).json()["action"]
        path = f"{API}/actions/clear_cache/signatures"
        assert code(await client.post(path, json=said(signer, action))) == (422, "unknown_author")
        await known(client, signer)
        right = said(signer, action)
        for change, status, why in (
            ({"serial": NOW + 1}, 422, "bad_signature"),
            ({"signature": text(bytes(64))}, 422, "bad_signature"),
            ({"author": text(other.public)}, 422, "unknown_author"),
            ({"version": "0" * 64}, 404, "unknown_version"),
            ({"signature": "x"}, 400, "bad_request"),
            ({"serial": 0}, 400, "bad_request"),
            ({"author": text(bytes(31))}, 400, "bad_request"),
        ):
            assert code(await client.post(path, json=right | change)) == (status, why), change
        assert (await client.get(path)).json()["draft"]
        assert (await client.get(f"{API}/actions/unknown_one/signatures")).status_code == 404

    play(scene)


def test_authors_are_added_vouched_for_and_removed(play: Play) -> None:
    async def scene(house: House) -> None:
        client, ann, ben = await house.program(), Signer("ann"), Signer("ben")
        first, second = await known(client, ann), await known(client, ben)
        signature = ann.key.sign(statements.endorsement_bytes(ben.public))
        asked = {"by": text(ann.public), "signature": text(signature)}
        path = f"{API}/authors/{second}/endorsement"
        assert code(await client.post(path, json=asked | {"signature": text(bytes(64))})) == (422, "bad_signature")
        assert code(await client.post(path, json=asked | {"by": text(bytes(32))})) == (404, "unknown_author")
        assert (await client.post(path, json=asked)).json()["author"]["endorsed_by"] == first
        await client.delete(f"{API}/authors/{first}")
        listed = sorted((await client.get(f"{API}/authors")).json()["authors"], key=lambda one: str(one["name"]))
        assert [(one["name"], one["removed_at"] is None) for one in listed] == [("ann", False), ("ben", True)]
        again = await client.post(f"{API}/authors", json={"name": "ann", "key": text(ann.public)})
        assert code(again) == (422, "removed_author")
        bad = await client.post(f"{API}/authors", json={"name": "a\u001b[31mb", "key": text(bytes(32))})
        assert code(bad) == (400, "bad_request")
        log = [entry["action"] for entry in (await client.get(f"{API}/audit")).json()["entries"]]
        log = [action for action in log if action.startswith("author.")]
        assert log[:4] == ["author.removed", "author.endorsed", "author.added", "author.added"]

    play(scene)
