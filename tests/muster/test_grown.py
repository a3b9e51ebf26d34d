"""Several portals on one PostgreSQL and one store process: the real programs, killed, paused and restarted.

Comes in: a PostgreSQL server, two portals, a store and its standby, each a process. Goes out: what their clients were
told and what they see. Invariant: what was acknowledged is in every later answer of every portal, once.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from muster.clock import now
from storage.control.api import open_control
from tests.faults.processes import Program, free_port, muster, wait_until
from tests.postgres import PASSWORD, Server, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
EPOCH = "01234567-89ab-cdef-0123-456789abcdef"
WORD = "correct horse battery"
ASKED = "devices | list name"


class Grown:
    """The programs of one deployment."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.data, self.socket = folder, folder / "data", folder / "store.sock"
        shared = ["--data", str(self.data), "--control", url]
        self.stores = [
            Program(["muster", "store", *shared, "--listen", f"unix:{self.socket}"], folder / f"store{n}.log")
            for n in range(2)
        ]
        self.ports = [free_port(), free_port()]
        serve = ["muster", "serve", *shared, "--store", f"unix:{self.socket}", "--imports"]
        self.portals = [Program([*serve, "--port", str(port)], folder / f"portal{port}.log") for port in self.ports]
        self.clients = [httpx.Client(base_url=f"http://127.0.0.1:{p}/api/muster/v1", timeout=40) for p in self.ports]
        self._numbers = count(1)

    def begin(self) -> None:
        self.stores[0].start()
        wait_until(lambda: "answers on" in self.said(0), "the store to answer", 60)
        self.stores[1].start()
        for portal in self.portals:
            portal.start()
        for client in self.clients:
            wait_until(lambda c=client: alive(c), "a portal to answer", 90)  # type: ignore[misc]
        muster("users", "create", "tester", "--generate", "--permissions", "all", "--data", str(self.data))
        token = muster("tokens", "create", "tests", "--account", "tester", "--data", str(self.data))
        for client in self.clients:
            client.headers["Authorization"] = f"Bearer {token['secret']}"
        wait_until(lambda: "waits until it is gone" in self.said(1), "the standby to wait", 60)

    def said(self, store: int) -> str:
        path = self.folder / f"store{store}.log"
        return path.read_text() if path.exists() else ""

    def number(self) -> int:
        return next(self._numbers)

    def send(self, portal: int, number: int) -> dict[str, Any] | None:
        """Import a device through a portal; what it said, None if it did not take it."""
        columns = {"uid": [f"00000000-0000-4000-8000-{number:012}"], "name": [f"d{number}"]}
        tables = [{"table": "device.devices", "columns": columns}]
        batch = {"source": "test", "epoch": EPOCH, "sequence": number, "tables": tables}
        try:
            answer = self.clients[portal].post("/import", json=batch)
        except httpx.TransportError:
            return None
        if answer.status_code == 200:
            said: dict[str, Any] = answer.json()
            return said
        assert answer.status_code in (500, 503, 507), answer.text
        return None

    def names(self, portal: int) -> list[str]:
        answer = self.clients[portal].post("/query", json={"text": ASKED, "limit": 100_000})
        assert answer.status_code == 200, answer.text
        return sorted(row[0] for row in answer.json()["rows"])

    def end(self) -> None:
        for program in (*self.portals, *self.stores):
            program.stop()
        for client in self.clients:
            client.close()


