"""Somebody who follows a live query over ASGI, and rows that arrive meanwhile.

In: a portal without a server, a client of it. Out: the events of the stream as they come. Invariant: what is not taken
(`held`) stays in the portal, as with a reader whose connection is full.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from portal.queries.live import Pace
from tests.portal.conftest import API, BASE, SECOND, House, eventually

DEVICES = "devices | list name | sort name asc"
QUICK = Pace(least=0.01, most=0.02, moving=60.0)
EVENTS = "device_performance.system_crashes"
OPEN = "remote_action.executions during past 2h | list device.name, status"


class Stream:
    """A live query that is read as it comes, over ASGI."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.status = 0
        self.left = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()
        self._rest = b""

    async def send(self, message: Any) -> None:
        """What the server hands on."""
        await self.held.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        *whole, self._rest = (self._rest + message.get("body", b"")).split(b"\n\n")
        for piece in whole:
            name, data = piece.decode().split("\n")
            self.events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))

    def named(self, name: str) -> list[Any]:
        """The data of all events of a name."""
        return [data for one, data in self.events if one == name]

    @property
    def answers(self) -> list[list[list[Any]]]:
        """The rows of each answer."""
        return [answer["rows"] for answer in self.named("answer")]

    async def until(self, rows: list[list[Any]]) -> None:
        """Wait for an answer of these rows."""

        async def there() -> bool:
            return bool(self.answers) and self.answers[-1] == rows

        await eventually(there)

    async def ended(self) -> Any:
        """Wait for the end, and give its reason."""

        async def there() -> bool:
            return bool(self.named("ended"))

        await eventually(there)
        return self.named("ended")[0]


@asynccontextmanager
async def following(
    house: House,
    client: httpx.AsyncClient,
    text: str = DEVICES,
    meanwhile: Callable[[Stream], Awaitable[None]] | None = None,
    **body: Any,
) -> AsyncIterator[Stream]:
    """A stream, open while the block lasts, which begins with the first answer; `meanwhile` happens before that."""
    stream, sent = Stream(), [json.dumps({"text": text, **body}).encode()]

    async def receive() -> dict[str, Any]:
        if sent:
            return {"type": "http.request", "body": sent.pop(), "more_body": False}
        await stream.left.wait()
        return {"type": "http.disconnect"}

    headers = {**client.headers, "host": BASE.removeprefix("http://"), "content-type": "application/json"}
    if client.cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": f"{API}/query/live", "raw_path": b"",
        "query_string": b"", "root_path": "", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("x", 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    task = asyncio.ensure_future(house.app(scope, receive, stream.send))
    try:
        if meanwhile is not None:
            await meanwhile(stream)

        async def begun() -> bool:
            return bool(stream.answers) or task.done()

        await eventually(begun)
        yield stream
    finally:
        stream.held.set()
        stream.left.set()
        await task


async def stored(house: House, sequence: int, table: str, columns: dict[str, list[Any]]) -> None:
    """Rows of a table arrive."""
    client = await house.program("importer")
    body = {
        "source": "test",
        "epoch": "00000000-0000-4000-8000-000000000000",
        "sequence": sequence,
        "tables": [{"table": table, "columns": columns}],
    }
    answer = await client.post(f"{API}/import", json=body)
    assert answer.status_code == 200, answer.text


async def crash(house: House, device: str, sequence: int, ago: int = SECOND) -> None:
    """A device tells of a crash."""
    await stored(
        house, sequence, EVENTS, {"time": [house.time.now - ago], "@device": [device], "error_code": [sequence]}
    )


async def turns(house: House, count: int = 5) -> None:
    """Wait until it was looked so often whether anything has changed."""
    [topic] = house.portal.live._topics.values()
    before = topic.turns

    async def looked() -> bool:
        return topic.turns >= before + count

    await eventually(looked)


def quick(house: House) -> None:
    house.portal.live.pace = QUICK
