"""A whole small Muster for the browser: a portal with a history, this machine's agent, simulated devices that answer.

In: a temporary folder. Out: addresses, names and secrets a person would know. Invariant: every part is the real
program or the real code over the real wire; only the simulated devices' machines are made up.
"""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from pathlib import Path
from typing import Any

from agent.host.profiles import profile
from muster.pool import run_pool
from tests.authors import Signer
from tests.faults.processes import World, muster, wait_until

SEED = 1
DEVICES = 60
DAYS = 2
CONNECTED = (DEVICES, DEVICES + 1)  # numbers past the history, so that a name means one device
ALL = DEVICES + len(CONNECTED) + 1
ACTION: dict[str, Any] = {
    "nql_id": "#say_hello",
    "name": "Say hello",
    "description": "Greets from the device and says how much memory it has.",
    "purpose": ["data_collection"],
    "triggers": ["manual", "api"],
    "scripts": {
        "linux": {
            "language": "bash",
            "text": '. "$MUSTER/output.sh"\n'
            'muster_output string message "$MUSTER_INPUT_GREETING from $(uname -n)"\n'
            "muster_output size memory $(( $(awk '/MemTotal/ {print $2}' /proc/meminfo) * 1024 ))\n",
        }
    },
    "timeout": 30,
    "run_as": "system",
    "inputs": [
        {
            "name": "greeting",
            "label": "Greeting",
            "description": "How to greet.",
            "allowed": ["Hello", "Salut"],
            "custom": True,
            "default": "Hello",
        }
    ],
    "outputs": [
        {"name": "message", "label": "Message", "type": "string", "description": "What was said."},
        {"name": "memory", "label": "Memory", "type": "size", "description": "Memory of the device."},
    ],
    "simulate": {
        "duration": 0.5,
        "outputs": {"message": {"text": "{input.greeting} from {name}"}, "memory": {"field": "memory"}},
    },
}


class Town(World):
    """The portal with its people and devices."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.person = "anna"
        self.password = ""
        self.simulated = [profile(SEED, number).machine.name for number in CONNECTED]
        self._pool = _Pool(self.url, folder / "pool")

    def found(self) -> None:
        """Write the history, start everything, and wait until all devices are connected."""
        estate = ("--devices", str(DEVICES), "--days", str(DAYS), "--seed", str(SEED))
        muster("estate", *estate, "--data", str(self.data))
        self.begin()
        rights = ("--permissions", "query,execute,manage", "--zone", "Europe/Zurich")
        made = muster("users", "create", self.person, "--generate", *rights, "--data", str(self.data))
        self.password = made["password"]
        keys = ("enroll-key", "create", "--count", str(len(CONNECTED)), "--simulated")
        self._pool.start(muster(*keys, "--data", str(self.data))["keys"])
        self._define()
        wait_until(lambda: len(self.query("devices | list name")) == ALL, "every device to be known", 60)

    def _define(self) -> None:
        """Define the action, and have an author sign it."""
        action, author = self.client.post("/actions", json=ACTION).json()["action"], Signer()
        known = {"name": author.name, "key": base64.b64encode(author.public).decode()}
        assert self.client.post("/authors", json=known).status_code == 201
        serial = time.time_ns() // 1000
        signature = author.signature(action["nql_id"], action["version"], serial)
        signed = {"author": known["key"], "serial": serial, "signature": base64.b64encode(signature).decode()}
        path = f"/actions/{action['nql_id'][1:]}/signatures"
        assert self.client.post(path, json={"version": action["version"], **signed}).status_code == 201

    def close(self) -> None:
        """End everything."""
        self._pool.stop()
        super().close()


class _Pool:
    """Simulated devices in a thread of their own, with an event loop of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, keys: list[str]) -> None:
        """Enrol and connect the devices."""
        self._folder.mkdir(mode=0o700)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(keys)))
        self._thread.start()
        assert self._ready.wait(60), "the simulated devices did not come up"

    async def _run(self, keys: list[str]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await run_pool(
            self._url,
            keys,
            self._folder,
            len(CONNECTED),
            SEED,
            self._stop,
            numbers=CONNECTED,
            policy="unrestricted",
            ready=lambda _: self._ready.set(),
        )

    def stop(self) -> None:
        """Disconnect them and end the thread."""
        if self._loop and self._stop and self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(60)
