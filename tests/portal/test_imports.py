"""The import route: judged rows under a name of their own, off unless turned on."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

from nql.catalog.configured import Campaign, CustomField, Trend, written
from nql.datatypes import FLOAT
from portal.imports.routes import UNPACKED
from portal.settings import Settings
from tests.portal.conftest import API, NOW, House, Play, play_in

BATCH: dict[str, Any] = {
    "source": "estate",
    "epoch": "00000000-0000-4000-8000-000000000000",
    "sequence": 1,
    "tables": [{"table": "device.devices", "columns": {"uid": ["u1", "u2"], "name": ["one", "two"]}}],
}


def test_rows_are_stored_once(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        first = await client.post(f"{API}/import", json=BATCH)
        assert first.json() == {"sequence": 1, "rows": 2, "duplicate": False}
        assert (await client.post(f"{API}/import", json=BATCH)).json() == {"sequence": 1, "rows": 0, "duplicate": True}
        packed = gzip.compress(json.dumps(BATCH | {"sequence": 2}).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert (await client.post(f"{API}/import", content=packed, headers=headers)).json()["rows"] == 2
        said = await client.post(f"{API}/query", json={"text": "devices | list name | sort name asc"})
        assert said.json()["rows"] == [["one"], ["two"]]
        assert 'muster_ingest_rows_total{writer="import"} 4.0' in (await client.get("/metrics")).text

    play(scene)


def test_off_by_default(settings: Settings) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        answer = await client.post(f"{API}/import", json=BATCH)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "imports_off")

    play_in(replace(settings, imports=False), scene)


BAD: list[tuple[dict[str, Any], int]] = [
    ({"tables": [{"table": "nothing", "columns": {"a": [1]}}]}, 422),
    ({"tables": [{"table": "device.devices", "columns": {"uid": ["u"], "nothing": [1]}}]}, 422),
    ({"tables": [{"table": "device.devices", "columns": {"uid": ["u"], "name": ["a", "b"]}}]}, 422),
    ({"tables": [{"table": "device.devices", "columns": {"uid": ["u"], "name": [5]}}]}, 422),
    ({"tables": [{"table": "device.devices", "columns": {"name": ["a"]}}]}, 422),
    ({"tables": []}, 400),
    ({"source": "../x"}, 400),
    ({"epoch": "x"}, 400),
    ({"sequence": 0}, 400),
    ({"received": NOW * 2}, 422),
]


def test_bad_batches(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for change, status in BAD:
            answer = await client.post(f"{API}/import", json=BATCH | change)
            assert answer.status_code == status, (change, answer.text)
            assert (await client.post(f"{API}/query", json={"text": "devices"})).json()["rows"] == [], change

    play(scene)


def test_bad_packing(play: Play) -> None:
    bomb = gzip.compress(b" " * (UNPACKED + 1))
    cut = gzip.compress(json.dumps(BATCH).encode())[:-9]

    async def scene(house: House) -> None:
        client = await house.program()
        for content, encoding, status in (
            (bomb, "gzip", 413),
            (cut, "gzip", 400),
            (b"x", "gzip", 400),
            (b"{}", "br", 415),
        ):
            headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
            answer = await client.post(f"{API}/import", content=content, headers=headers)
            assert answer.status_code == status, answer.text

    play(scene)


CONFIGURED: list[dict[str, Any]] = [
    written(Campaign("welcome", {"mood": "How are you?"})),
    written(Trend("remote", {"score": FLOAT})),
    written(CustomField("device.devices", "unit")),
]


def test_rows_bring_what_they_need_configured(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        unit = [[{"name": "unit", "text": "Sales"}], None]
        columns = {"uid": ["u1", "u2"], "name": ["one", "two"], "custom_fields": unit}
        answers = [[{"name": "mood", "text": "Fine"}]]
        responses = {"time": [NOW], "@campaign": ["#welcome"], "@device": ["u1"], "answers": answers}
        snapshots = {
            "start_time": [NOW - 86_400_000_000],
            "end_time": [NOW],
            "@custom_trend": ["#remote"],
            "@device": ["u2"],
            "values": [[{"name": "score", "real": 0.5}]],
        }
        tables = [
            {"table": "device.devices", "columns": columns},
            {"table": "campaign.responses", "columns": responses},
            {"table": "custom_trend.snapshots", "columns": snapshots},
        ]
        said = await client.post(f"{API}/import", json=BATCH | {"tables": tables, "configured": CONFIGURED})
        assert said.json()["rows"] == 4, said.text
        for text, rows in (
            ('devices | where #unit == "sales" | list name', [["one"]]),
            ("campaign.#welcome.responses | list device.name, answers.mood.label", [["one", "Fine"]]),
            ("custom_trend.#remote.snapshots | list device.name, score", [["two", 0.5]]),
        ):
            answer = await client.post(f"{API}/query", json={"text": text})
            assert answer.json()["rows"] == rows, answer.text

    play(scene)


def test_items_alone_and_again(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        only = BATCH | {"tables": [], "configured": CONFIGURED}
        for _ in range(2):
            assert (await client.post(f"{API}/import", json=only)).json() == {
                "sequence": 1,
                "rows": 0,
                "duplicate": False,
            }
        found = await client.post(f"{API}/query", json={"text": "campaign.welcome.responses | list comments.mood"})
        assert found.json()["rows"] == []

    play(scene)


def test_bad_items(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for form in ({"kind": "survey"}, {"kind": "campaign", "nql_id": "a b", "questions": {}, "parameters": []}):
            answer = await client.post(f"{API}/import", json=BATCH | {"configured": [form]})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_item"), answer.text
        await client.post(f"{API}/import", json=BATCH | {"tables": [], "configured": CONFIGURED})
        other = [written(CustomField("device.devices", "unit", FLOAT))]
        answer = await client.post(f"{API}/import", json=BATCH | {"configured": other})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "changed_field")

    play(scene)


def test_items_need_imports_turned_on(settings: Settings) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        answer = await client.post(f"{API}/import", json=BATCH | {"configured": CONFIGURED})
        assert answer.status_code == 403
        assert house.portal.control.configured.everything() == []

    play_in(replace(settings, imports=False), scene)
