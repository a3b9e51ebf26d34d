"""A portal whose closed days lie in an object store that stops answering: what lies here has answers, what lies only
there is refused with a way out; health and figures tell it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.settings import Settings
from storage.tables.lake import lake_files
from storage.tables.manifest import read_manifest
from storage.tables.rows import Batch, Rows
from tests.portal.conftest import API, HOUR, NOW, SECOND, House, eventually, play_in
from tests.s3 import URL, object_store

pytestmark = pytest.mark.slow

OLD = "execution.events from 2025-12-28 to 2025-12-30 | summarize n = device.count()"
FRESH = "execution.events past 1h | summarize n = device.count()"


def ran(number: int, at: int) -> Batch:
    """What a device tells of five quarters of an hour."""
    starts = [at + row * 900 * SECOND for row in range(5)]
    told: dict[str, list[object]] = {
        "@device": ["d"] * 5, "@binary": ["b"] * 5, "start_time": [*starts], "bucket_duration": [900 * SECOND] * 5,
        "end_time": [start + 900 * SECOND for start in starts],
    }  # fmt: skip
    return Batch("d", 1, "epoch", number, at, (Rows("device.devices", {"uid": ["d"]}), Rows("execution.events", told)))


def test_an_object_store_that_stops_answering(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.tables.mirror.LOOK", 0.1)

    async def scene(house: House) -> None:
        tables, folder = house.portal.tables, house.portal.settings.tables
        await tables.append(ran(1, NOW - 72 * HOUR))
        await tables.compact()
        await tables.append(ran(2, NOW - HOUR // 2 - 5 * 900 * SECOND))
        manifest = read_manifest(folder)
        assert manifest is not None
        named = lake_files(manifest)

        async def there() -> bool:
            return tables.lake is not None and tables.lake.files == len(named)

        await eventually(there)
        client = await house.program()
        assert (await client.get("/healthz")).json()["status"] == "ok"
        for name in named:
            (folder / name).unlink()
        brought = await client.post(f"{API}/query", json={"text": OLD})
        assert (brought.status_code, brought.json()["rows"]) == (200, [[1]]), brought.text
        for name in named:
            (folder / name).unlink(missing_ok=True)
        store.stop()
        refused = await client.post(f"{API}/query", json={"text": OLD})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "lake_away")
        assert "execution.events of 2025-12-29" in refused.json()["error"]["message"]
        answered = await client.post(f"{API}/query", json={"text": FRESH})
        assert answered.status_code == 200, answered.text

        async def told() -> bool:
            house.time.now += 61 * SECOND
            health = await client.get("/healthz")
            return (health.status_code, health.json()["status"]) == (200, "behind")

        await eventually(told, 60.0)
        figures = (await client.get("/metrics")).text
        assert "muster_lake_behind 1.0" in figures
        assert f'muster_lake_files{{is="there"}} {len(named)}.0' in figures

    with object_store(monkeypatch) as store:
        play_in(replace(settings, lake=URL, query_here=0), scene)
