"""An enrolled device in wrong hands against a running portal: what it sends costs it its own message and nothing else.

Comes in: a portal at work, a device made by hand that signs whatever it likes. Goes out: what people see, and what is
left of the portal. Invariant: after each attack an honest device is still served. Cases that are tested elsewhere
stand in `cases`.
"""

from __future__ import annotations

import gzip
import pickle
import tracemalloc
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import polars as pl
import pyarrow as pa
import pytest

from agent import wire
from agent.wire_configuration import Fetch
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.agents.conftest import Served
from tests.portal.agents.conftest import served as served  # noqa: PLC0414  # a fixture
from tests.portal.agents.device import EPOCH, Device, enrolled
from tests.portal.agents.test_work import ask
from tests.portal.conftest import API, House, Play
from tests.portal.conftest import play as play  # noqa: PLC0414  # a fixture
from tests.portal.conftest import settings as settings  # noqa: PLC0414  # a fixture

pytestmark = pytest.mark.slow
PATHS = (wire.WORK, wire.REPORTS, wire.BATCHES, wire.CONFIG)
SCRIPT = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
MIB = 1 << 20
REFUSED = (400, 422)


def row(name: str) -> list[dict[str, Any]]:
    """A batch with the device's own name."""
    return [{"table": "device.devices", "columns": {"name": [name]}}]


async def served_still(device: Device, sequence: int = 1_000) -> None:
    """The portal takes what is right."""
    assert (await device.pull()).orders is not None
    assert (await device.store(row("pc"), sequence)).status_code == 200


