"""A device that only sends: it enrols over the wire and posts numbered rows as fast as the portal acknowledges them;
and somebody who reads them all the while.

In: the portal's address and an enrolment key. Out: `acknowledged`, the numbers of all rows the portal said are
stored, and `history`, which has its batches by sequence. Every row carries a number of its own (`number_of_crashes`),
so that afterwards each can be counted in the tables; the rows of every other batch are of the day before, which is
compacted. Invariant: a batch that got no answer is sent again under the same sequence, like the real outbox does,
until it is acknowledged.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import secrets
import threading
import time
import uuid

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent import statements, wire
from tests.faults.history import History, Write

ROWS = 200
BEFORE = 30 * 3_600_000_000  # microseconds: the rows of every other batch are so old
SEEN = "execution.crashes during past 3d | summarize n = count(), s = number_of_crashes.sum()"


class LoadDevice:
    """One sending device. `start` begins a thread; `url` may change between kills."""

    def __init__(self, url: str, key: str, name: str) -> None:
        self.url = url
        self.acknowledged: list[range] = []
        self.refused: list[str] = []
        self.history = History()
        self._identity = Ed25519PrivateKey.generate()
        self._epoch = str(uuid.uuid4())
        self._sequence = 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._device = self._enrol(key, name)

    def rows(self) -> int:
        """How many rows are acknowledged."""
        return sum(len(numbers) for numbers in self.acknowledged)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; returns when the batch under way is settled."""
        self._stop.set()
        self._thread.join()

    def _enrol(self, key: str, name: str) -> str:
        public = self._identity.public_key().public_bytes_raw()
        sealing = X25519PrivateKey.generate().public_key().public_bytes_raw()
        proof = self._identity.sign(statements.enrol_bytes(key, public, sealing, name))
        message = wire.Enrol(
            key=key, identity=public, sealing=sealing, name=name, platform="linux", agent_version="0.1.0", proof=proof
        )
        answer = httpx.post(self.url + wire.ENROL, content=wire.encode(message), timeout=30)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=wire.Enrolled).device

    def _run(self) -> None:
        with httpx.Client(timeout=10) as client:
            write: Write | None = None
            while not self._stop.is_set():
                first = (self._sequence - 1) * ROWS + 1
                write = write or self.history.sends("load", [self._sequence])
                if self._send(client, first):
                    self.history.told(write, stored=True)
                    self.acknowledged.append(range(first, first + ROWS))
                    self._sequence, write = self._sequence + 1, None

    def _send(self, client: httpx.Client, first: int) -> bool:
        now = time.time_ns() // 1000
        columns = {
            "time": [now - self._sequence % 2 * BEFORE] * ROWS,
            "number_of_crashes": list(range(first, first + ROWS)),
            "@binary": ["b1"] * ROWS,
        }
        tables = wire.encode([{"table": "execution.crashes", "columns": columns}])
        digest = hashlib.sha256(tables).digest()
        batch = wire.Batch(epoch=self._epoch, sequence=self._sequence, sha256=digest, tables=msgspec.Raw(tables))
        body = gzip.compress(wire.encode(batch), 1)
        nonce = secrets.token_urlsafe(16)
        signature = self._identity.sign(statements.request_bytes(self._device, "POST", wire.BATCHES, now, nonce, body))
        headers = {
            wire.DEVICE_HEADER: self._device,
            wire.TIME_HEADER: str(now),
            wire.NONCE_HEADER: nonce,
            wire.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
            "Content-Encoding": "gzip",
            "Content-Type": "application/json",
        }
        try:
            answer = client.post(self.url + wire.BATCHES, content=body, headers=headers)
        except httpx.TransportError:
            self._stop.wait(0.05)  # the portal is down for a moment; the batch stays the same
            return False
        if answer.status_code != 200:
            self.refused.append(f"{answer.status_code} {answer.text[:200]}")
            self._stop.wait(0.05)
            return False
        return msgspec.json.decode(answer.content, type=wire.Stored).sequence == self._sequence


class Reader:
    """Somebody who asks for the rows of a `LoadDevice` again and again, and notes in its history what was answered."""

    def __init__(self, client: httpx.Client, history: History) -> None:
        self.odd: list[str] = []
        self.answers = 0
        self._history = history
        self._client = httpx.Client(base_url=client.base_url, headers=client.headers, timeout=10)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            began = self._history.now()
            try:
                answer = self._client.post("/query", json={"text": SEEN})
            except httpx.TransportError:
                continue
            if answer.status_code == 200:
                self._note(began, *answer.json()["rows"][0])

    def _note(self, began: int, rows: int, total: int | None) -> None:
        """Batches are sent one after the other: what is seen is all up to one, which count and sum give away."""
        self.answers += 1
        if rows % ROWS or (total or 0) != rows * (rows + 1) // 2:
            self.odd.append(f"{rows} rows that sum up to {total}")
        self._history.saw("reader", began, range(1, rows // ROWS + 1))
