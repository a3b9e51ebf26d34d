"""A device made by hand for the tests of the devices' routes: signs what it is told to sign, right or wrong.

Comes in: a portal at work. Goes out: answers. Invariant: each answer to a signed request is checked against the
portal's key unless a test says that it must be unsigned.
"""

from __future__ import annotations

import base64
import gzip
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements, wire
from agent.identity import verify
from tests.portal.conftest import HOUR, NOW, House

EPOCH = "00000000-0000-4000-8000-000000000000"


@dataclass
class Device:
    """An enrolled device. `clock` is how far its clock is off, in microseconds."""

    house: House
    client: httpx.AsyncClient
    key: Ed25519PrivateKey
    told: wire.Enrolled
    clock: int = 0

    async def send(
        self,
        path: str,
        body: bytes,
        *,
        nonce: str | None = None,
        key: Ed25519PrivateKey | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Response:
        """A request, signed; `headers` replace its own after that."""
        time, nonce = self.house.time.now + self.clock, nonce or secrets.token_urlsafe(16)
        signature = (key or self.key).sign(statements.request_bytes(self.told.device, "POST", path, time, nonce, body))
        sent = {
            wire.DEVICE_HEADER: self.told.device,
            wire.TIME_HEADER: str(time),
            wire.NONCE_HEADER: nonce,
            wire.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
            **headers,
        }
        answer = await self.client.post(path, content=body, headers=sent)
        if wire.SIGNATURE_HEADER in answer.headers:
            time = int(answer.headers[wire.TIME_HEADER])
            said = statements.answer_bytes(self.told.device, nonce, time, answer.status_code, answer.content)
            assert verify(self.told.portal_key, base64.b64decode(answer.headers[wire.SIGNATURE_HEADER]), said)
        return answer

    async def pull(self, room: int = 2, held: tuple[tuple[str, int], ...] = (), step: str = "") -> wire.Work:
        """Orders, each checked."""
        pull = wire.Pull(room, [wire.Held(*one) for one in held], "0.1.0", step=step)
        answer = await self.send(wire.WORK, wire.encode(pull))
        assert answer.status_code == 200, answer.text
        work = msgspec.json.decode(answer.content, type=wire.Work)
        for order in work.orders:
            assert verify(self.told.portal_key, order.signature, statements.order_bytes(order))
        return work

    def report(self, order: wire.Order, state: wire.State, **facts: Any) -> wire.Report:
        """A signed report about an order."""
        outcome = wire.encode(wire.Outcome(self.house.time.now, **facts))
        said = statements.report_bytes(order.run, self.told.device, order.attempt, order.nonce, state, outcome)
        return wire.Report(order.run, order.attempt, order.nonce, state, msgspec.Raw(outcome), self.key.sign(said))

    async def tell(self, *reports: wire.Report) -> list[str]:
        """Send reports; the verdicts."""
        answer = await self.send(wire.REPORTS, wire.encode(wire.Reports(list(reports))))
        assert answer.status_code == 200, answer.text
        return [one.verdict for one in msgspec.json.decode(answer.content, type=wire.Verdicts).verdicts]

    async def store(self, tables: Any, sequence: int = 1, *, digest: bytes | None = None) -> httpx.Response:
        """Send a batch of whatever is given as its tables."""
        raw = wire.encode(tables)
        batch = wire.Batch(EPOCH, sequence, digest or sha256(raw).digest(), msgspec.Raw(raw))
        return await self.send(wire.BATCHES, gzip.compress(wire.encode(batch)))


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and error code of an answer."""
    return answer.status_code, answer.json()["error"]["code"]


async def enrolled(house: House, name: str = "pc") -> Device:
    """A device that enrolled by the route."""
    client, key, secret = await house.client(), Ed25519PrivateKey.generate(), enrol_key(house)
    answer = await client.post(wire.ENROL, content=wire.encode(enrolment(key, secret, name)))
    assert answer.status_code == 200, answer.text
    return Device(house, client, key, msgspec.json.decode(answer.content, type=wire.Enrolled))


def enrol_key(house: House, *, expires_at: int = NOW + HOUR, simulated: bool = False) -> str:
    """A fresh one-time key."""
    made = house.portal.control.enrolment.create_enrol_keys(
        1, simulated=simulated, expires_at=expires_at, by="account:ann", now=NOW
    )
    return made[0][1]


def enrolment(key: Ed25519PrivateKey, secret: str, name: str = "pc") -> wire.Enrol:
    """A request to enrol."""
    public = key.public_key().public_bytes_raw()
    proof = key.sign(statements.enrol_bytes(secret, public, public, name))
    return wire.Enrol(secret, public, public, name, "linux", "0.1.0", proof)
