"""What holds for every route of our own, generated from the one list: who is let in, what another site's page may do.
What is wrong with requests of any surface is in `tests/contracts`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route, WebSocketRoute

from portal.app import endpoints
from portal.endpoints import PREFIX, Endpoint
from portal.pages.routes import Nowhere
from tests.portal.conftest import BASE, House, Play

pytestmark = pytest.mark.slow
OPEN = {("POST", "/session"), ("GET", "/openapi.json")}
BESIDE = {"/", "/sign-in", "/static", "/healthz", "/metrics"}
OTHERS = ("/agent/v1/", "/oauth2/", "/api/v1/", "/api/v2/", "/api/remoteaction/", "/api/configuration/", "/2/")
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def url(endpoint: Endpoint) -> str:
    path = endpoint.path
    for name in ("{id}", "{uid}", "{name}", "{nql_id}"):
        path = path.replace(name, UNKNOWN)
    assert "{" not in path
    return PREFIX + path


async def ask(client: httpx.AsyncClient, endpoint: Endpoint, **more: Any) -> httpx.Response:
    if (endpoint.body or endpoint.reads) and "content" not in more:
        more["json"] = {}
    return await client.request(endpoint.method, url(endpoint), **more)


def test_nobody_is_let_in_without_a_name(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.client()
        listed = endpoints(house.portal)
        assert {(e.method, e.path) for e in listed if e.open} == OPEN
        closed = [endpoint for endpoint in listed if not endpoint.open]
        assert len(closed) > 20
        for endpoint in closed:
            for headers in ({}, {"Authorization": "Bearer muster_nonsense"}, {"Cookie": "muster=nonsense"}):
                answer = await ask(client, endpoint, headers=headers)
                assert answer.status_code == 401, endpoint
                assert answer.json()["error"]["message"], endpoint

    play(scene)


def test_no_route_is_beside_the_list(play: Play) -> None:
    async def scene(house: House) -> None:
        listed = {PREFIX + endpoint.path for endpoint in endpoints(house.portal)}
        *routes, last = house.app.routes
        assert isinstance(last, Nowhere)
        for route in routes:
            assert isinstance(route, Route | Mount | WebSocketRoute)
            assert route.path in listed | BESIDE or route.path.startswith(OTHERS), route

    play(scene)


def test_only_ones_own_things_need_no_permission(play: Play) -> None:
    async def scene(house: House) -> None:
        free = {(e.method, e.path) for e in endpoints(house.portal) if e.needs is None and not e.open}
        assert free == {
            ("GET", "/session"),
            ("DELETE", "/session"),
            ("POST", "/session/password"),
            ("GET", "/tokens"),
            ("POST", "/tokens"),
            ("DELETE", "/tokens/{id}"),
            ("GET", "/credentials"),
            ("POST", "/credentials"),
            ("POST", "/credentials/{name}/rotate"),
            ("DELETE", "/credentials/{name}"),
        }

    play(scene)


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": BASE.replace("http:", "https:")},
    {"Origin": BASE + "0"},
    {"Origin": "http://127.0.0.1:8080.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


def test_another_sites_page_changes_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        browser = await house.browser()
        changing = [endpoint for endpoint in endpoints(house.portal) if endpoint.changes]
        for endpoint in changing:
            for headers in FOREIGN:
                answer = await ask(browser, endpoint, headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin"), endpoint
        assert (await browser.get(f"{PREFIX}/session")).status_code == 200

    play(scene)


def test_a_browser_needs_its_csrf_token(play: Play) -> None:
    async def scene(house: House) -> None:
        browser = await house.browser()
        other = await house.browser("bob")
        theirs = other.headers["X-Muster-CSRF"]
        for endpoint in endpoints(house.portal):
            if not endpoint.changes or endpoint.open:
                continue
            for token in ("", "x", theirs):
                answer = await ask(browser, endpoint, headers={"X-Muster-CSRF": token})
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf"), endpoint
        assert (await browser.get(f"{PREFIX}/session")).status_code == 200

    play(scene)


def test_unknown_ids(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for endpoint in endpoints(house.portal):
            if "{" not in endpoint.path:
                continue
            answer = await ask(client, endpoint)
            early = [400] if endpoint.body else []  # a body that lacks something is told before anything is looked up
            assert answer.status_code in (404, *early), (endpoint, answer.text)
            for odd in ("%00", "..%2f..%2fetc", "%ff", "x" * 400, "'; drop table runs--"):
                path = endpoint.path.split("{", maxsplit=1)[0] + odd + endpoint.path.partition("}")[2]
                more: dict[str, Any] = {"json": {}} if endpoint.body else {}
                answer = await client.request(endpoint.method, PREFIX + path, **more)
                assert answer.status_code in (404, 405, *early), (endpoint, odd, answer.text)

    play(scene)


def test_wrong_methods_and_addresses(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        answer = await client.put(f"{PREFIX}/session")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
        assert {"GET", "POST", "DELETE"} <= set(answer.headers["allow"].split(", "))
        assert (await client.get(f"{PREFIX}/nothing")).status_code == 404

    play(scene)


def test_every_answer_carries_the_headers(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for path in ("/", "/sign-in", "/nothing", "/healthz", f"{PREFIX}/session", f"{PREFIX}/catalog"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["muster-request"]

    play(scene)


def test_an_unknown_host_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost:1:2", "a b"):
            answer = await client.get(f"{PREFIX}/session", headers={"Host": host})
            assert answer.status_code == 421, host
        for known in ("localhost:99", "127.0.0.1", "[::1]:8080"):
            assert (await client.get(f"{PREFIX}/session", headers={"Host": known})).status_code == 200

    play(scene)


def test_numbers_are_bounded(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for path in ("/runs", "/audit"):
            for limit in ("0", "-1", "1e3", "x", "9" * 30, "٣", "1001"):
                answer = await client.get(PREFIX + path, params={"limit": limit})
                assert answer.status_code == 400, (path, limit)
        assert (await client.get(f"{PREFIX}/runs", params={"before": "x" * 400})).status_code == 400

    play(scene)
