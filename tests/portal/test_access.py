"""Sign-in, sessions, tokens, accounts and enrolment keys over HTTP."""

from __future__ import annotations

from portal.access.passwords import Passwords
from portal.access.throttle import LONGEST, MOST_KEYS, Throttle
from tests.portal.conftest import API, BASE, HOUR, NOW, PASSWORD, SECOND, House, Play


def test_sign_in_and_out(play: Play) -> None:
    async def scene(house: House) -> None:
        house.account()
        client = await house.client()
        answer = await client.post(f"{API}/session", json={"name": "ANN", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert all(part in cookie for part in ("muster=", "HttpOnly", "SameSite=strict", "Path=/"))
        assert "Secure" not in cookie
        said = (await client.get(f"{API}/session")).json()
        assert said["account"]["name"] == "ann"
        assert said["account"]["zone"] == "Europe/Zurich"
        client.headers["X-Muster-CSRF"] = said["csrf"]
        kept = f"muster={client.cookies['muster']}"
        assert (await client.delete(f"{API}/session")).status_code == 204
        assert "muster" not in client.cookies
        assert (await client.get(f"{API}/session", headers={"Cookie": kept})).status_code == 401

    play(scene)


def test_wrong_names_and_passwords_look_alike(play: Play) -> None:
    async def scene(house: House) -> None:
        house.account()
        client = await house.client()
        answers = [
            await client.post(f"{API}/session", json={"name": name, "password": password})
            for name, password in (("ann", "wrong"), ("nobody", PASSWORD), ("ann", ""), ("x\0", "y"))
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.text for answer in answers}) == 1
        assert not any("set-cookie" in answer.headers for answer in answers)

    play(scene)


def test_guessing_a_hash_is_dear() -> None:
    passwords = Passwords()
    stored = passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,")
    assert passwords.fits(PASSWORD, stored)


def test_guessing_is_slowed_down(play: Play) -> None:
    async def scene(house: House) -> None:
        house.account()
        client = await house.client()
        wrong = {"name": "ann", "password": "wrong"}
        codes = [(await client.post(f"{API}/session", json=wrong)).status_code for _ in range(8)]
        assert codes == [401] * 6 + [429] * 2
        refused = await client.post(f"{API}/session", json={"name": "ann", "password": PASSWORD})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        spoofed = await client.post(f"{API}/session", json=wrong, headers={"X-Forwarded-For": "10.1.2.3"})
        assert spoofed.status_code == 429
        house.time.now += SECOND
        good = await client.post(f"{API}/session", json={"name": "ann", "password": PASSWORD})
        assert good.status_code == 200

    play(scene)


def test_throttle() -> None:
    throttle = Throttle(free=2)
    waits = []
    for _ in range(16):
        throttle.failed("a", now=NOW)
        waits.append(throttle.wait("a", now=NOW) // SECOND)
    assert waits[:6] == [0, 0, 1, 2, 4, 8]
    assert waits[-1] == LONGEST // SECOND
    assert throttle.wait("b", now=NOW) == 0
    throttle.failed("a", now=NOW + 3 * LONGEST)
    assert throttle.wait("a", now=NOW + 3 * LONGEST) == 0
    throttle.failed("c", now=NOW)
    throttle.succeeded("c")
    for number in range(MOST_KEYS + 10):
        throttle.failed(str(number), now=NOW)
    assert len(throttle._failures) == MOST_KEYS


def test_sessions_end_by_time(play: Play) -> None:
    async def scene(house: House) -> None:
        browser = await house.browser()
        house.time.now += 12 * HOUR
        answer = await browser.get(f"{API}/session")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signed_out")

    play(scene)


def test_a_disabled_account_is_out(play: Play) -> None:
    async def scene(house: House) -> None:
        bob, program = await house.browser("bob"), await house.program("bob")
        ann = await house.program("ann")
        assert (await ann.delete(f"{API}/accounts/ann")).status_code == 422
        assert (await ann.delete(f"{API}/accounts/bob")).status_code == 204
        for client in (bob, program):
            assert (await client.get(f"{API}/session")).status_code == 401
        again = await bob.post(f"{API}/session", json={"name": "bob", "password": PASSWORD})
        assert again.status_code == 401
        assert (await ann.delete(f"{API}/accounts/nobody")).status_code == 404

    play(scene)


def test_tokens(play: Play) -> None:
    async def scene(house: House) -> None:
        browser = await house.browser()
        made = (await browser.post(f"{API}/tokens", json={"name": "ci"})).json()
        program = await house.client(Authorization=f"Bearer {made['secret']}")
        said = (await program.get(f"{API}/session")).json()
        assert (said["account"]["name"], said["csrf"]) == ("ann", "")
        listed = await browser.get(f"{API}/tokens")
        assert made["secret"] not in listed.text
        [token] = listed.json()["tokens"]
        assert (token["name"], token["used_at"], token["revoked_at"]) == ("ci", "2026-01-01T10:40:00Z", None)
        other = await house.browser("bob")
        assert (await other.delete(f"{API}/tokens/{token['id']}")).status_code == 404
        assert (await browser.delete(f"{API}/tokens/{token['id']}")).status_code == 204
        refused = await program.get(f"{API}/session")
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "bad_token")
        assert (await program.delete(f"{API}/session")).status_code == 401

    play(scene)


def test_bad_tokens(play: Play) -> None:
    forms = ("", "Bearer", "Bearer ", "Basic YTpi", "Bearer muster_x_y", "Bearer " + "x" * 5000, "bearer \u00e9")

    async def scene(house: House) -> None:
        client = await house.client()
        for form in forms:
            answer = await client.get(f"{API}/session", headers=[(b"Authorization", form.encode())])
            assert answer.status_code == 401, form

    play(scene)


def test_accounts(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        new = {"name": "carl", "password": "a long password", "permissions": ["query"], "zone": "UTC"}
        made = await ann.post(f"{API}/accounts", json=new)
        none = {"role": None, "bounded": False, "actions": None}
        assert (made.status_code, made.json()) == (
            201,
            {"name": "carl", "zone": "UTC", "permissions": ["query"], **none},
        )
        assert (await ann.post(f"{API}/accounts", json=new | {"name": "Carl"})).status_code == 409
        assert (await ann.post(f"{API}/accounts", json=new | {"name": "d", "zone": "../etc"})).status_code == 422
        assert (await ann.post(f"{API}/accounts", json=new | {"name": "d", "password": "short"})).status_code == 400
        assert (await ann.post(f"{API}/accounts", json=new | {"name": "d\n"})).status_code == 400
        assert [a["name"] for a in (await ann.get(f"{API}/accounts")).json()["accounts"]] == ["ann", "carl"]
        carl = await house.client(Origin=BASE)
        signed_in = await carl.post(f"{API}/session", json={"name": "carl", "password": "a long password"})
        assert signed_in.status_code == 200
        log = (await ann.get(f"{API}/audit", params={"subject": "account:carl"})).json()["entries"]
        assert [entry["action"] for entry in log] == ["session.opened", "account.created"]

    play(scene)


def test_enrolment_keys(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        made = (await ann.post(f"{API}/enrol-keys", json={"count": 2, "expires_in": 60})).json()
        assert (len(made["keys"]), made["expires_at"]) == (2, "2026-01-01T10:41:00Z")
        listed = await ann.get(f"{API}/enrol-keys")
        assert len(listed.json()["keys"]) == 2
        assert not any(key in listed.text for key in made["keys"])
        uids = ["019b7924-9800-7000-b70f-15371a9d89d4"]
        fixed = {"count": 1, "simulated": True, "devices": uids}
        assert (await ann.post(f"{API}/enrol-keys", json=fixed)).status_code == 201
        for change in ({"simulated": False}, {"count": 2}, {"devices": ["-" * 36]}):
            assert (await ann.post(f"{API}/enrol-keys", json=fixed | change)).status_code == 422
        assert (await ann.post(f"{API}/enrol-keys", json={"count": 10_001})).status_code == 400

    play(scene)
