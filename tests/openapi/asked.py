"""A portal behind a socket and the process of schemathesis beside it, for as long as somebody asks.

In: a folder for the portal, how many requests a case has. Out: `Asking`, which runs one case by its number. Invariants:
the portal is the real one in a thread of its own; schemathesis and what it brings lie in a folder that no other test
loads from.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from portal.app import endpoints
from portal.endpoints import PREFIX
from portal.openapi import examples
from portal.settings import Settings
from tests.portal.conftest import House, opened
from tests.portal.modern.scenes import served
from tests.portal.test_openapi import ENDING, STREAM, World, world
from tests.storage.control.template import place

CLIENTS = Path(sys.prefix) / "clients"  # what requirements/clients.txt locks
TAKING = ("/revoke", "/erasures", "/erasures/{id}", "/password")
Things = dict[str, dict[str, str]]
GENERATED = Path(__file__).with_name("generated.py")


@dataclass
class Asking:
    """The process that asks. `operations` is how many there are."""

    process: subprocess.Popen[str]
    operations: int = 0

    def case(self, number: int) -> dict[str, Any]:
        """Run one case: its operation, how many requests it sent, what was wrong."""
        said: dict[str, Any] = json.loads(self._answer(str(number)))
        return said

    def _answer(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer, "the process of schemathesis ended"
        return answer


@contextmanager
def asking(data: Path, each: int) -> Iterator[Asking]:
    """A portal over a new folder, with a few devices and an action, and who asks it."""
    place(data / "control" / "control.db")
    told: Queue[tuple[str, str, Things]] = Queue()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[_portal(data, told, stop)])
    thread.start()
    try:
        address, token, things = told.get(timeout=60)
        command = [sys.executable, str(GENERATED), address, str(each)]
        env, pipe = {"PYTHONPATH": str(CLIENTS)}, subprocess.PIPE
        with subprocess.Popen(command, env=env, text=True, stdin=pipe, stdout=pipe) as process:
            asker = Asking(process)
            try:
                asker.operations = int(asker._answer(f"{token}\n{json.dumps(things)}"))
                yield asker
            finally:
                process.kill()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _portal(data: Path, told: Queue[tuple[str, str, Things]], stop: asyncio.Event) -> None:
    async with opened(Settings(data, imports=True)) as house:
        at = await world(house)
        things = await _made(house, at)
        async with served(house) as address:
            told.put((address, at.client.headers["Authorization"].split()[1], things))
            await stop.wait()


async def _made(house: House, at: World) -> Things:
    """Send the examples, but for those that take something away; where each of them was about a thing, its path's
    parameters."""
    known = {f"{one.method} {one.path}": one for one in endpoints(house.portal)}
    things: Things = {}
    for name, example in examples()[1].items():
        endpoint = known[name]
        if name in (STREAM, ENDING) or endpoint.method == "DELETE" or endpoint.path.endswith(TAKING):
            continue
        sent = await at.said(example)
        at.check(endpoint, await at.send(endpoint, sent))
        if "path" in sent and (endpoint.body or endpoint.query):
            things[f"{endpoint.method} {PREFIX}{endpoint.path}"] = sent["path"]
    return things