def test_bombs_of_every_kind_leave_memory_as_it_was(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        deep = b'{"epoch":' + b"[" * 200_000
        bombs = [
            gzip.compress(b" " * (wire.BATCH_BYTES * 20), compresslevel=1),
            gzip.compress(gzip.compress(b"0" * (64 * MIB))),
            gzip.compress(deep),
            gzip.compress(b'{"epoch":"' + b"a" * (6 * MIB) + b'"}'),
            gzip.compress(
                wire.encode([{"table": "device.devices", "columns": {f"c{i}": [1] for i in range(100_000)}}])
            ),
        ]
        assert all(len(bomb) < wire.MOST_BYTES[wire.BATCHES] for bomb in bombs)
        tracemalloc.start()
        try:
            for bomb in bombs * 3:
                assert (await device.send(wire.BATCHES, bomb)).status_code in (413, 422)
            left, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 8 * wire.BATCH_BYTES
        assert left < wire.BATCH_BYTES
        await served_still(device)

    play(scene)


UNKNOWN = ("", "SUCCESS", "exploded", "lost_contact", "waiting_on_device", "in_progress\0", "é" * 500)


def test_unknown_words_cost_only_their_message(play: Play) -> None:
    async def scene(house: House) -> None:
        device, honest = await enrolled(house, "rogue"), await enrolled(house, "honest")
        run = ask(house, device)
        [order] = (await device.pull()).orders
        good: dict[str, Any] = msgspec.json.decode(wire.encode(device.report(order, "success", exit_code=0)))
        bodies: list[tuple[str, dict[str, Any]]] = [
            (wire.REPORTS, {"reports": [{**good, "state": word}]}) for word in UNKNOWN
        ]
        bodies += [(wire.REPORTS, {"reports": [good], field: 1}) for field in ("version", "kind")][1:]
        bodies += [(wire.REPORTS, {"reports": [{**good, field: [{}]}]}) for field in good]
        rooms: tuple[Any, ...] = (-1, 1 << 70, "2", None, 1.5, [])
        bodies += [(wire.WORK, {"room": room}) for room in rooms]
        bodies += [(wire.WORK, {"room": 1, "version": 99}), (wire.CONFIG, {"tag": 5}), (wire.CONFIG, {"tags": ""})]
        for path, body in bodies:
            answer = await device.send(path, wire.encode(body))
            refused = answer.status_code == 200 and '"verdict":"refused"' in answer.text  # its outcome alone
            assert refused or answer.status_code in REFUSED, (path, body, answer.text)
        assert house.portal.control.executions.execution(run.id, device.told.device).state is State.WAITING_ON_DEVICE
        assert await device.tell(device.report(order, "success", exit_code=0)) == ["accepted"]
        await served_still(honest)

    play(scene)


NAMES = ("../../../../etc/cron.d/x", "..%2f..%2fx", "%2E%2E/x", "..\\..\\x", "/etc/passwd", "a/../../b", ".", "x\0y")


def test_no_name_of_an_agent_becomes_a_path(play: Play, tmp_path: Path) -> None:
    def files() -> set[str]:
        return {str(path) for path in tmp_path.parent.rglob("*") if path.is_file() and "segments" not in path.parts}

    async def scene(house: House) -> None:
        device = await enrolled(house)
        before = files()
        for number, name in enumerate(NAMES):
            answer = await device.store(row(name), number + 1)
            assert answer.status_code in (200, *REFUSED)
            for epoch in (name, f"{name}{EPOCH}"[:36]):
                batch = {"epoch": epoch, "sequence": 1, "sha256": "", "tables": []}
                sent = await device.send(wire.BATCHES, gzip.compress(wire.encode(batch)))
                assert sent.status_code in REFUSED
            held = {"room": 1, "held": [{"run": name, "attempt": 1}]}
            assert (await device.send(wire.WORK, wire.encode(held))).status_code in (200, *REFUSED)
            header = {wire.DEVICE_HEADER: name.replace("\0", "")}
            assert (await device.send(wire.WORK, b"{}", headers=header)).status_code in (401, 403)
        made = {Path(path).name for path in files() - before}
        assert not [name for name in made if name in {"x", "b", "passwd"}]
        await served_still(device)

    play(scene)


def test_markup_of_an_agent_is_text_in_every_view(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house, SCRIPT)
        assert (await device.store(row(SCRIPT))).status_code == 200
        run = ask(house, device)
        [order] = (await device.pull()).orders
        failed = device.report(order, "failure", exit_code=1, error=SCRIPT, detail=SCRIPT)
        assert await device.tell(failed) == ["accepted"]
        await house.settle()
        person = await house.browser()
        uid = device.told.device
        query = {"text": "devices | list name, uid"}
        views: list[httpx.Response] = [await person.post(f"{API}/query", json=query)]
        paths = (f"{API}/devices/{uid}", f"{API}/runs/{run.id}/executions", "/investigations", "/")
        views += [await person.get(path) for path in paths]
        for form in ("text/csv", "application/x-ndjson"):
            views.append(await person.post(f"{API}/query", json=query, headers={"Accept": form}))
        assert sum(view.status_code == 200 for view in views) >= 5
        for view in views:
            kind = view.headers.get("content-type", "")
            assert view.headers["x-content-type-options"] == "nosniff"
            if kind.startswith("text/html"):
                assert "<script>alert" not in view.text
                assert "<img src=x" not in view.text
                assert "unsafe-inline" not in view.headers["content-security-policy"].partition("script-src")[2][:200]
            elif view.status_code == 200:
                assert kind.split(";")[0] in ("application/json", "text/csv", "application/x-ndjson"), kind

    play(scene)


def test_stored_values_are_no_syntax(play: Play) -> None:
    async def scene(house: House) -> None:
        hostile = '" or true | list uid // '
        device, _ = await enrolled(house, hostile), await enrolled(house, "other")
        assert (await device.store(row(hostile))).status_code == 200
        await house.settle()
        client = await house.program()
        asked = {"text": "devices | where name == $name | list name", "parameters": {"name": hostile}}
        assert (await client.post(f"{API}/query", json=asked)).json()["rows"] == [[hostile]]
        for value in ("*", "x' OR '1'='1", "$name", "%", "_", "\\", "other\0"):
            wrong = {**asked, "parameters": {"name": value}}
            rows = (await client.post(f"{API}/query", json=wrong)).json().get("rows", [])
            assert rows == [] or value == "*", value
        for header in ("' OR 1=1 --", "x; DROP TABLE devices", "*"):
            sent = await device.send(
                wire.WORK, b"{}", headers={wire.DEVICE_HEADER: header.encode("ascii", "ignore").decode()}
            )
            assert sent.status_code == 401
        await served_still(device)

    play(scene)


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/muster-was-here"),))


def arrow() -> bytes:
    """A file of Arrow IPC with a dictionary."""
    sink = pa.BufferOutputStream()
    table = pa.table({"name": pa.array(["a"]).dictionary_encode()})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def parquet(folder: Path) -> bytes:
    """A file of Parquet."""
    pl.DataFrame({"name": ["a"]}).write_parquet(folder / "x.parquet")
    return (folder / "x.parquet").read_bytes()


def test_only_json_is_read(play: Play, tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        lying = bytearray(arrow())
        lying[4:8] = (0x7FFFFFFF).to_bytes(4, "little")
        inside = [pickle.dumps(Trap()), arrow(), bytes(lying), parquet(tmp_path), zlib.compress(b"{}")]
        inside += [msgspec.msgpack.encode({"room": 1}), b"!!python/object/apply:os.system", b'{"room": NaN}', b"<x/>"]
        for body in inside:
            for path in PATHS:
                sent = [body, gzip.compress(body)] if path == wire.BATCHES else [body]
                for one in sent:
                    assert (await device.send(path, one)).status_code in REFUSED, (path, body[:20])
            batch = {"epoch": EPOCH, "sequence": 1, "tables": body.hex()}
            batch["sha256"] = msgspec.to_builtins(sha256(wire.encode(body.hex())).digest())
            answer = await device.send(wire.BATCHES, gzip.compress(wire.encode(batch)))
            assert answer.status_code in REFUSED
        assert not Path("/tmp/muster-was-here").exists()
        assert (await device.send(wire.CONFIG, wire.encode(Fetch()))).status_code == 200
        await served_still(device)

    play(scene)


def test_an_empty_success_is_seen(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        run = ask(house, device)
        [order] = (await device.pull()).orders
        assert await device.tell(device.report(order, "success", exit_code=0)) == ["accepted"]
        await house.settle()
        client = await house.program()
        text = "remote_action.executions during past 24h | list status, outputs"
        assert (await client.post(f"{API}/query", json={"text": text})).json()["rows"] == [["success", "{}"]]
        shown = (await client.get(f"{API}/runs/{run.id}/executions")).json()["executions"]
        assert [one["outputs"] for one in shown] == [{}]

    play(scene)


def test_a_name_from_the_wire_calls_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        for name in ("_prep_auth_info", "__class__", "revoke_device", "control", "enrol.__globals__", "../work"):
            assert (await device.send(f"/agent/v1/{name}", b"{}")).status_code in (404, 405)
            bodies: tuple[dict[str, Any], ...] = (
                {"type": name},
                {"fun": name, "args": []},
                {"room": 1, "method": name},
            )
            for body in bodies:
                assert (await device.send(wire.WORK, wire.encode(body))).status_code in REFUSED
        await served_still(device)

    play(scene)


@pytest.mark.slow
def test_a_flood_of_wrong_tokens_holds_nobody_up(served: Served) -> None:
    people = 0
    with httpx.Client(base_url=served.url, timeout=10) as client:
        for number in range(400):
            wrong = {"Authorization": f"Bearer muster_{number:032d}_{'x' * 4000}"}
            assert client.get(f"{API}/runs", headers=wrong).status_code in (401, 429, 431)
            if number % 100 == 50:
                people += isinstance(served.get("/runs"), dict)
    assert people == 4


def test_what_a_device_says_of_its_end_is_its_own(play: Play) -> None:
    """An end that a rogue device makes up is its own execution's and no other's."""

    async def scene(house: House) -> None:
        rogue, other = await enrolled(house, "rogue"), await enrolled(house, "other")
        run = ask(house, rogue, other)
        [order] = (await rogue.pull()).orders
        assert await rogue.tell(rogue.report(order, "success", exit_code=0, outputs={"files": 7})) == ["accepted"]
        execution = house.portal.control.executions.execution(run.id, other.told.device)
        assert execution.state is State.WAITING_ON_DEVICE
        house.answer(run.id, other.told.device, Outcome(State.FAILURE, 1))
        assert house.portal.control.executions.execution(run.id, other.told.device).state is State.FAILURE

    play(scene)
