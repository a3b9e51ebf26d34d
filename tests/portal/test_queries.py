"""Asking over HTTP: rows, forms, parameters, paging, diagnostics; and executions that are there exactly once."""

from __future__ import annotations

import asyncio
import io
import json
import random

import pyarrow.ipc
import pyarrow.parquet
import pytest

from portal.queries.forms import ARROW, CSV, PARQUET
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, MANIFEST, SECOND, House, Play

DEVICES = "devices | list name, simulated | sort name asc"
STATES = "remote_action.executions during past 2h | list device.name, status, execution_id"


def test_rows_and_devices(play: Play) -> None:
    async def scene(house: House) -> None:
        one = house.enrol(1)
        house.enrol(2, simulated=True)
        await house.settle()
        client = await house.program()
        said = (await client.post(f"{API}/query", json={"text": DEVICES})).json()
        assert [column["name"] for column in said["columns"]] == ["device.name", "device.simulated"]
        assert said["rows"] == [["pc-1", False], ["pc-2", True]]
        assert said["devices"][0] == {"uid": one.uid, "name": "pc-1", "simulated": False}
        assert (said["row_count"], said["truncated"], said["zone"]) == (2, False, "Europe/Zurich")
        zone = (await client.post(f"{API}/query", json={"text": DEVICES, "zone": "Asia/Tokyo"})).json()["zone"]
        assert zone == "Asia/Tokyo"
        assert (await client.post(f"{API}/query", json={"text": DEVICES, "zone": "Nowhere"})).status_code == 422

    play(scene)


def test_paging(play: Play) -> None:
    async def scene(house: House) -> None:
        for number in range(1, 6):
            house.enrol(number)
        await house.settle()
        client = await house.program()

        async def page(**bounds: int) -> tuple[list[str], bool, list[str]]:
            said = (await client.post(f"{API}/query", json={"text": DEVICES, **bounds})).json()
            return [row[0] for row in said["rows"]], said["truncated"], [d["name"] for d in said["devices"]]

        assert await page(limit=2) == (["pc-1", "pc-2"], True, ["pc-1", "pc-2"])
        assert await page(limit=2, offset=2) == (["pc-3", "pc-4"], True, ["pc-3", "pc-4"])
        assert await page(limit=2, offset=4) == (["pc-5"], False, ["pc-5"])
        assert await page(limit=2, offset=9) == ([], False, [])
        assert await page(limit=0) == ([], True, [])
        for bounds in ({"limit": -1}, {"limit": 100_001}, {"offset": -1}, {"limit": 1.5}):
            assert (await client.post(f"{API}/query", json={"text": DEVICES, **bounds})).status_code == 400

    play(scene)


def test_other_forms_hold_all_rows(play: Play) -> None:
    async def scene(house: House) -> None:
        for number in range(1, 4):
            house.enrol(number)
        await house.settle()
        client = await house.program()
        body = {"text": DEVICES, "limit": 1}
        got = {
            form: await client.post(f"{API}/query", json=body, headers={"Accept": form})
            for form in (CSV, ARROW, PARQUET)
        }
        assert got[CSV].text.splitlines() == ["device.name,device.simulated", "pc-1,false", "pc-2,false", "pc-3,false"]
        assert got[CSV].headers["content-disposition"] == 'attachment; filename="result.csv"'
        assert pyarrow.ipc.open_stream(io.BytesIO(got[ARROW].content)).read_all().num_rows == 3
        assert pyarrow.parquet.read_table(io.BytesIO(got[PARQUET].content)).num_rows == 3
        refused = await client.post(f"{API}/query", json=body, headers={"Accept": "image/png"})
        assert refused.status_code == 406

    play(scene)


