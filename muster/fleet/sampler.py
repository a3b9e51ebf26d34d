"""A person beside the load, in a process of its own: asks the portal a small thing ten times a second.

In: the portal's address as an argument; it ends when its standard input does. Out: one JSON line a request: when it
began, how long it took in milliseconds, its status (0: the portal could not be reached). Invariant: it shares nothing
with the load, so that what it measures is the portal's delay and not the load's.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

EVERY = 0.1


def main(url: str) -> None:
    """Ask until standard input ends."""
    place, stop = urlsplit(url), threading.Event()
    threading.Thread(target=_wait, args=(stop,), daemon=True).start()
    while not stop.wait(EVERY):
        began = time.monotonic()
        print(json.dumps([began, *_asked(place.hostname or "", place.port or 80, began)]), flush=True)


def _wait(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _asked(host: str, port: int, began: float) -> tuple[float, int]:
    status = 0
    try:
        connection = http.client.HTTPConnection(host, port, timeout=30)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
        connection.close()
    except (OSError, http.client.HTTPException):
        status = 0
    return (time.monotonic() - began) * 1000, status


if __name__ == "__main__":
    main(sys.argv[1])
