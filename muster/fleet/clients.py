"""Other people's clients beside the load, in a process of their own: each asks, waits, and asks for something else.

In: on standard input, where the portal is, a credential for each client, devices, for how long. Out: one JSON line for
each thing that a client did: what, how many milliseconds it took, the worst status of its requests (0: there was no
answer). Invariant: they share nothing with the load but the portal, and ask it as their documents say: a token, then
requests with it; a refusal of any kind counts as what it is, and is not asked again.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import httpx

QUERIES = {
    "#load_named": "devices | where name == $name | list name, operating_system.name, last_seen",
    "#load_counted": "devices | summarize devices = count() by operating_system.platform",
}
EXPORTED = "#load_all"
SAVED = QUERIES | {EXPORTED: "devices | list name, operating_system.name, first_seen, last_seen"}
SHARES = (("query", 80), ("run", 12), ("export", 8))  # of a hundred things that a client does
AGAIN = 0.5  # seconds between looks at an export
PATIENCE = 120.0  # seconds for anything
GOOD = frozenset({200, 206})
Done = tuple[str, float, int]


@dataclass(frozen=True, slots=True)
class Task:
    """What the clients are told. `pause` is how many seconds a client waits between two things, on average."""

    url: str
    credentials: Sequence[tuple[str, str]]
    devices: Sequence[str]
    action: str
    seconds: float
    pause: float
    seed: int


class Client:
    """One of them."""

    def __init__(self, task: Task, number: int, http: httpx.AsyncClient) -> None:
        self._task, self._number, self._http = task, number, http
        self._dice = random.Random(f"client {task.seed} {number}")
        self._worst = 200

    async def work(self, tell: Callable[[Done], None]) -> None:
        """Until the time is over."""
        ends = time.monotonic() + self._task.seconds
        await asyncio.sleep(self._dice.random() * 2 * self._task.pause)  # they do not all come at once
        await self._timed("token", self._sign_in, tell)
        kinds = {"query": self._query, "run": self._run, "export": self._export}
        while time.monotonic() < ends:
            [kind] = self._dice.choices([name for name, _ in SHARES], [share for _, share in SHARES])
            await self._timed(kind, kinds[kind], tell)
            await asyncio.sleep(self._dice.random() * 2 * self._task.pause)

    async def _timed(self, kind: str, what: Callable[[], Awaitable[None]], tell: Callable[[Done], None]) -> None:
        began, self._worst = time.monotonic(), 200
        try:
            await what()
        except (httpx.HTTPError, KeyError, ValueError):
            self._worst = 0
        tell((kind, (time.monotonic() - began) * 1000, self._worst))

    async def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = await self._http.request(method, path, **more)
        if answer.status_code not in GOOD:
            self._worst = answer.status_code
        return answer

    async def _sign_in(self) -> None:
        form = {"grant_type": "client_credentials", "scope": "service:integration"}
        answer = await self._asked(
            "POST", "/oauth2/default/v1/token", data=form, auth=tuple(self._task.credentials[self._number])
        )
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def _query(self) -> None:
        query = self._dice.choice(sorted(QUERIES))
        named = {"name": f"load-{self._dice.randrange(max(1, len(self._task.devices))):06d}"}
        version = self._dice.choice(["v1", "v2"])
        body = {"queryId": query, "parameters": named if query == "#load_named" else {}}
        await self._asked("POST", f"/api/{version}/nql/execute", json=body)

    async def _run(self) -> None:
        devices = self._dice.sample(self._task.devices, min(3, len(self._task.devices)))
        body = {"remoteActionId": self._task.action, "devices": devices, "params": {}}
        await self._asked("POST", "/api/v1/act/execute", json=body)

    async def _export(self) -> None:
        begun = await self._asked("POST", "/api/v1/nql/export", json={"queryId": EXPORTED, "compression": "GZIP"})
        if begun.status_code not in GOOD:
            return
        address = f"/api/v1/nql/status/{begun.json()['exportId']}"
        async with asyncio.timeout(PATIENCE):
            while (said := await self._asked("GET", address)).json()["status"] in ("SUBMITTED", "IN_PROGRESS"):
                await asyncio.sleep(AGAIN)
        if said.json()["status"] != "COMPLETED":
            self._worst = 500
            return
        await self._asked("GET", said.json()["resultsFileUrl"])


async def work(task: Task, tell: Callable[[Done], None]) -> None:
    """All clients at work."""
    async with asyncio.TaskGroup() as group:
        for number in range(len(task.credentials)):
            group.create_task(_one(task, number, tell))


async def _one(task: Task, number: int, tell: Callable[[Done], None]) -> None:
    async with httpx.AsyncClient(base_url=task.url, timeout=PATIENCE, trust_env=False) as http:
        await Client(task, number, http).work(tell)


# --- the side of the load ----------------------------------------------------------------------
async def measured(task: Task, begun: asyncio.Event) -> list[Done]:
    """Have the clients work in a process of their own; everything that they did. `begun` is set once they do."""
    command = [sys.executable, "-m", "muster.fleet.clients"]
    child = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 20)
    assert child.stdin is not None
    assert child.stdout is not None
    done = list[Done]()
    try:
        child.stdin.write(json.dumps(asdict(task)).encode())
        child.stdin.close()
        async for line in child.stdout:
            kind, ms, status = json.loads(line)
            done.append((kind, ms, status))
            begun.set()
        await child.wait()
    finally:
        begun.set()
        with suppress(ProcessLookupError):
            child.kill()
    return done


def figures(done: Iterable[Done], seconds: float) -> dict[str, float]:
    """What they did, in figures: how much, how long it took by kind, how much of it was refused or lost."""
    done = list(done)
    wrong = sum(status not in GOOD for _, _, status in done)
    made = {"clients_requests_per_second": len(done) / seconds, "clients_errors": float(wrong)}
    made["clients_error_rate"] = wrong / max(1, len(done))
    for kind in ("token", *(name for name, _ in SHARES)):
        took = sorted(ms for name, ms, status in done if name == kind and status in GOOD)
        if took:
            made |= {
                f"clients_{kind}_count": float(len(took)),
                f"clients_{kind}_p50_ms": took[len(took) // 2],
                f"clients_{kind}_p99_ms": took[min(len(took) - 1, len(took) * 99 // 100)],
            }
    return made


def wrong(done: Iterable[Done]) -> list[str]:
    """What was refused or lost, in words."""
    counts: dict[tuple[str, int], int] = {}
    for kind, _, status in done:
        if status not in GOOD:
            counts[kind, status] = counts.get((kind, status), 0) + 1
    return [f"clients: {count} x {kind} got {status or 'no answer'}" for (kind, status), count in counts.items()]


if __name__ == "__main__":
    asyncio.run(work(Task(**json.loads(sys.stdin.read())), lambda done: print(json.dumps(done), flush=True)))
