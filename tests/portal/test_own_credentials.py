"""A credential of the API `muster` at our own interface: one pair of secrets for a program that needs everything.

Comes in: a portal of its own. Goes out: nothing. Invariants held here: its rights are those of its account now; what
belongs to the account itself it does not change; a credential of other APIs is told that it is not for this one.
"""

from __future__ import annotations

import pytest

from tests.portal.conftest import API, SECOND, House, Play
from tests.portal.modern.scenes import client

pytestmark = pytest.mark.slow


def test_a_credential_opens_our_own_interface_too(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program("ann", ("query", "execute"))
        tool = await client(house, ann, allow=["muster", "nql"])
        other = await client(house, ann, allow=["nql"])
        assert (await tool.get(f"{API}/session")).json()["account"]["name"] == "ann"
        assert (await tool.post(f"{API}/query", json={"text": "devices | list name"})).status_code == 200
        refused = await other.get(f"{API}/session")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        for method, path, body in (
            ("POST", "/tokens", {"name": "mine"}),
            ("POST", "/credentials", {"name": "more", "allow": ["act"]}),
            ("DELETE", "/session", None),
        ):
            answer = await tool.request(method, API + path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), path
        house.portal.control.accounts.set_permissions("ann", ("execute",), by="portal", now=house.time.now)
        assert (await tool.post(f"{API}/query", json={"text": "devices | list name"})).status_code == 403
        house.time.now += 901 * SECOND
        assert (await tool.get(f"{API}/session")).status_code == 401

    play(scene)


def test_a_revoked_credential_opens_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        tool = await client(house, ann, allow=["muster"], name="tool")
        assert (await tool.get(f"{API}/runs")).status_code == 200
        assert (await ann.delete(f"{API}/credentials/tool")).status_code == 204
        assert (await tool.get(f"{API}/runs")).status_code == 401

    play(scene)
