"""A portal that listens on a port, in a thread of the test's process, and real agents as processes beside it.

Comes in: pytest's temporary folder. Goes out: `Served`, whose control database the test may ask, and `AgentProcess`.
Invariant: everything is real, the clock too; each test waits for a condition with a deadline.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from agent.identity import load_enrolment
from portal.app import Portal, build
from portal.doorway import Doorway
from portal.endpoints import PREFIX
from portal.server import bound
from portal.settings import Settings
from storage.control.executions import Execution
from storage.control.manifest import Manifest
from storage.control.plans import Plan
from storage.control.runs import EVERYONE_AT_ONCE, Run, RunRequest
from storage.control.states import FINAL
from tests.authors import Signer
from tests.storage.control.template import place

HOUR = 3_600_000_000
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # what has no TLS needs no authorities, which take long to read
RIGHTS = ("query", "execute", "manage", "administer")
ROOT = Path(__file__).resolve().parents[3]


def eventually(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What a condition gives once it holds; fails if it does not in time."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return found


@dataclass
class Served:
    """A portal at work on a port."""

    portal: Portal
    port: int
    loop: asyncio.AbstractEventLoop
    author: Signer = field(default_factory=Signer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def nudge(self, device: str) -> None:
        """What the portal does when a run is made."""
        self.loop.call_soon_threadsafe(self.portal.nudges.nudge, [device])

    def keys(self, count: int = 1, *, simulated: bool = False) -> list[str]:
        """Fresh one-time keys."""
        now = self.portal.clock()
        create = self.portal.control.enrolment.create_enrol_keys
        made = create(count, simulated=simulated, expires_at=now + HOUR, by="account:ann", now=now)
        return [secret for _, secret in made]

    def post(self, path: str, body: Any = None) -> Any:
        """Ask the own API as an administrator; the JSON of the answer."""
        return self._asked(httpx.post(f"{self.url}{PREFIX}{path}", json=body, headers=self._headers, verify=NOBODY))

    def get(self, path: str) -> Any:
        """What stands at a path of the own API."""
        return self._asked(httpx.get(f"{self.url}{PREFIX}{path}", headers=self._headers, verify=NOBODY))

    def delete(self, path: str) -> None:
        """Remove what stands at a path of the own API."""
        self._asked(httpx.delete(f"{self.url}{PREFIX}{path}", headers=self._headers, verify=NOBODY))

    def _asked(self, answer: httpx.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    @cached_property
    def _headers(self) -> dict[str, str]:
        now, control = self.portal.clock(), self.portal.control
        known = control.accounts.by_name("admin")
        account = known[0] if known else control.accounts.create("admin", "", RIGHTS, "UTC", by="local:test", now=now)
        return {"Authorization": f"Bearer {control.tokens.create(account, 'test', by='local:test', now=now)[1]}"}

    def ask(
        self,
        devices: list[str],
        text: str,
        parameters: dict[str, str] | None = None,
        *,
        signed: bool = True,
        plan: Plan = EVERYONE_AT_ONCE,
        **manifest: Any,
    ) -> Run:
        """Have devices run a Bash script, signed by the author unless the test says otherwise."""
        now, control = self.portal.clock(), self.portal.control
        whole = {
            "nql_id": "#test", "name": "Test", "scripts": {"linux": {"language": "bash", "text": text}}, "timeout": 60,
            "outputs": [{"name": "word", "type": "string"}, {"name": "free", "type": "size"}], **manifest,
        }  # fmt: skip
        action = control.actions.save_action(msgspec.convert(whole, Manifest), by="ann", now=now)
        if signed:
            self.author.sign(control, action, now=now)
        request = RunRequest("#test", tuple(devices), "ann", now + HOUR, parameters or {}, trigger_method="manual")
        return control.create_run(replace(request, plan=plan), now=now)[0]

    def execution(self, run: Run, device: str) -> Execution:
        return self.portal.control.executions.execution(run.id, device)

    def ended(self, run: Run, device: str, seconds: float = 30.0) -> Execution:
        """The execution once it is final."""
        found: Execution = eventually(
            lambda: one if (one := self.execution(run, device)).state in FINAL else None, seconds
        )
        return found

    def connected(self, device: str) -> bool:
        return device in self.portal.nudges.devices


@dataclass
class AgentProcess:
    """A real agent in a process of its own."""

    folder: Path
    device: str
    process: subprocess.Popen[bytes] | None = None
    log: list[str] = field(default_factory=list)
    options: tuple[str, ...] = ()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as file:
            command = [sys.executable, "-m", "agent", "run", "--state", str(self.folder), *self.options]
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=file)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    place(tmp_path / "data" / "control" / "control.db")
    settings = Settings(tmp_path / "data")
    app = build(settings)
    config = uvicorn.Config(app, http=Doorway, loop="uvloop", log_config=None, lifespan="on")
    server, listening = uvicorn.Server(config), bound("127.0.0.1", 0)
    runner = asyncio.Runner(loop_factory=config.get_loop_factory())
    loops: list[asyncio.AbstractEventLoop] = []

    def run() -> None:
        with runner:
            loops.append(runner.get_loop())
            runner.run(server.serve([listening]))

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: server.started)
    portal: Portal = app.state.portal
    made = Served(portal, listening.getsockname()[1], loops[0])
    made.author.add(portal.control, now=portal.clock())
    yield made
    made.loop.call_soon_threadsafe(portal.stop_waiting)
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def agent(served: Served, tmp_path: Path) -> Iterator[AgentProcess]:
    """An enrolled agent that runs and is connected."""
    made = enrolled(served, tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def enrolled(served: Served, tmp_path: Path, *options: str) -> AgentProcess:
    """An agent that runs with these options and is connected."""
    folder = tmp_path / "agent"
    command = [sys.executable, "-m", "agent", "enroll", "--url", served.url, "--state", str(folder)]
    environment = os.environ | {"MUSTER_ENROL_KEY": served.keys()[0]}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    made = AgentProcess(folder, load_enrolment(folder).device, options=options)
    made.start()
    eventually(lambda: served.connected(made.device))
    return made
