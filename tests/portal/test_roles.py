"""Roles, credentials and passwords over HTTP: what is taken, what is refused, and what ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.portal.conftest import API, BASE, MANIFEST, PASSWORD, SECOND, House, Play

ROLE = {"permissions": ["query"], "actions": None, "domain": None}
NEW = "another long password"


def test_a_role_from_its_making_to_its_end(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        await ann.post(f"{API}/actions", json=MANIFEST)
        role = f"{API}/roles/Lyon desk"
        wanted = {"permissions": ["execute", "query"], "actions": ["#clear_cache"], "domain": 'entity == "Lyon"'}
        made = await ann.put(role, json=wanted)
        assert made.status_code == 200
        said = made.json()["role"]
        assert {name: said[name] for name in wanted} == wanted
        assert (said["name"], said["accounts"], said["updated_by"]) == ("Lyon desk", 0, "ann")
        new = {"name": "lou", "password": PASSWORD, "role": "lyon desk"}
        lou = (await ann.post(f"{API}/accounts", json=new)).json()
        assert (lou["role"], lou["bounded"], lou["actions"]) == ("Lyon desk", True, ["#clear_cache"])
        assert lou["permissions"] == ["execute", "query"]
        assert (await ann.get(role)).json()["role"]["accounts"] == 1
        refused = await ann.delete(role)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "role_in_use")
        cleared = await ann.patch(f"{API}/accounts/LOU", json={"role": None, "permissions": ["manage"]})
        assert (cleared.json()["role"], cleared.json()["permissions"]) == (None, ["manage"])
        assert (await ann.delete(role)).status_code == 204
        assert (await ann.get(role)).status_code == 404

    play(scene)


@pytest.mark.parametrize(
    ("name", "change", "status", "code"),
    [
        ("x", {"permissions": ["fly"]}, 400, "bad_request"),
        ("x", {"actions": ["#nothing"]}, 422, "unknown_action"),
        ("x", {"actions": ["no id"]}, 400, "bad_request"),
        ("x", {"domain": "entty == 3"}, 400, "query"),
        ("x", {"domain": 'entity == "a" | limit 1'}, 400, "query"),
        ("x", {"domain": ""}, 400, "bad_request"),
        ("x", {"domain": 'name == "' + "a" * 4000 + '"'}, 400, "bad_request"),
        ("x", {"domain": 'entity == "a"', "permissions": ["administer"]}, 422, "unbounded_permission"),
        ("x", {"surprise": 1}, 400, "bad_request"),
        ("-x", {}, 422, "bad_name"),
        ("a  b", {}, 422, "bad_name"),
        ("x" * 65, {}, 422, "bad_name"),
    ],
)
def test_what_is_no_role(play: Play, name: str, change: dict[str, Any], status: int, code: str) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        answer = await ann.put(f"{API}/roles/{name}", json=ROLE | change)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
        assert (await ann.get(f"{API}/roles")).json() == {"roles": []}

    play(scene)


def test_nobody_locks_out_the_last_administrator(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        await ann.put(f"{API}/roles/reader", json=ROLE)
        for change in ({"role": "reader"}, {"permissions": ["query"]}):
            answer = await ann.patch(f"{API}/accounts/ann", json=change)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "last_administrator")
        house.account("bob")
        assert (await ann.patch(f"{API}/accounts/ann", json={"role": "reader"})).status_code == 200
        assert (await ann.get(f"{API}/roles")).status_code == 403

    play(scene)


def test_one_changes_ones_password(play: Play) -> None:
    async def scene(house: House) -> None:
        browser, other = await house.browser(), await house.browser()
        path = f"{API}/session/password"
        for _ in range(6):
            answer = await browser.post(path, json={"current": "wrong", "password": NEW})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_password")
        assert (await browser.post(path, json={"current": PASSWORD, "password": NEW})).status_code == 429
        house.time.now += 2 * SECOND
        assert (await browser.post(path, json={"current": PASSWORD, "password": "short"})).status_code == 400
        assert (await browser.post(path, json={"current": PASSWORD, "password": NEW})).status_code == 204
        for client in (browser, other):
            assert (await client.get(f"{API}/session")).status_code == 401
        fresh = await house.client(Origin=BASE)
        for password, status in ((PASSWORD, 401), (NEW, 200)):
            body = {"name": "ann", "password": password}
            assert (await fresh.post(f"{API}/session", json=body)).status_code == status

    play(scene)


def test_an_administrator_gives_a_password(play: Play) -> None:
    async def scene(house: House) -> None:
        ann, bob = await house.program(), await house.browser("bob", ("query",))
        body = {"password": NEW}
        assert (await bob.post(f"{API}/accounts/ann/password", json=body)).status_code == 403
        assert (await ann.post(f"{API}/accounts/bob/password", json=body)).status_code == 204
        assert (await bob.get(f"{API}/session")).status_code == 401
        assert (await ann.post(f"{API}/accounts/nobody/password", json=body)).status_code == 404
        log = await ann.get(f"{API}/audit", params={"subject": "account:bob"})
        assert NEW not in log.text
        assert log.json()["entries"][0]["action"] == "account.password_changed"

    play(scene)


def test_a_credential(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        await ann.put(f"{API}/roles/reader", json=ROLE)
        ask = {"name": "etl", "role": "reader", "expires_in": 3600}
        made = await ann.post(f"{API}/credentials", json=ask)
        assert made.status_code == 201
        secret = made.json()["secret"]
        program = await house.client(Authorization=f"Bearer {secret}")
        assert (await program.post(f"{API}/query", json={"text": "devices"})).status_code == 200
        assert (await program.post(f"{API}/tokens", json={"name": "more"})).status_code == 422
        own = {"current": "-", "password": NEW}
        assert (await program.post(f"{API}/session/password", json=own)).status_code == 403
        assert (await ann.post(f"{API}/accounts/etl/password", json={"password": NEW})).status_code == 404
        guess = await (await house.client()).post(f"{API}/session", json={"name": "etl", "password": "-"})
        assert guess.status_code == 401
        listed = await ann.get(f"{API}/credentials")
        assert secret not in listed.text
        assert [one["name"] for one in listed.json()["credentials"]] == ["etl"]
        assert (await ann.post(f"{API}/credentials", json=ask)).status_code == 409
        for bad in ({"expires_in": 1}, {"role": "nothing"}, {"name": "a b"}):
            assert (await ann.post(f"{API}/credentials", json=ask | {"name": "new"} | bad)).status_code in (400, 404)
        house.time.now += 3600 * SECOND
        assert (await program.get(f"{API}/session")).status_code == 401
        await ann.post(f"{API}/credentials", json={"name": "other", "role": "reader"})
        assert (await ann.delete(f"{API}/accounts/other")).status_code == 204
        ended = {one["name"]: one["revoked_at"] for one in (await ann.get(f"{API}/credentials")).json()["credentials"]}
        assert ended["etl"] is None
        assert ended["other"] is not None
        assert (await ann.delete(f"{API}/credentials/etl")).status_code == 204
        assert (await ann.delete(f"{API}/credentials/etl")).status_code == 404

    play(scene)
