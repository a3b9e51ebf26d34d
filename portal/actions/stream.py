"""A run as server-sent events: `run` with its counts, `execution` for each change, `done` at the end.

In: a run, a watcher of it, who watches, after which event it goes on. Out: the text of the stream. Invariants: an
event's id is a position in the log before which everything was sent, so that whoever comes back with it misses no
change; counts follow the executions they count; nothing is sent to who lost the right to see it since; a comment every
few seconds keeps proxies from closing the stream.
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
MOST = 500  # changes at once
LONGEST = 100_000  # executions in one stream; whoever needs more opens another, after the last event's id
MOST_POSITION = (1 << 63) - 1
Allowed = Callable[[], Awaitable[bool]]


async def events(
    actions: Actions, caller: Caller, run: str, watcher: Watcher, still_allowed: Allowed, after: int | None = None
) -> AsyncIterator[bytes]:
    """The stream. Ends with `done` when the run is complete; without it when the portal stops, when it has been long
    enough, or when `still_allowed` says no. `after` is the position of the last event that was seen."""
    position = await actions.position() if after is None else after
    view = await actions.run(caller, run)
    yield _event("run", run_info(view), position)
    sent, woken = 0, False
    while True:
        more = True
        while more:
            position, devices, more = await actions.changed_after(run, position, MOST)
            found = await actions.changed(caller, run, devices)
            if devices and not await still_allowed():  # asked after the reading, so that nothing comes in between
                return
            for execution in found.executions:
                yield _event("execution", execution_info(execution, found), position)
            sent += len(found.executions)
            more = more and sent < LONGEST
            woken = woken or bool(devices)
        if woken:
            yield _event("run", run_info(view), position)
        if view.complete:
            yield _event("done", run_info(view), position)
        if view.complete or watcher.closed or sent >= LONGEST:
            return
        if woken := await watcher.wait(PAUSE):
            await asyncio.sleep(GATHER)
        if not await still_allowed():
            return
        if not woken:
            yield b": still here\n\n"
        view = await actions.run(caller, run)


def _event(name: str, value: object, position: int) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, name.encode(), encode(value))
