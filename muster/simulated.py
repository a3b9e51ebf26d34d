"""The program that runs simulated devices beside a demo: `python -m muster.simulated`, started and fed by the demo
itself.

In: on standard input one line of JSON (where the portal is, the keys, which devices), then nothing more. Out: the
line `ready` on standard output once all devices run. Invariant: it ends when its standard input does, so that no
device outlives the demo, however that ended.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from functools import partial
from pathlib import Path

import msgspec

from muster.estate.profiles import profile
from muster.pool import run_pool


class Wanted(msgspec.Struct, frozen=True):
    """Which devices to run: the first `count` of the seed, enrolled with `keys` where they are not enrolled yet."""

    url: str
    keys: list[str]
    folder: str
    count: int
    seed: int


def main() -> int:
    """Run the devices until standard input ends."""
    wanted = msgspec.json.decode(sys.stdin.buffer.readline(), type=Wanted)
    try:
        asyncio.run(_run(wanted))
    except KeyboardInterrupt:  # Ctrl-C reaches every program of the terminal; the demo says when to stop
        return 0
    return 0


async def _run(wanted: Wanted) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(target=_wait_for_end, args=(loop, stop), daemon=True).start()
    made = partial(profile, wanted.seed)
    folder = Path(wanted.folder)
    await run_pool(
        wanted.url,
        wanted.keys,
        folder,
        wanted.count,
        wanted.seed,
        stop,
        profiles=made,
        ready=lambda _: print("ready", flush=True),
    )


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while sys.stdin.buffer.read(1 << 16):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
