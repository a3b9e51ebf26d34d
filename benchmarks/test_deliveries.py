"""What one single-result delivery costs the portal: a device fetches its order, says that it began, and how it ended.

In: a run with one execution for each device, on real files (`synchronous=FULL`). Once through `Control` from several
threads; once through the portal's ASGI app, with every signature a device and the portal make, but without sockets.
Out: deliveries a second of processor time. Only the portal's side is counted: what the devices do is made before or
between. Beside it what it costs to begin runs. `MUSTER_BENCH_DELIVERIES` changes the number of devices.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_benchmark.fixture import BenchmarkFixture

from agent import statements, wire
from portal.app import Portal, build
from portal.logs import configure
from portal.settings import Settings
from storage.control.api import Control, open_control
from storage.control.dispatch import Order
from storage.control.manifest import Manifest
from storage.control.outcomes import Outcome
from storage.control.runs import Run, RunRequest
from storage.control.states import State

DEVICES = int(os.environ.get("MUSTER_BENCH_DELIVERIES", "2000"))
THREADS = 16  # as many as the portal has for the control database
AT_ONCE = 64  # requests under way
ROUNDS = 100  # runs of 80 devices
HOUR = 3_600_000_000
NOW = 1_767_264_000_000_000
LATER = NOW + 10_000_000
SCRIPT = {"linux": {"language": "bash", "text": "true\n"}}
SAID = {"nql_id": "#look", "name": "Look", "scripts": SCRIPT, "outputs": [{"name": "word", "type": "string"}]}
Ask = tuple[str, bytes, list[tuple[bytes, bytes]]]  # path, body, headers


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    opened = open_control(tmp_path / "control" / "control.db", now=NOW)
    opened.actions.save_action(msgspec.convert(SAID, Manifest), by="portal", now=NOW)
    yield opened
    opened.close()


@pytest.fixture
def logs() -> Iterator[None]:
    """Logs as a portal at work writes them."""
    configure()
    yield
    structlog.reset_defaults()


def run_of(control: Control, devices: list[str]) -> Run:
    """A run of the action on devices."""
    return control.create_run(RunRequest("#look", tuple(devices), "ann", NOW + HOUR), now=NOW)[0]


def test_deliveries_of_the_control_database(
    control: Control, benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = [f"device-{number:05d}" for number in range(DEVICES)]
    run = run_of(control, devices)

    def deliver(device: str) -> None:
        with control.one_instant():
            [order] = control.dispatch.claim_work(device, now=NOW + 1, held=[])
            control.dispatch.cancellations(device)
        control.together(lambda: finish(order))

    def finish(order: Order) -> None:
        named = (order.run, order.device, order.attempt)
        control.dispatch.record_started(*named, started_at=NOW + 2, now=NOW + 2)
        outcome = Outcome(State.SUCCESS, 0, {"word": "done"}, started_at=NOW + 2, finished_at=NOW + 3)
        control.dispatch.record_finished(*named, outcome, now=NOW + 3)

    def everything() -> float:
        before = time.process_time()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(deliver, devices))
        return time.process_time() - before

    took = benchmark.pedantic(everything, rounds=1, iterations=1)  # type: ignore[no-untyped-call]
    assert control.executions.counts(run.id)[run.id] == {"success": DEVICES}
    assert control.audit.verify().broken is None
    tell(benchmark, capsys, "deliveries in the control database", DEVICES, took)


def test_beginning_runs(control: Control, benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    groups = [[f"device-{number:05d}-{group}" for number in range(80)] for group in range(ROUNDS)]

    def everything() -> float:
        before = time.process_time()
        control.together(lambda: [run_of(control, group) for group in groups])
        return time.process_time() - before

    took = benchmark.pedantic(everything, rounds=1, iterations=1)  # type: ignore[no-untyped-call]
    assert control.audit.verify().broken is None
    tell(benchmark, capsys, "runs of 80 devices begun", ROUNDS, took)


@dataclass
class Device:
    """What a device signs with."""

    uid: str
    key: Ed25519PrivateKey

    def ask(self, path: str, body: bytes, now: int, nonce: str) -> Ask:
        """A signed request."""
        signature = self.key.sign(statements.request_bytes(self.uid, "POST", path, now, nonce, body))
        said = {
            wire.DEVICE_HEADER: self.uid,
            wire.TIME_HEADER: str(now),
            wire.NONCE_HEADER: nonce,
            wire.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
            "Content-Type": "application/json",
        }
        return path, body, [(name.lower().encode(), text.encode()) for name, text in said.items()]

    def report(self, order: wire.Order, state: wire.State, now: int, **facts: Any) -> wire.Report:
        """A signed report."""
        outcome = wire.encode(wire.Outcome(now, **facts))
        said = statements.report_bytes(order.run, self.uid, order.attempt, order.nonce, state, outcome)
        return wire.Report(order.run, order.attempt, order.nonce, state, msgspec.Raw(outcome), self.key.sign(said))


def test_deliveries_of_the_portal(
    tmp_path: Path, logs: None, benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [NOW + 5]
    app = build(Settings(tmp_path / "data"), clock=lambda: clock[0])

    async def everything() -> float:
        async with app.router.lifespan_context(app):
            portal: Portal = app.state.portal
            devices = enrolled(portal.control)
            portal.control.actions.save_action(msgspec.convert(SAID, Manifest), by="portal", now=NOW)
            run = run_of(portal.control, [device.uid for device in devices])
            pull = wire.encode(wire.Pull(2))
            pulls = [device.ask(wire.WORK, pull, NOW + 5, f"{number:022d}") for number, device in enumerate(devices)]
            taken, answers = await measured(app, pulls)
            clock[0] = LATER  # nothing is remembered of the devices any more
            reports = [reported(device, answer) for device, answer in zip(devices, answers, strict=True)]
            stored, answers = await measured(app, reports)
            verdicts = [one for body in answers for one in msgspec.json.decode(body, type=wire.Verdicts).verdicts]
            assert {one.verdict for one in verdicts} == {"accepted"}
            assert portal.control.executions.counts(run.id)[run.id] == {"success": DEVICES}
            return taken + stored

    took = benchmark.pedantic(lambda: asyncio.run(everything()), rounds=1, iterations=1)  # type: ignore[no-untyped-call]
    tell(benchmark, capsys, "deliveries through the portal", DEVICES, took)


def enrolled(control: Control) -> list[Device]:
    """Devices with real keys."""
    made = control.enrolment.create_enrol_keys(DEVICES, simulated=False, expires_at=NOW + HOUR, by="portal", now=NOW)

    def all_of_them() -> list[Device]:
        devices = []
        for _, secret in made:
            key = Ed25519PrivateKey.generate()
            public = key.public_key().public_bytes_raw()
            device = control.enrolment.consume_enrol_key(secret, public, public, "pc", now=NOW)
            devices.append(Device(device.uid, key))
        return devices

    return control.together(all_of_them)


def reported(device: Device, answer: bytes) -> Ask:
    """The start and the end of the one order in an answer."""
    [order] = msgspec.json.decode(answer, type=wire.Work).orders
    began = device.report(order, "in_progress", NOW + 5, started_at=NOW + 5)
    times = {"started_at": NOW + 5, "finished_at": NOW + 5}
    ended = device.report(order, "success", NOW + 5, exit_code=0, outputs={"word": "done"}, **times)
    body = wire.encode(wire.Reports([began, ended]))
    return device.ask(wire.REPORTS, body, LATER, f"r{order.nonce}")


async def measured(app: Any, asks: list[Ask]) -> tuple[float, list[bytes]]:
    """Seconds of the processor for all requests, and the bodies of the answers."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(ask: Ask) -> bytes:
        async with room:
            return await posted(app, *ask)

    before = time.process_time()
    answers = await asyncio.gather(*(one(ask) for ask in asks))
    return time.process_time() - before, answers


async def posted(
    app: Callable[..., Awaitable[None]], path: str, body: bytes, headers: list[tuple[bytes, bytes]]
) -> bytes:
    """The body of the answer to a request that is given to the app itself."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "state": {},
        "headers": [*headers, (b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())],
        "client": ("192.0.2.1", 1), "server": ("portal", 80),
    }  # fmt: skip
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await app(scope, receive, send)
    assert said[0]["status"] == 200, said
    return b"".join(message.get("body", b"") for message in said)


def tell(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], what: str, count: int, took: float) -> None:
    """Say what was measured."""
    benchmark.extra_info.update(processor=took, per_second=count / took)
    with capsys.disabled():
        print(f"\n{what}: {count / took:.0f} a second of processor time ({took / count * 1000:.2f} ms each)")
