"""Pages: what a browser gets signed out and signed in, and that nobody's text becomes markup."""

from __future__ import annotations

import json
import re
from pathlib import Path

from portal.pages import routes
from portal.pages.shell import in_script, page
from tests.portal.conftest import PASSWORD, House, Play

BOOT = re.compile(r'<script type="application/json" id="boot">(.*)</script>')


def test_signed_out_leads_to_sign_in_and_back(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.client()
        answer = await client.get("/?q=devices%20%7C%20list%20name")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?return=%2F%3Fq%3Ddevices%2520%257C%2520list%2520name"
        signing = await client.get("/sign-in?return=//evil.example")
        assert signing.status_code == 200
        assert "evil" not in signing.text

    play(scene)


def test_a_page_holds_its_first_data(play: Play) -> None:
    async def scene(house: House) -> None:
        browser = await house.browser()
        answer = await browser.get("/")
        match = BOOT.search(answer.text)
        assert match is not None
        boot = json.loads(match[1])
        assert boot["account"]["name"] == "ann"
        assert boot["csrf"] == browser.headers["X-Muster-CSRF"]
        assert set(boot) == {"account", "csrf", "catalog_version", "zone", "site", "version"}
        policy = answer.headers["content-security-policy"]
        nonces = re.findall(r'nonce="([^"]+)"', answer.text)
        assert f"'nonce-{nonces[0]}'" in policy
        assert "unsafe" not in policy
        assert (await browser.get("/")).headers["content-security-policy"] != policy
        assert not re.findall(r"<script(?! src=| type=)", answer.text)
        assert not re.findall(r" (on[a-z]+|style)=", answer.text)
        assert answer.headers["cache-control"] == "no-store"

    play(scene)


def test_an_address_without_a_page_is_told_to_people_as_a_page(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.client()
        for path in ("/nowhere", "/actions/", "/%3Cscript%3Ealert(1)%3C/script%3E", "/" + "x" * 3000):
            answer = await client.get(path, headers={"Accept": "text/html,application/xhtml+xml"})
            assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
            assert "There is no page at this address" in answer.text
            assert "<script>" not in answer.text
            assert len(answer.text) < 3000
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        for path, accept in (
            ("/nowhere", "application/json"),
            ("/nowhere", "*/*"),
            ("/api/muster/v1/none", "text/html"),
        ):
            answer = await client.get(path, headers={"Accept": accept})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        posted = await client.post("/nowhere", headers={"Accept": "text/html"})
        assert posted.json()["error"]["code"] == "not_found"

    play(scene)


def test_data_cannot_leave_its_script() -> None:
    value = {"name": "</script><script>alert(1)</script><!--", "amp": "&lt;"}
    text = in_script(value)
    assert not {"<", ">", "&"} & set(text)
    assert json.loads(text) == value
    html = page("p", "<b>&", value, nonce="n", styles=['"><x'], version="1")
    assert "<b>&" not in html
    assert '"><x' not in html


def test_static_files_are_kept_by_version(play: Play, tmp_path: Path) -> None:
    files = tmp_path / "static"
    (files / "parts").mkdir(parents=True)
    (files / "a.js").write_text("1")
    (files / "parts" / "b.js").write_text("2")
    (tmp_path / "secret").write_text("no")

    async def scene(house: House) -> None:
        portal = house.portal
        parts = (portal.guard, portal.queries, portal.access)
        house.app.router.routes[:] = routes.routes(*parts, site="s", version="1", static=files)
        client = await house.client()
        assert (await client.get("/static/a.js")).headers["cache-control"] == "no-cache"
        assert "immutable" in (await client.get("/static/a.js?v=1")).headers["cache-control"]
        assert "immutable" in (await client.get("/static/parts/b.js")).headers["cache-control"]
        for path in (
            "/static/../secret",
            "/static/%2e%2e/secret",
            "/static/..%2fsecret",
            "/static/",
            "/static/none.js?v=1",
        ):
            answer = await client.get(path)
            assert answer.status_code == 404, path
            assert "immutable" not in answer.headers["cache-control"]

    play(scene)


def test_the_nxql_editor_is_opened_by_name_and_password(play: Play) -> None:
    async def scene(house: House) -> None:
        house.account()
        house.account("mia", ("execute",))
        client = await house.client()
        path = "/2/editor/nxql_editor.html"
        stranger = await client.get(path)
        assert (stranger.status_code, stranger.headers["www-authenticate"][:6]) == (401, "Basic ")
        assert (await client.get(path, auth=("mia", PASSWORD))).status_code == 403
        answer = await client.get(path, auth=("ann", PASSWORD))
        assert answer.status_code == 200
        assert "/static/nxql.js" in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        match = BOOT.search(answer.text)
        assert match is not None
        assert set(json.loads(match[1])) == {"version"}

    play(scene)
