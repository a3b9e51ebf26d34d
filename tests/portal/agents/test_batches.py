"""Telemetry: what is right is stored once, what is wrong is refused with a reason and stops nothing.

Comes in: batches made by hand, most of them hostile. Goes out: answers, and what a query then sees. Invariant: after
every refusal a right batch is stored.
"""

from __future__ import annotations

import gzip
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import wire
from portal.settings import Settings
from storage.tables.files import Files
from tests.portal.agents.device import EPOCH, code, enrolled
from tests.portal.conftest import NOW, SECOND, House, Play, play_in

pytestmark = pytest.mark.slow
BUCKET = 300 * SECOND
DAY = 86_400 * SECOND
TIMES = {"start_time": [NOW - BUCKET], "end_time": [NOW]}


def device_row(name: str = "pc") -> list[dict[str, Any]]:
    """The least a device says of itself."""
    return [{"table": "device.devices", "columns": {"name": [name], "hardware.memory": [8 << 30]}}]


def load(**changed: Any) -> list[dict[str, Any]]:
    """One row of load."""
    columns = TIMES | {f"free_memory.{part}": [1] for part in ("sum", "count", "min", "max")}
    return [{"table": "device_performance.events", "columns": columns | changed}]


def test_rows_are_stored_once(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        first = await device.store(device_row() + load())
        assert first.json() == {"sequence": 1, "rows": 2, "duplicate": False}
        again = await device.store(device_row() + load())
        assert again.json() == {"sequence": 1, "rows": 0, "duplicate": True}
        client = await house.program()
        query = {"text": 'devices | where name == "pc" | list name, hardware.memory, uid'}
        answer = await client.post("/api/muster/v1/query", json=query)
        assert answer.json()["rows"] == [["pc", 8 << 30, device.told.device]]

    play(scene)


HOSTILE: list[tuple[str, Any]] = [
    ("no table", [{"table": "nobody.knows", "columns": {"a": [1]}}]),
    ("no column", [{"table": "device.devices", "columns": {"nobody": ["x"]}}]),
    ("set by the server", [{"table": "device.devices", "columns": {"simulated": [False]}}]),
    ("set by the server", [{"table": "device.devices", "columns": {"first_seen": [NOW]}}]),
    ("another device", [{"table": "device.devices", "columns": {"uid": ["another"], "name": ["x"]}}]),
    ("another device", load(**{"@device": ["another"]})),
    ("not written by agents", [{"table": "remote_action.executions", "columns": {"time": [NOW]}}]),
    ("equally long", [{"table": "device.devices", "columns": {"name": ["a"], "hardware.memory": [1, 2]}}]),
    ("device.devices.name", [{"table": "device.devices", "columns": {"name": [{"deep": 1}]}}]),
    ("device.devices.name", [{"table": "device.devices", "columns": {"name": ["x" * 5000]}}]),
    ("hardware.type", [{"table": "device.devices", "columns": {"name": ["a"], "hardware.type": ["toaster"]}}]),
    ("future", load(start_time=[NOW + 2 * DAY], end_time=[NOW + 3 * DAY])),
    ("past", load(start_time=[NOW - 40 * DAY], end_time=[NOW - 40 * DAY + 1])),
    ("lasts", load(end_time=[NOW - BUCKET])),
    ("lacks", [{"table": "device_performance.events", "columns": dict(TIMES, **{"free_memory.sum": [1]})}]),
    ("form", {"table": "device.devices"}),
    ("form", [{"table": "device.devices", "columns": {}}]),
    ("form", [{"table": "device.devices", "columns": {f"c{i}": [1] for i in range(201)}}]),
    ("form", [{"table": "device.devices", "columns": {"name": ["a"]}, "more": 1}]),
    ("50000 rows", [{"table": "session.logins", "columns": {"time": [NOW] * 30_000}}] * 2),
]  # fmt: skip


def test_hostile_rows_are_refused_with_a_reason(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        for number, (reason, tables) in enumerate(HOSTILE):
            answer = await device.store(tables, number + 1)
            assert code(answer) == (422, "refused_rows"), (reason, answer.text)
            assert reason in answer.json()["error"]["message"], (reason, answer.text)
        assert (await device.store(device_row(), len(HOSTILE) + 1)).json()["rows"] == 1

    play(scene)


def test_hostile_envelopes_are_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        raw = wire.encode(device_row())
        good = wire.encode(wire.Batch(EPOCH, 1, sha256(raw).digest(), msgspec.Raw(raw)))
        bomb = gzip.compress(b" " * (wire.BATCH_BYTES * 5), compresslevel=1)
        assert len(bomb) < 1 << 18
        bodies = [
            b"", b"no gzip", good, bomb, gzip.compress(good)[:-9], gzip.compress(good) + b"x", zlib.compress(good),
            gzip.compress(b"[" * 100_000), gzip.compress(good.replace(b'"sequence":1', b'"sequence":0')),
            gzip.compress(good.replace(EPOCH.encode(), b"../../../../etc/passwd")), gzip.compress(b"\xff\xfe"),
        ]  # fmt: skip
        for body in bodies:
            assert code(await device.send(wire.BATCHES, body)) == (422, "refused_rows"), body[:40]
        assert code(await device.store(device_row(), digest=bytes(32))) == (422, "refused_rows")
        assert (await device.send(wire.BATCHES, gzip.compress(good))).json()["rows"] == 1

    play(scene)


class FullDisk(Files):
    """A disk that has no room while `full`."""

    full = False

    def write(self, *arguments: Any, **named: Any) -> Any:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(*arguments, **named)


def test_a_full_disk_is_said_and_passes(tmp_path: Path) -> None:
    files = FullDisk()

    async def scene(house: House) -> None:
        device = await enrolled(house)
        files.full = True
        answer = await device.store(device_row())
        assert answer.status_code in (503, 507)
        assert answer.headers["Retry-After"].isdigit()
        assert wire.SIGNATURE_HEADER in answer.headers
        client = await house.program()
        assert (await client.post("/api/muster/v1/query", json={"text": "devices"})).status_code == 200
        files.full = False
        house.time.now += 60 * SECOND
        assert (await device.store(device_row())).json()["rows"] == 1

    play_in(Settings(tmp_path / "data"), scene, files)