def alive(client: httpx.Client) -> bool:
    try:
        return client.get(f"{client.base_url.copy_with(path='/healthz')}").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def grown(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PGPASSWORD", PASSWORD)
        url = server.empty()
        patch.setenv("MUSTER_CONTROL", url)
        made = Grown(tmp_path_factory.mktemp("grown"), url)
        stack.callback(made.end)
        made.begin()
        yield made


def test_a_row_acknowledged_through_one_is_in_the_next_answer_of_the_other(grown: Grown) -> None:
    for turn in range(20):
        number = grown.number()
        said = grown.send(turn % 2, number)
        assert said is not None
        assert not said["duplicate"]
        assert f"d{number}" in grown.names(1 - turn % 2)


def test_a_batch_resent_through_the_other_is_stored_once(grown: Grown) -> None:
    number = grown.number()
    first, again = grown.send(0, number), grown.send(1, number)
    assert first is not None
    assert again is not None
    assert (first["duplicate"], again["duplicate"], again["rows"]) == (False, True, 0)
    for portal in (0, 1):
        assert grown.names(portal).count(f"d{number}") == 1


def test_a_run_asked_for_through_one_is_seen_once_through_both(grown: Grown) -> None:
    asked = "platform.audit_logs past 1h | where action == 'account.created' | list subject"
    seen = []
    for client in grown.clients:
        wait_until(
            lambda c=client: bool(c.post("/query", json={"text": asked}).json()["rows"]),  # type: ignore[misc]
            "the log to be in the tables",
        )
        seen.append(client.post("/query", json={"text": asked}).json()["rows"])
    assert seen[0] == seen[1]
    assert len(seen[0]) == 1


def test_postgres_restarted_under_load_loses_nothing(grown: Grown, server: Server) -> None:
    def restart() -> None:
        for how in ("fast", "immediate"):
            time.sleep(1)
            server.stop(how)
            server.start()

    sent = under_load(grown, restart)
    check(grown, sent)


def test_a_standby_serves_within_ten_seconds_of_a_kill_and_nothing_is_lost(grown: Grown) -> None:
    took: list[float] = []

    def kill() -> None:
        os.kill(grown.stores[0].pid, signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: "answers on" in grown.said(1), "the standby to serve", 10)
        took.append(time.monotonic() - began)
        grown.stores[0].reap()

    sent = under_load(grown, kill)
    assert took[0] < 10
    check(grown, sent)
    grown.stores[0].start()  # who comes back stands by
    wait_until(lambda: "waits until it is gone" in grown.said(0), "the former store to wait", 60)


def test_a_store_that_slept_longer_than_its_lease_writes_nothing_more(grown: Grown) -> None:
    sleeper = grown.stores[1]
    os.kill(sleeper.pid, signal.SIGSTOP)
    try:
        time.sleep(8)  # longer than the lease
        wait_until(lambda: "folder_held" in grown.said(0), "the other to have the lease", 20)
        assert "answers on" not in grown.said(0).rpartition("waits until it is gone")[2]  # the folder is locked
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    wait_until(lambda: not sleeper.alive, "the sleeper to end", 20)
    assert "lease_lost" in grown.said(1)
    number = grown.number()
    wait_until(lambda: grown.send(0, number) is not None, "a row to be taken", 30)
    assert f"d{number}" in grown.names(1)


def test_a_portal_that_is_stopped_is_waited_for_and_another_serves_its_site(grown: Grown) -> None:
    call = {"remoteActionUid": action(grown), "deviceUids": [enrolled(grown)], "timeoutSeconds": 1}
    account = {"name": "desk", "password": WORD, "permissions": ["query", "execute", "api"]}
    assert grown.clients[0].post("/accounts", json=account).status_code == 201

    def codes(portal: int) -> list[str]:
        url = f"http://127.0.0.1:{grown.ports[portal]}/api/remoteaction/v2/run"
        try:
            answer = httpx.post(url, json=call, auth=("desk", WORD), timeout=20)
        except httpx.TimeoutException:  # who was stopped held the lock of the database
            return ["no answer"]
        return [one["code"] for one in answer.json()] if answer.status_code == 200 else [answer.text]

    for portal in (0, 1):
        wait_until(lambda p=portal: codes(p) == ["ok"], "the site to be served", 60)  # type: ignore[misc]
    for stopped, asked in ((0, 1), (1, 0)) * 2:
        os.kill(grown.portals[stopped].pid, signal.SIGSTOP)
        try:
            if codes(asked) == ["timeout"]:
                wait_until(lambda p=asked: codes(p) == ["ok"], "the other to have the lease", 60)  # type: ignore[misc]
                return
        finally:
            os.kill(grown.portals[stopped].pid, signal.SIGCONT)
    raise AssertionError("neither of them served the site")


def action(grown: Grown) -> str:
    """The uid of an action."""
    manifest = {"nql_id": "#look", "name": "Look", "scripts": {"linux": {"language": "bash", "text": "true"}}}
    answer = grown.clients[0].post("/actions", json=manifest)
    uid: str = answer.json()["action"]["uid"]
    return uid


def enrolled(grown: Grown) -> str:
    """The uid of a device that was enrolled, and that the tables know."""
    key = grown.clients[0].post("/enrol-keys", json={}).json()["keys"][0]
    control = open_control(grown.data, now=now(), url=os.environ["MUSTER_CONTROL"])
    try:
        uid = control.enrolment.consume_enrol_key(key, b"k" * 32, b"k" * 32, "pc", now=now()).uid
    finally:
        control.close()
    wait_until(lambda: "pc" in grown.names(0) and "pc" in grown.names(1), "the tables to know the device", 30)
    return uid


def under_load(grown: Grown, event: Any) -> list[int]:
    """What was acknowledged, through both portals, while something happened and until more is acknowledged after."""
    stop: list[bool] = []
    acknowledged: list[int] = []

    def load(portal: int) -> None:
        while not stop:
            number = grown.number()
            while grown.send(portal, number) is None:  # as a device does: again, until it is told
                portal = 1 - portal
            acknowledged.append(number)

    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(load, worker % 2) for worker in range(4)]
        try:
            event()
            have = len(acknowledged)
            wait_until(lambda: len(acknowledged) > have + 20, "more to be acknowledged", 40)
        finally:
            stop.append(True)
        for worker in workers:
            worker.result()
    return acknowledged


def check(grown: Grown, sent: list[int]) -> None:
    for portal in (0, 1):
        names = grown.names(portal)
        assert len(names) == len(set(names))
        assert {f"d{number}" for number in sent} <= set(names)
