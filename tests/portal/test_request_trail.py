"""What is written down of a request: its id, who asked by which credential, from where; and never a secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import replace
from typing import Any

import pytest
import structlog

from portal.addresses import networks
from portal.logs import configure
from portal.settings import Settings
from tests.portal.classic.conftest import basic
from tests.portal.conftest import API, MANIFEST, PASSWORD, House, Play, play_in
from tests.portal.modern.scenes import GRANT, TOKEN, credential, token

pytestmark = pytest.mark.slow
LIST, RUN = "/api/v1/act/remote-action", "/api/v1/act/execute"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged meanwhile. The log is put back afterwards."""
    said, before, root = io.StringIO(), structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with redirect_stderr(said):
            configure("info")
            yield lambda: [json.loads(line) for line in said.getvalue().splitlines()]
    finally:
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level


async def entries(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await (await house.program()).get(f"{API}/audit")).json()["entries"]
    return found


def test_an_id_of_the_client_is_taken_echoed_and_written_down(play: Play, lines: Lines) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        answer = await ann.post(f"{API}/actions", json=MANIFEST, headers={"X-Request-ID": "ticket-4711.a_b"})
        assert answer.headers["x-request-id"] == answer.headers["muster-request"] == "ticket-4711.a_b"
        [saved] = [entry for entry in await entries(house) if entry["action"].startswith("action.")]
        assert (saved["request"], saved["credential"]) == ("ticket-4711.a_b", None)
        assert "@asked" not in saved["detail"]
        [line] = [line for line in lines() if line.get("route") == f"{API}/actions"]
        assert (line["request"], line["account"], line["address"]) == ("ticket-4711.a_b", "ann", "127.0.0.1")
        for odd in ("", "x" * 65, "a b", "a\tb", "-x", "../x", '{"a":1}', "ünïcode", "a\\n"):
            given = (await ann.get(f"{API}/session", headers=[(b"X-Request-ID", odd.encode())])).headers
            assert given["x-request-id"] == given["muster-request"] != odd
        assert (await ann.get(f"{API}/audit/verify")).json()["whole"]

    play(scene)


def test_the_credential_stands_beside_the_account(play: Play, lines: Lines) -> None:
    async def scene(house: House) -> None:
        device, ann = house.enrol(), await house.program()
        await ann.post(f"{API}/actions", json=MANIFEST)
        await house.settle()
        held = await token(house, await credential(house, ann, name="itsm"))
        ours = await house.client(Authorization=f"Bearer {held}")
        asked = {"remoteActionId": "#clear_cache", "devices": [device.collector_uid]}
        run = await ours.post(RUN, json=asked, headers={"X-Request-ID": "incident-1"})
        assert run.status_code == 200, run.text
        found = [entry for entry in await entries(house) if entry["request"] == "incident-1"]
        assert {(entry["actor"], entry["credential"]) for entry in found} == {("account:ann", "itsm")}
        [line] = [line for line in lines() if line.get("route") == RUN]
        assert (line["account"], line["credential"]) == ("ann", "itsm")
        assert (await ann.get(f"{API}/audit/verify")).json()["whole"]
        await house.settle()
        text = 'platform.audit_logs | where detail == "*incident-1*" | list account, detail'
        rows = (await ann.post(f"{API}/query", json={"text": text})).json()["rows"]
        assert len(rows) == len(found) > 0
        assert all('"credential":"itsm"' in row[1] for row in rows)

    play(scene)


def test_what_comes_at_once_is_not_mixed_up(play: Play) -> None:
    async def scene(house: House) -> None:
        clients = [(name, await house.program(name)) for name in ("ann", "bob", "eve")]

        async def put(number: int) -> None:
            name, client = clients[number % 3]
            body = {"name": f"q {number}", "text": "devices | list name"}
            path, ours = f"{API}/saved-queries/q_{number}", {"X-Request-ID": f"{name}-{number}"}
            assert (await client.put(path, json=body, headers=ours)).status_code < 300

        await asyncio.gather(*map(put, range(30)))
        found = {e["subject"]: (e["actor"], e["request"]) for e in await entries(house) if "q_" in e["subject"]}
        assert len(found) == 30
        for subject, (actor, request) in found.items():
            name, number = request.split("-")
            assert actor == f"account:{name}"
            assert subject.endswith(f"q_{number}")

    play(scene)


