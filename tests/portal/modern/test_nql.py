"""Saved queries as other people's clients ask them: forms, parameters, errors, limits; and exports with their files."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from typing import Any

import httpx
import pyarrow as pa
import pytest

from nql.api import compile_query
from nql.catalog.load import builtin
from portal.modern.asking import replaced
from portal.settings import Settings
from tests.portal.conftest import API, BASE, SECOND, House, Play, eventually, play_in
from tests.portal.modern.scenes import client, credential, token
from tests.portal.test_running_queries import freed, stopped

pytestmark = pytest.mark.slow
ONE, TWO = "/api/v1/nql/execute", "/api/v2/nql/execute"
EXPORT, STATUS = "/api/v1/nql/export", "/api/v1/nql/status"
ODD: list[Any] = [None, 1, 1.5, True, [], {}]
QUERIES = {
    "#names": "devices | where name == $name | list name, first_seen",
    "#all": "devices | list name, simulated | sort name asc",
    "#log": "platform.audit_logs past 1h",
}


async def ready(house: House, devices: int = 2) -> httpx.AsyncClient:
    """Devices, saved queries, and a client."""
    for number in range(1, devices + 1):
        house.enrol(number)
    await house.settle()
    ann = await house.program()
    for nql_id, text in QUERIES.items():
        put = await ann.put(f"{API}/saved-queries/{nql_id[1:]}", json={"name": nql_id, "text": text})
        assert put.status_code == 200, put.text
    return await client(house, ann, limits={"nql_per_second": 100})


def test_both_versions(settings: Settings) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house)
        ask = {"queryId": "#names", "parameters": {"name": "pc-1", "other": "x"}, "platform": "windows"}
        first = (await ours.post(ONE, json=ask)).json()
        assert first == {
            "queryId": "#names",
            "executedQuery": 'devices | where name == "pc-1" | list name, first_seen',
            "rows": 1,
            "executionDateTime": {"year": 2026, "month": 1, "day": 1, "hour": 11, "minute": 40, "second": 0},
            "headers": ["device.name", "device.first_seen"],
            "data": [["pc-1", "2026-01-01T11:40:00+01:00"]],
        }
        second = (await ours.post(TWO, json=ask, headers={"x-utc-times": "true"})).json()
        assert second == {
            "queryId": "#names",
            "executedQuery": first["executedQuery"],
            "rows": 1,
            "executionDateTime": "2026-01-01T10:40:00",
            "data": [{"device.name": "pc-1", "device.first_seen": "2026-01-01T10:40:00Z"}],
        }
        for accept, kind in (
            ("application/json, text/csv", "application/json"), ("*/*", "application/json"),
            ("text/csv", "text/csv; charset=utf-8"), ("application/json;q=0, text/csv", "text/csv; charset=utf-8"),
        ):  # fmt: skip
            answer = await ours.post(ONE, json={"queryId": "#all"}, headers={"Accept": accept})
            assert answer.headers["content-type"] == kind, accept
        assert answer.text == "device.name,device.simulated\r\npc-1,false\r\npc-2,false\r\n"

    play_in(replace(settings, zone="Europe/Zurich"), scene)


def test_what_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house, 0)
        json = {"Content-Type": "application/json"}
        cases: list[tuple[int, dict[str, Any]]] = [
            (404, {"json": {"queryId": "#nothing"}}),
            (404, {"json": {"queryId": "devices"}}),
            (400, {"json": {"queryId": "#names"}}),
            (400, {"json": {"queryId": "#names", "parameters": {"name": 1}}}),
            (400, {"json": {"queryId": "#names", "parameters": {"name": "x" * 5000}}}),
            *[(400, {"json": {"queryId": value}}) for value in ODD],
            (400, {"json": {"queryId": "x" * 301}}),
            *[(400, {"json": {"queryId": "#all", "parameters": value}}) for value in ("x", {"a": None}, *ODD[1:5])],
            *[(400, {"json": value}) for value in ("x", *ODD)],
            (400, {"content": b"{", "headers": json}),
            (400, {"content": b'{"queryId": "\xff"}', "headers": json}),
            (400, {"content": b'{"queryId": "#all", "queryId": "#names"}', "headers": json}),
            (400, {"content": b'{"queryId": "\\ud800"}', "headers": json}),
            (400, {"content": b"[" * 100_000, "headers": json}),
            (400, {"content": b" " * (2 << 20), "headers": json}),
            (400, {"content": b'{"queryId": "#all"}', "headers": {"Content-Type": "text/plain"}}),
            (400, {"content": b"{}", "headers": {"Content-Type": "application/json; charset=latin-1"}}),
            (400, {"content": b"{}", "headers": {**json, "Content-Encoding": "gzip"}}),
            (406, {"json": {"queryId": "#all"}, "headers": {"Accept": "application/xml"}}),
        ]
        for path in (ONE, TWO, EXPORT):
            for status, asked in cases:
                answer = await ours.post(path, **asked)
                assert answer.status_code == status, (path, asked, answer.text)
                said = answer.json()
                assert set(said) == {"message", "code", "source"}
                assert said["code"] == status
                assert said["message"]
        assert (await ours.post(ONE, json={"queryId": "#names"})).json()["message"].startswith("There is no value")

    play(scene)


def test_rights_bound_what_is_asked(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        await ready(house)
        await house.bounded('name == "pc-2"', "query")
        narrow = await client(house, ann, name="narrow", account="lea")
        assert (await narrow.post(ONE, json={"queryId": "#all"})).json()["data"] == [["pc-2", False]]
        refused = await narrow.post(ONE, json={"queryId": "#log"})
        assert refused.status_code == 400
        none = await client(house, ann, name="none", allow=["act"])
        refused = await none.post(ONE, json={"queryId": "#all"})
        assert (refused.status_code, refused.json()["code"]) == (403, 403)

    play(scene)


def test_limits(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        await ready(house, 0)
        ours = await client(house, ann, name="usual", limits={"nql_per_day": 7, "exports_per_day": 1})

        async def asked(path: str = ONE) -> tuple[int, str | None]:
            answer = await ours.post(path, json={"queryId": "#all"})
            return answer.status_code, answer.headers.get("Retry-After")

        assert [(await asked())[0] for _ in range(5)] == [200] * 5
        assert await asked() == (429, "1")
        house.time.now += SECOND
        assert await asked() == (200, None)
        house.time.now += 10 * SECOND
        assert await asked() == (200, None)
        rest = str(13 * 3600 + 20 * 60 - 11)
        assert await asked() == (429, rest)
        assert [await asked(EXPORT), await asked(EXPORT)] == [(200, None), (429, rest)]
        other = await client(house, ann, name="other")
        assert (await other.post(ONE, json={"queryId": "#all"})).status_code == 200
        house.time.now += int(rest) * SECOND
        held = await token(house, await credential(house, ann, name="another"))
        assert (await other.get("/api/v1/act/remote-action")).status_code == 401
        assert held

    play(scene)


@pytest.mark.parametrize("here", [256 << 20, 0])
def test_an_export_and_its_file(settings: Settings, here: int) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house)
        anybody = await house.client()
        rows = b"device.name,device.simulated\r\npc-1,false\r\npc-2,false\r\n"
        for given, ending, unpack in (
            (None, ".csv", bytes), ("NONE", ".csv", bytes), ("GZIP", ".csv.gz", gzip.decompress),
            ("ZSTD", ".csv.zst", lambda data: pa.input_stream(pa.BufferReader(data), compression="zstd").read()),
        ):  # fmt: skip
            began = await ours.post(EXPORT, json={"queryId": "#all", "compression": given, "format": "csv"})
            assert began.status_code == 200, began.text
            address = await done(ours, began.json()["exportId"])
            assert address.startswith(f"{BASE}/api/v1/nql/files/")
            assert address.endswith(ending)
            file = await anybody.get(address)
            assert (file.status_code, unpack(file.content)) == (200, rows)
        assert len([*settings.spool.glob("*.export")]) == 4
        house.time.now += 899 * SECOND
        assert (await anybody.get(address)).status_code == 200
        house.time.now += SECOND
        assert (await anybody.get(address)).status_code == 404
        assert [*settings.spool.glob("*.export")] == []

    play_in(replace(settings, query_here=here), scene)


async def done(ours: httpx.AsyncClient, identifier: str) -> str:
    """The address of an export's file, when it is done."""
    said: dict[str, Any] = {}

    async def over() -> bool:
        answer = await ours.get(f"{STATUS}/{identifier}")
        assert answer.status_code == 200, answer.text
        said.update(answer.json())
        assert set(said) == {"status", "resultsFileUrl", "errorDescription"}
        return said["status"] in ("COMPLETED", "ERROR")

    await eventually(over)
    assert said["status"] == "COMPLETED", said
    return str(said["resultsFileUrl"])


