"""Health, figures, and that an error nobody foresaw says nothing."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portal.logs import configure
from portal.metrics import REASONS, Metrics
from portal.scrub import MOST_RATE, Scrubbing
from storage.tables.api import Scrub
from tests.portal.conftest import API, MANIFEST, House, Play
from tests.storage.tables.world import batch, open_store


def test_healthz(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.client()
        well = await client.get("/healthz")
        assert (well.status_code, well.json()) == (200, {"status": "ok", "checks": {"control": "ok", "tables": "ok"}})
        house.portal.control._database._writer.exec_driver_sql("PRAGMA query_only=ON")
        house.portal.control._database._writer.rollback()
        unwell = await client.get("/healthz")
        assert (unwell.status_code, unwell.json()["status"]) == (503, "unwell")
        assert unwell.json()["checks"] == {"control": "storage_unavailable", "tables": "ok"}

    play(scene)


def test_figures(play: Play) -> None:
    async def scene(house: House) -> None:
        uid = house.enrol().uid
        await house.settle()
        client = await house.program()
        await client.post(f"{API}/actions", json=MANIFEST)
        await client.post(
            f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": {"devices": [uid]}}
        )
        await client.post(f"{API}/query", json={"text": "devices"})
        await client.post(f"{API}/query", json={"text": "nothing"})
        await client.get("/never/seen/before")
        house.listener(uid)
        text = (await client.get("/metrics")).text
        for line in (
            'muster_queries_total{outcome="answered"} 1.0',
            'muster_queries_total{outcome="failed"} 1.0',
            'muster_executions{state="waiting_on_device"} 1.0',
            'muster_executions{state="in_progress"} 0.0',
            "muster_connected_devices 1.0",
            f'muster_http_requests_total{{method="POST",route="{API}/query",status="400"}} 1.0',
            'muster_http_requests_total{method="GET",route="(none)",status="404"} 1.0',
        ):
            assert line in text, line
        assert "never" not in text

    play(scene)


def test_reasons_are_bounded() -> None:
    metrics = Metrics()
    for number in range(REASONS * 3):
        metrics.refused(f"reason {number}")
    text = metrics.text({}, 0)[0].decode()
    assert text.count("muster_refused_messages_total{") == REASONS + 1
    assert f'reason="other"}} {float(2 * REASONS)}' in text


def test_an_unforeseen_error_is_logged_and_not_told(play: Play) -> None:
    async def broken(_request: Request) -> Response:
        password = "hunter2-in-a-local"
        raise RuntimeError(f"inside {len(password)}")

    async def scene(house: House) -> None:
        house.app.router.routes.append(Route("/broken", broken))
        client = await house.client()
        answer = await client.get("/broken?token=in-the-query")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
        assert "inside" not in answer.text
        request.append(answer.headers["muster-request"])

    request: list[str] = []
    said = io.StringIO()
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with redirect_stderr(said):
            configure("info")
            play(scene)
    finally:
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    failed = [line for line in lines if line["event"] == "request_failed"]
    assert [line["request"] for line in failed] == request
    assert "RuntimeError: inside" in failed[0]["exception"]
    [access] = [line for line in lines if line["event"] == "request"]
    assert (access["route"], access["status"]) == ("/broken", 500)
    assert "in-the-query" not in said.getvalue()
    assert "hunter2-in-a-local" not in said.getvalue().replace('password = \\"hunter2', "")


def test_a_flipped_bit_is_told_and_does_not_end_the_service(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        await house.settle()
        await house.portal.tables.seal()
        client, scrubbing = await house.client(), house.portal.scrubbing
        await scrubbing.round()
        assert (await client.get("/healthz")).json()["status"] == "ok"
        sealed = max((house.portal.settings.tables / "objects").glob("device.devices*"))
        whole = sealed.read_bytes()
        sealed.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
        await scrubbing.round()
        told = await client.get("/healthz")
        assert (told.status_code, told.json()["status"], told.json()["checks"]["files"]) == (200, "damaged", "damaged")
        assert "device" not in told.text

    play(scene)


@pytest.mark.parametrize("rate", [-1, MOST_RATE + 1])
def test_the_pace_has_bounds(rate: int) -> None:
    with pytest.raises(ValueError, match="bytes a second"):
        Scrubbing(Scrub(Path()), rate)


def test_the_pace_is_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.commit([batch(0)])
    store.close()
    read = sum(Scrub(tmp_path).round())

    async def timed(seconds: float) -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await Scrubbing(Scrub(tmp_path), int(read / seconds)).round()
        return loop.time() - start

    assert asyncio.run(timed(0.5)) >= 0.4