def test_no_secret_is_logged(play: Play, lines: Lines) -> None:
    async def scene(house: House) -> None:
        pair = await credential(house, name="one")
        held = await token(house, pair)
        ours = await house.client(Authorization=f"Bearer {held}")
        await ours.get(f"{LIST}?token=PLANTED-in-url&password=PLANTED-too", headers={"X-Secret": "PLANTED-in-header"})
        await ours.get("/api/v1/nql/files/PLANTED-name.csv?sig=PLANTED")
        await ours.post(RUN, json={"remoteActionId": "PLANTED-in-body", "devices": ["PLANTED"]})
        await ours.post(RUN, content=b'{"PLANTED-in-bad-json', headers={"Content-Type": "application/json"})
        anybody = await house.client(Cookie="muster=PLANTED-cookie")
        await anybody.get(f"{API}/session", headers={"Authorization": "Bearer PLANTED-bearer", "Referer": "/?PLANTED"})
        await anybody.post(TOKEN, data=GRANT | {"client_id": "PLANTED-id", "client_secret": "PLANTED-secret"})
        carl = await basic(house)
        await carl.get("/2/query", params={"query": "(select (PLANTED) (from device))", "p1": "PLANTED"})
        await carl.get("/api/configuration/v1/engines", auth=("PLANTED-name", "PLANTED-password"))
        said = json.dumps(lines())
        assert len(lines()) > 8
        assert "PLANTED" not in said
        assert not [secret for secret in (held, pair[1], PASSWORD) if secret in said]

    play(scene)


def test_a_forwarded_address_counts_from_a_proxy_of_ours_alone(settings: Settings, lines: Lines) -> None:
    async def tried(house: House, address: str, times: int) -> list[int]:
        """Guesses of a password, as a proxy would hand them on."""
        client = await house.client()
        given = {"X-Forwarded-For": address}
        body = {"name": "ann", "password": "wrong"}
        return [(await client.post(f"{API}/session", json=body, headers=given)).status_code for _ in range(times)]

    async def believed(house: House) -> None:
        house.account()
        assert (await tried(house, "198.51.100.1", 7))[-1] == 429
        assert (await tried(house, "198.51.100.2", 1)) == [401]  # each has its own tries
        assert {line["address"] for line in lines() if "address" in line} == {"198.51.100.1", "198.51.100.2"}

    async def not_believed(house: House) -> None:
        house.account()
        before = len(lines())
        answers = [(await tried(house, f"198.51.100.{number}", 1))[0] for number in range(10, 17)]
        assert answers[-1] == 429  # another address each time helps nobody
        assert {line["address"] for line in lines()[before:] if "address" in line} == {"127.0.0.1"}

    play_in(replace(settings, trusted=networks(["127.0.0.0/8"])), believed)
    play_in(settings, not_believed)


def test_figures_have_few_labels(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.client()
        for number in range(20):
            await client.get(f"/nowhere/{number}", headers={"X-Request-ID": f"id-{number}"})
            await client.request(f"ODD{number}", LIST)
            await client.get(f"/api/v1/nql/files/{number}")
        text = (await client.get("/metrics")).text
        counted = [line for line in text.splitlines() if line.startswith("muster_http_requests_total{")]
        assert len(counted) <= 5
        assert any('route="/api/v1/nql/files/{name}"' in line and line.endswith(" 20.0") for line in counted)
        assert f'muster_http_request_seconds_bucket{{le="+Inf",method="GET",route="{LIST}"}}' not in text
        assert 'muster_http_request_seconds_count{method="GET",route="/api/v1/nql/files/{name}"} 20.0' in text

    play(scene)