def test_exports_by_get_and_of_others(settings: Settings) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house)
        for asked in (
            {"parameters[name]": "pc-2"}, {"parameters.name": "pc-2"}, {"parameters": '{"name": "pc-2"}'},
        ):  # fmt: skip
            began = await ours.get(EXPORT, params={"queryId": "#names", "compression": "NONE", **asked})
            address = await done(ours, began.json()["exportId"])
            assert address.startswith("https://muster.example/api/v1/nql/files/")
        for bad in ({}, {"queryId": "#all", "compression": "ZIP"}, {"queryId": "#names", "parameters": "["}):
            assert (await ours.get(EXPORT, params=bad)).status_code == 400
        other = await client(house, await house.program(), name="other")
        assert (await other.get(f"{STATUS}/{began.json()['exportId']}")).status_code == 404
        assert (await ours.get(f"{STATUS}/nothing")).status_code == 404
        assert (await ours.get("/api/v1/nql/files/x.csv")).status_code == 404

    play_in(replace(settings, public_url="https://muster.example/"), scene)


def test_an_asker_who_goes_away_cancels(settings: Settings) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house)
        left = asyncio.Event()
        body = [{"type": "http.request", "body": b'{"queryId": "#all"}', "more_body": False}]

        async def receive() -> dict[str, Any]:
            if body:
                return body.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            """Nobody is there."""

        headers = {**ours.headers, "host": "127.0.0.1:8080", "content-type": "application/json"}
        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "path": TWO, "raw_path": b"",
            "query_string": b"", "root_path": "", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("x", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        asking = asyncio.ensure_future(house.app(scope, receive, send))
        pid = await stopped(house)
        left.set()
        await asking
        await freed(house, pid)

    play_in(replace(settings, query_here=0), scene)


def test_an_erasure_waits_for_files_of_before(play: Play) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house)
        await done(ours, (await ours.post(EXPORT, json={"queryId": "#all"})).json()["exportId"])
        [device, _] = house.portal.control.enrolment.devices()
        named = {"devices": [{"uid": device.uid, "name": device.name}]}
        answer = await ours.post("/api/v1/data-management/device/deletions", json=named)
        assert answer.json()["scheduledCount"] == 1
        work, erasures = house.portal.erasures, house.portal.control.erasures
        assert await work.carry_on()
        [waiting] = erasures.latest()
        assert (waiting.state, "reads rows of before" in (waiting.error or "")) == ("tables_erased", True)
        house.time.now += 900 * SECOND
        house.portal.exports.sweep()
        assert not await work.carry_on()
        assert erasures.latest()[0].state == "done"

    play(scene)


def test_an_export_that_fails_says_why(settings: Settings) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house, 0)
        settings.spool.rmdir()
        began = await ours.post(EXPORT, json={"queryId": "#all"})
        with pytest.raises(AssertionError, match="could not be written"):
            await done(ours, began.json()["exportId"])
        settings.spool.mkdir()

    play_in(settings, scene)


def test_parameters_are_shown_in_their_places() -> None:

    text = "devices /* $name */ | where name == $name and hardware.memory > $size // $size\n| where name != '$name'"
    uses = compile_query(text, builtin()).plan.parameters
    shown = replaced(text, uses, {"name": 'a"b', "size": "8GB"})
    assert shown == (
        "devices /* $name */ | where name == 'a\"b' and hardware.memory > 8GB // $size\n| where name != '$name'"
    )
    assert replaced(text, uses, {}) == text
