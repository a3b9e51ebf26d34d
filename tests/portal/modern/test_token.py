"""Tokens of other people's clients: how they come by one, what it is worth, and when it is worth nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.portal.conftest import API, SECOND, House, Play
from tests.portal.modern.scenes import GRANT, TOKEN, client, credential, token

pytestmark = pytest.mark.slow
LEGACY = "/api/v1/token"
OURS = ("/oauth2/", "/api/v1/", "/api/v2/")
LIST = "/api/v1/act/remote-action"


def test_both_paths_and_both_forms(play: Play) -> None:
    async def scene(house: House) -> None:
        identifier, secret = pair = await credential(house)
        anybody = await house.client()
        inside = {**GRANT, "client_id": identifier, "client_secret": secret}
        ways: list[dict[str, Any]] = [
            {"data": GRANT, "auth": pair},
            {"data": {"grant_type": "client_credentials"}, "auth": pair},
            {"data": inside},
        ]
        for path in (TOKEN, LEGACY):
            for way in ways:
                answer = await anybody.post(path, **way)
                assert answer.status_code == 200, answer.text
                said = answer.json()
                assert (said["token_type"], said["expires_in"], said["scope"]) == ("Bearer", 900, "service:integration")
                bearer = {"Authorization": f"Bearer {said['access_token']}"}
                assert (await anybody.get(LIST, headers=bearer)).json() == []

    play(scene)


def test_what_gives_no_token(play: Play) -> None:
    async def scene(house: House) -> None:
        identifier, secret = pair = await credential(house)
        anybody = await house.client()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        basic = {"Authorization": "Basic " + base64.b64encode(f"{identifier}:{secret}".encode()).decode()}
        cases: list[tuple[int, str, dict[str, Any]]] = [
            (401, "invalid_client", {"data": GRANT}),
            (401, "invalid_client", {"data": GRANT, "auth": (identifier, "x")}),
            (401, "invalid_client", {"data": GRANT, "auth": ("x", secret)}),
            (401, "invalid_client", {"data": GRANT, "headers": {"Authorization": "Basic ?"}}),
            (401, "invalid_client", {"data": GRANT, "headers": {"Authorization": f"Bearer {secret}"}}),
            (400, "invalid_request", {"data": {"scope": "service:integration"}, "auth": pair}),
            (400, "unsupported_grant_type", {"data": {"grant_type": "password"}, "auth": pair}),
            (400, "invalid_scope", {"data": {**GRANT, "scope": "admin"}, "auth": pair}),
            (400, "invalid_request", {"json": GRANT, "auth": pair}),
            (400, "invalid_request", {"content": b"\xff\xff", "headers": {**form, **basic}}),
            (400, "invalid_request", {"content": b"grant_type=a&grant_type=b", "headers": {**form, **basic}}),
            (400, "invalid_request", {"content": b"a=" + b"x" * 9000, "headers": {**form, **basic}}),
            (400, "invalid_request", {"content": b"a=1&" * 100, "headers": {**form, **basic}}),
        ]
        for status, code, asked in cases:
            answer = await anybody.post(TOKEN, **asked)
            assert (answer.status_code, answer.json()["error"]) == (status, code), (asked, answer.text)
            assert secret not in answer.text
        assert (await anybody.get(TOKEN)).status_code == 405

    play(scene)


def test_guessing_is_slowed_down(play: Play) -> None:
    async def scene(house: House) -> None:
        identifier, secret = await credential(house)
        anybody = await house.client()
        for _ in range(11):
            assert (await anybody.post(TOKEN, data=GRANT, auth=(identifier, "x"))).status_code == 401
        refused = await anybody.post(TOKEN, data=GRANT, auth=(identifier, secret))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        house.time.now += SECOND
        assert (await anybody.post(TOKEN, data=GRANT, auth=(identifier, secret))).status_code == 200

    play(scene)


def test_a_token_is_worth_what_its_credential_is_now(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        ours = await client(house, ann, name="one")
        assert (await ours.get(LIST)).status_code == 200
        assert (await ann.delete(f"{API}/credentials/one")).status_code == 204
        refused = await ours.get(LIST)
        assert (refused.status_code, refused.content) == (401, b"")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        timed = await client(house, ann, name="two", expires_in=600)
        house.time.now += 600 * SECOND
        assert (await timed.get(LIST)).status_code == 401
        held = await client(house, ann, name="three")
        house.time.now += 899 * SECOND
        assert (await held.get(LIST)).status_code == 200
        house.time.now += SECOND
        assert (await held.get(LIST)).status_code == 401

    play(scene)


def test_rights_are_those_of_the_account_within_the_credential(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        narrow = await client(house, ann, allow=["nql"])
        refused = await narrow.get(LIST)
        assert (refused.status_code, refused.json()["code"]) == (403, "NO_PERMISSION")
        house.account("bob", ("query",))
        bobs = await client(house, ann, account="bob", allow=["act"])
        assert (await bobs.get(LIST)).status_code == 200
        refused = await bobs.post("/api/v1/act/execute", json={})
        assert (refused.status_code, refused.json()["code"]) == (403, "NO_PERMISSION")
        house.portal.control.accounts.disable("bob", by="portal", now=house.time.now)
        assert (await bobs.get(LIST)).status_code == 401
        log = (await ann.get(f"{API}/audit")).json()["entries"]
        assert [entry["subject"] for entry in log if entry["actor"] == "account:bob"] == [
            "route:POST /api/v1/act/execute"
        ]

    play(scene)


def test_a_token_cannot_be_made_or_changed(play: Play) -> None:
    async def scene(house: House) -> None:
        pair = await credential(house)
        held = await token(house, pair)
        header, claims, mac = held.split(".")
        told = json.loads(base64.urlsafe_b64decode(header + "=="))
        none = base64.urlsafe_b64encode(json.dumps({**told, "alg": "none"}).encode()).rstrip(b"=").decode()
        later = json.loads(base64.urlsafe_b64decode(claims + "=="))
        longer = base64.urlsafe_b64encode(json.dumps({**later, "exp": later["exp"] + 1}).encode()).rstrip(b"=").decode()
        anybody = await house.client()
        for bad in (
            f"{none}.{claims}.", f"{none}.{claims}.{mac}", f"{header}.{longer}.{mac}", f"{header}.{claims}.", "..",
            f"{held}.", held[:-2], "a.b.c", "x" * 5000, "é.é.é",
        ):  # fmt: skip
            answer = await anybody.get(LIST, headers=[(b"Authorization", f"Bearer {bad}".encode("latin-1"))])
            assert answer.status_code == 401, bad
        house.portal.keys.rotate(lambda key: None)
        assert (await anybody.get(LIST, headers={"Authorization": f"Bearer {held}"})).status_code == 200

    play(scene)


def test_credentials_are_ones_own(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        bob = await house.program("bob", ("query",))
        for body, status in (
            ({"name": "a"}, 422),
            ({"name": "a", "role": "r", "allow": ["nql"]}, 422),
            ({"name": "a", "role": "r"}, 403),
            ({"name": "a", "allow": ["nql"], "account": "ann"}, 403),
            ({"name": "a", "allow": ["everything"]}, 400),
            ({"name": "a", "allow": []}, 400),
        ):
            assert (await bob.post(f"{API}/credentials", json=body)).status_code == status, body
        await credential(house, bob, name="bobs")
        await credential(house, ann, name="anns")
        assert [one["name"] for one in (await bob.get(f"{API}/credentials")).json()["credentials"]] == ["bobs"]
        assert [one["name"] for one in (await ann.get(f"{API}/credentials")).json()["credentials"]] == ["anns", "bobs"]
        assert (await bob.delete(f"{API}/credentials/anns")).status_code == 404
        assert (await bob.post(f"{API}/credentials/anns/rotate", json={})).status_code == 404
        assert (await bob.patch(f"{API}/credentials/bobs", json={"limits": {}})).status_code == 403
        limits = {"limits": {"nql_per_second": 20}}
        changed = await ann.patch(f"{API}/credentials/bobs", json=limits)
        assert changed.json()["credential"]["limits"] == limits["limits"]
        again = await bob.post(f"{API}/credentials/bobs/rotate", json={"keep": 0})
        one = again.json()["credential"]
        assert await token(house, (one["id"], again.json()["secret"]))
        assert (await bob.delete(f"{API}/credentials/bobs")).status_code == 204

    play(scene)
