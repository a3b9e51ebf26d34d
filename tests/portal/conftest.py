"""A running portal without a server: the real application on real stores in a temporary folder, asked over ASGI.

Comes in: pytest's temporary folder. Goes out: `House`, with a clock the test moves, clients of people and programs,
and devices. Invariant: nothing is patched; the only thing that is not real is the clock, the socket and what a
password costs. Each test runs its own event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from portal.access.passwords import Passwords
from portal.app import Portal, build
from portal.logs import configure
from portal.settings import Settings
from storage.control.accounts import Account
from storage.control.enrolment import Device
from storage.control.outcomes import Outcome
from storage.control.roles import Rights
from storage.tables.files import Files
from tests.storage.control.template import place

NOW = 1_767_264_000_000_000  # 2026-01-01 10:40 UTC
SECOND = 1_000_000
HOUR = 3600 * SECOND
PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
API = "/api/muster/v1"
BASE = "http://127.0.0.1:8080"
EVERYTHING = ("query", "execute", "manage", "administer", "import", "api")
MANIFEST: dict[str, Any] = {
    "nql_id": "#clear_cache",
    "name": "Clear cache",
    "purpose": ["remediation"],
    "scripts": {"linux": {"language": "bash", "text": "true\n"}},
    "inputs": [{"name": "path", "default": "/tmp"}],
    "outputs": [
        {"name": "freed", "type": "size"},
        {"name": "files", "type": "uint32"},
        {"name": "took", "type": "duration"},
    ],
}


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class Listener:
    """A connection of a device as far as `Nudges` sees it: what it was told."""

    nudges: int = 0
    configured: int = 0
    closed: list[int] = field(default_factory=list)
    nudged: asyncio.Event = field(default_factory=asyncio.Event)

    def nudge(self) -> None:
        self.nudges += 1
        self.nudged.set()

    async def wait(self) -> None:
        """Until it is nudged."""
        async with asyncio.timeout(30):
            await self.nudged.wait()

    def configure(self) -> None:
        self.configured += 1

    def close(self, code: int) -> None:
        self.closed.append(code)


@dataclass
class House:
    """A portal at work."""

    app: Starlette
    time: Time
    stack: AsyncExitStack
    accounts: dict[str, Account] = field(default_factory=dict)

    @property
    def portal(self) -> Portal:
        portal: Portal = self.app.state.portal
        return portal

    async def client(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return await self.stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
        )

    def account(self, name: str = "ann", permissions: tuple[str, ...] = EVERYTHING) -> Account:
        known = self.portal.control.accounts.by_name(name)
        if known is not None:
            self.accounts[name] = known[0]
        else:
            create = self.portal.control.accounts.create
            self.accounts[name] = create(name, QUICK.hash(PASSWORD), permissions, "Europe/Zurich", by="portal", now=NOW)
        return self.accounts[name]

    async def program(self, name: str = "ann", permissions: tuple[str, ...] = EVERYTHING) -> httpx.AsyncClient:
        """A client with an API token."""
        account = self.account(name, permissions)
        _, secret = self.portal.control.tokens.create(account, "test", by=f"account:{name}", now=NOW)
        return await self.client(Authorization=f"Bearer {secret}")

    async def browser(self, name: str = "ann", permissions: tuple[str, ...] = EVERYTHING) -> httpx.AsyncClient:
        """A client that signed in, with its cookie and CSRF token."""
        self.account(name, permissions)
        client = await self.client(Origin=BASE)
        answer = await client.post(f"{API}/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-Muster-CSRF"] = answer.json()["csrf"]
        return client

    async def bounded(
        self, domain: str, *permissions: str, name: str = "lea", actions: Sequence[str] | None = None
    ) -> httpx.AsyncClient:
        """A client of somebody whose role shows a part of the estate."""
        rights = Rights(frozenset(permissions), None if actions is None else frozenset(actions), domain)
        self.portal.control.roles.put(f"role of {name}", rights, by="portal", now=NOW)
        self.account(name, ())
        self.portal.control.accounts.set_role(name, f"role of {name}", by="portal", now=NOW)
        return await self.program(name)

    def enrol(self, number: int = 1, *, simulated: bool = False) -> Device:
        """A device with keys made of its number, known to the tables after `settle`."""
        enrolment = self.portal.control.enrolment
        made = enrolment.create_enrol_keys(1, simulated=simulated, expires_at=NOW + HOUR, by="account:ann", now=NOW)
        key = number.to_bytes(32, "big")
        return enrolment.consume_enrol_key(made[0][1], key, key, f"pc-{number}", now=self.time.now)

    def answer(self, run: str, device: str, outcome: Outcome) -> None:
        """A device takes its work and reports how it ended."""
        dispatch, now = self.portal.control.dispatch, self.time.now
        dispatch.claim_work(device, now=now)
        dispatch.record_started(run, device, 1, started_at=now, now=now)
        dispatch.record_finished(run, device, 1, outcome, now=now)

    def answer_any(self, run: str, device: str, outcome: Outcome) -> None:
        """A device takes all its work, as if it ran much at once, and reports one of it."""
        dispatch, now = self.portal.control.dispatch, self.time.now
        while dispatch.claim_work(device, now=now):
            pass
        dispatch.record_finished(run, device, 1, outcome, now=now)

    def listener(self, device: str) -> Listener:
        """A connection of a device, open until the portal ends."""
        made = Listener()
        self.portal.nudges.add(device, made)
        return made

    async def settle(self) -> None:
        """Have the relay move everything."""
        assert await self.portal.relay.catch_up()


@asynccontextmanager
async def opened(settings: Settings, files: Files | None = None) -> AsyncIterator[House]:
    """A portal from its start to its stop."""
    time = Time()
    app = build(settings, clock=time, files=files, passwords=Passwords(QUICK))
    async with app.router.lifespan_context(app), AsyncExitStack() as clients:
        yield House(app, time, clients)


Scene = Callable[[House], Awaitable[None]]
Play = Callable[[Scene], None]


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    configure("critical")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    place(tmp_path / "data" / "control" / "control.db")
    return Settings(tmp_path / "data", imports=True)


@pytest.fixture
def play(settings: Settings) -> Play:
    """Run one scene in a portal of its own."""
    return partial(play_in, settings)


def play_in(settings: Settings, scene: Scene, files: Files | None = None) -> None:
    """Run one scene in a portal with these settings."""

    async def whole() -> None:
        async with opened(settings, files) as house:
            await scene(house)

    asyncio.run(whole())


async def eventually(holds: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 30.0) -> None:
    """Wait until a condition holds, and fail if it does not in time."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.01)
