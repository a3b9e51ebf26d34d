"""A run as server-sent events: `run` with its counts, `execution` for each change, `done` at the end.

In: a run, a watcher of it, who watches. Out: the text of the stream. Invariants: the first event is the run as it is;
counts follow the executions they count; a watcher whose sign-in has ended is cut off at the next pause; a comment
every few seconds keeps proxies from closing the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from portal.actions.events import Watcher
from portal.actions.service import Actions
from portal.actions.views import execution_info, run_info
from portal.caller import Caller
from portal.endpoints import encode

PAUSE = 10.0  # seconds between comments when nothing happens
GATHER = 0.1  # seconds that changes gather before they are sent
MOST = 500  # executions at once
LONGEST = 100_000  # changes in one stream; whoever needs more opens another


async def events(
    actions: Actions, caller: Caller, run: str, watcher: Watcher, still_allowed: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """The stream. Ends with `done` when the run is complete, or without it when the portal stops."""
    view = await actions.run(caller, run)
    yield _event("run", run_info(view))
    sent = 0
    while not view.complete and not watcher.closed and sent < LONGEST:
        if not await watcher.wait(PAUSE):
            if not await still_allowed():
                return
            yield b": still here\n\n"
            continue
        await asyncio.sleep(GATHER)
        while devices := watcher.take(MOST):
            found = await actions.changed(caller, run, devices)
            sent += len(found.executions)
            for execution in found.executions:
                yield _event("execution", execution_info(execution, found))
        view = await actions.run(caller, run)
        yield _event("run", run_info(view))
    if view.complete:
        yield _event("done", run_info(view))


def _event(name: str, value: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + encode(value) + b"\n\n"