def test_diagnostics_travel(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        text = "devices | list nam"
        answer = await client.post(f"{API}/query", json={"text": text})
        assert answer.status_code == 400
        [found] = answer.json()["error"]["diagnostics"]
        assert text[found["span"]["start"] : found["span"]["end"]] == "nam"
        assert any(fix["replacement"] == "name" for fix in found["fixes"])
        said = (await client.post(f"{API}/nql/diagnose", json={"text": text})).json()
        assert said["diagnostics"] == [found]
        assert (await client.post(f"{API}/nql/diagnose", json={"text": "x" * 20_001})).status_code == 400
        complete = (await client.post(f"{API}/nql/complete", json={"text": "devices | li", "offset": 12})).json()
        assert "list" in [item["label"] for item in complete["items"]]

    play(scene)


def test_parameters(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        house.enrol(2)
        await house.settle()
        client = await house.program()
        text = "devices | where name in $names | list name"
        asked = {"text": text, "parameters": {"names": ["pc-2", "pc-9"]}}
        assert (await client.post(f"{API}/query", json=asked)).json()["rows"] == [["pc-2"]]
        hostile = {"text": text, "parameters": {"names": ['" or true | list name', "\u0000"]}}
        assert (await client.post(f"{API}/query", json=hostile)).json()["rows"] == []
        assert (await client.post(f"{API}/query", json={"text": text})).status_code == 400

    play(scene)


def test_the_catalog_knows_actions(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        first = await client.get(f"{API}/catalog")
        tag = first.headers["etag"]
        assert (await client.get(f"{API}/catalog", headers={"If-None-Match": tag})).status_code == 304
        assert (await client.post(f"{API}/actions", json=MANIFEST)).status_code == 201
        second = await client.get(f"{API}/catalog", headers={"If-None-Match": tag})
        tables = {table["name"]: table for table in second.json()["tables"]}
        fields = {field["name"]: field["type"] for field in tables["remote_action.#clear_cache.executions"]["fields"]}
        assert (fields["outputs.freed"], fields["outputs.files"], fields["outputs.took"]) == (
            "bytes",
            "int",
            "duration",
        )
        assert fields["inputs.path"] == "string"
        assert not [name for name in tables if "<" in name]

    play(scene)


def test_outputs_are_typed_in_every_state(play: Play) -> None:
    async def scene(house: House) -> None:
        devices = [house.enrol(number) for number in (1, 2)]
        await house.settle()
        client = await house.program()
        await client.post(f"{API}/actions", json=MANIFEST)
        run = (
            await client.post(
                f"{API}/runs", json={"action": "#clear_cache", "allow_draft": True, "target": {"nql": "devices"}}
            )
        ).json()["run"]
        outputs = {"freed": 5 << 30, "files": 7, "took": 1_500_000}
        house.answer(run["id"], devices[0].uid, Outcome(State.SUCCESS, 0, outputs))
        text = (
            "remote_action.#clear_cache.executions during past 2h | where outputs.freed > 1GB or status != success "
            "| list device.name, status, outputs.freed, outputs.files, outputs.took, inputs.path | sort device.name asc"
        )
        wanted = [
            ["pc-1", "success", 5.0 * (1 << 30), 7, 1.5, "/tmp"],
            ["pc-2", "waiting_on_device", None, None, None, "/tmp"],
        ]
        for _ in range(2):  # from the control database, then from the tables
            assert (await client.post(f"{API}/query", json={"text": text})).json()["rows"] == wanted
            await house.settle()
        whole = (
            await client.post(f"{API}/query", json={"text": "remote_action.executions | list outputs, inputs"})
        ).json()
        assert json.loads(whole["rows"][0][1]) == {"path": "/tmp"}

    play(scene)


@pytest.mark.slow
def test_an_execution_is_there_exactly_once_at_every_instant(play: Play) -> None:
    async def scene(house: House) -> None:
        dice = random.Random(7)
        devices = [house.enrol(number).uid for number in range(1, 9)]
        await house.settle()
        client = await house.program()
        await client.post(f"{API}/actions", json=MANIFEST)
        expected: dict[str, int] = {}
        waiting: list[tuple[str, str]] = []
        for _ in range(6):
            asked = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": devices}}
            run = (await client.post(f"{API}/runs", json=asked)).json()["run"]["id"]
            waiting += [(run, device) for device in devices]
            expected["waiting_on_device"] = expected.get("waiting_on_device", 0) + len(devices)
            dice.shuffle(waiting)
            for _ in range(4):
                run, device = waiting.pop()
                house.answer_any(run, device, Outcome(State.SUCCESS, 0))
                expected["waiting_on_device"] -= 1
                expected["success"] = expected.get("success", 0) + 1
                moving = asyncio.create_task(house.portal.relay.catch_up())
                said = (await client.post(f"{API}/query", json={"text": STATES})).json()["rows"]
                await moving
                assert len({row[2] for row in said}) == len(said)
                counts = {state: sum(row[1] == state for row in said) for state in expected}
                assert counts == expected
            house.time.now += SECOND

    play(scene)


@pytest.mark.slow
def test_a_query_needs_no_more_threads_than_there_are(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol(1)
        await house.settle()
        client = await house.program()
        answers = await asyncio.gather(*(client.post(f"{API}/query", json={"text": DEVICES}) for _ in range(100)))
        assert {answer.status_code for answer in answers} <= {200, 429, 503}
        assert sum(answer.status_code == 200 for answer in answers) >= 60
        busy = [answer for answer in answers if answer.status_code == 503]
        assert all(answer.json()["error"]["code"] == "busy" for answer in busy)
        assert (await client.post(f"{API}/query", json={"text": DEVICES})).status_code == 200

    play(scene)
