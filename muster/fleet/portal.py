"""The portal under load: a folder with devices that are enrolled already, and the server as a process of its own.

In: a folder, how many devices, a seed. Out: uids, a token, a running portal and what it costs. Invariants: devices
have the keys and uids that follow from the seed, so that the same folder serves for another load; the portal runs as
anybody would run it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from muster.clock import now
from muster.fleet.clients import SAVED
from muster.fleet.device import OUTPUT, private_key
from portal.settings import Settings
from storage.control.api import Control, open_control
from storage.control.api_credentials import MOST, NewApiCredential
from storage.control.enrolment import EnrolKey
from storage.control.key_ring import KeyRing, public
from storage.control.manifest import Manifest

ACTOR, ACCOUNT, ACTION = "local:load", "load", "#load"
RIGHTS = ("query", "execute", "manage", "administer")
HOUR = 3_600_000_000
APIS = frozenset({"act", "nql"})
LIMITS = {"nql_per_second": 100, "nql_per_day": 1_000_000, "exports_per_day": 100_000}
PAGE = os.sysconf("SC_PAGE_SIZE")
HERTZ = os.sysconf("SC_CLK_TCK")
MANIFEST: Mapping[str, Any] = {
    "nql_id": ACTION, "name": "Load", "purpose": ["data_collection"], "timeout": 60,
    "scripts": {"linux": {"language": "bash", "text": "true\n"}, "windows": {"language": "powershell", "text": "1\n"},
                "macos": {"language": "bash", "text": "true\n"}},
    "outputs": [{"name": OUTPUT, "type": "uint32"}],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder that is ready."""

    token: str
    uids: tuple[str, ...]
    portal_key: bytes
    agents: tuple[str, ...]  # keys with which real agents enrol
    credentials: tuple[tuple[str, str], ...] = ()  # of other people's clients: id and secret


def uid_of(seed: int, number: int) -> str:
    """The uid of a device."""
    return str(uuid.UUID(bytes=blake2b(f"uid {seed} {number}".encode(), digest_size=16).digest(), version=4))


def prepared(data: Path, count: int, seed: int, agents: int, clients: int = 0) -> Prepared:
    """A folder with `count` devices enrolled and an account; keys for so many real agents, and credentials for so many
    clients of other people."""
    settings = Settings(data)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    control = open_control(settings.control, now=now())
    try:
        known = control.accounts.by_name(ACCOUNT)
        account = known[0] if known else control.accounts.create(ACCOUNT, "", RIGHTS, "UTC", by=ACTOR, now=now())
        token = control.tokens.create(account, "load", by=ACTOR, now=now())[1]
        control.actions.save_action(msgspec.convert(MANIFEST, Manifest), by=ACTOR, now=now())
        uids = tuple(uid_of(seed, number) for number in range(count))
        _enrol(control, uids, seed)
        keys = control.enrolment.create_enrol_keys(agents, simulated=True, expires_at=now() + HOUR, by=ACTOR, now=now())
        made = tuple(secret for _, secret in keys)
        return Prepared(token, uids, public(KeyRing(settings.key).current), made, _credentials(control, clients))
    finally:
        control.close()


def _credentials(control: Control, count: int) -> tuple[tuple[str, str], ...]:
    """Credentials for so many clients, with limits of their own and an hour to live, and the queries that they ask."""
    began, made = now(), list[tuple[str, str]]()
    for nql_id, text in SAVED.items():
        control.saved_queries.save(nql_id, nql_id[1:], "", text, by=ACTOR, now=began)
    for number in range(count):
        if number % MOST == 0:
            name = f"clients-{began}-{number}"
            account = control.accounts.create(name, "", ("query", "execute"), "UTC", by=ACTOR, now=began)
        new = NewApiCredential(f"{name}-{number}", APIS, expires_at=began + HOUR, limits=LIMITS)
        known, secret = control.api_credentials.create(account, new, by=ACTOR, now=began)
        made.append((known.id, secret))
    return tuple(made)


def _enrol(control: Control, uids: tuple[str, ...], seed: int) -> None:
    missing = [number for number, uid in enumerate(uids) if control.enrolment.device(uid) is None]
    create = control.enrolment.create_enrol_keys
    for start in range(0, len(missing), 1000):
        piece = missing[start : start + 1000]
        named = [uids[number] for number in piece]
        made = create(len(piece), simulated=True, expires_at=now() + HOUR, by=ACTOR, now=now(), devices=named)
        with ThreadPoolExecutor(32) as threads:  # those that wait together are written together
            list(threads.map(lambda one: _one(control, one[0], one[1], seed), zip(piece, made, strict=True)))


def _one(control: Control, number: int, key: tuple[EnrolKey, str], seed: int) -> None:
    identity = private_key(seed, number).public_key().public_bytes_raw()
    control.enrolment.consume_enrol_key(key[1], identity, identity, f"load-{number:06d}", now=now())


class Server:
    """The portal as a process."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, port: int = 0) -> float:
        """Start it; how many seconds it took until it served."""
        began = time.monotonic()
        command = [sys.executable, "-m", "muster", "serve", "--data", str(self._data), "--port", str(port)]
        self._process = subprocess.Popen([*command, "--log-level", "error"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = next(word for word in line.split() if word.startswith("http"))
        return time.monotonic() - began

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1])

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def memory(self) -> int:
        """Bytes that it holds (resident)."""
        assert self._process is not None
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE

    def busy(self) -> float:
        """Seconds of processor time that it took so far."""
        assert self._process is not None
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / HERTZ


def agents(url: str, keys: Iterable[str], folder: Path) -> list[subprocess.Popen[bytes]]:
    """Real agents of this machine, each a process with a folder of its own, that run what the portal sends."""
    return [_agent(url, key, folder / f"agent-{number}") for number, key in enumerate(keys)]


def _agent(url: str, key: str, folder: Path) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "agent"]
    shutil.rmtree(folder, ignore_errors=True)
    words = [
        "enroll",
        "--url",
        url,
        "--state",
        str(folder),
        "--policy",
        "unrestricted",
        "--name",
        f"real-{folder.name}",
    ]
    subprocess.run([*program, *words, "--key-file", "-"], input=key.encode(), capture_output=True, check=True)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([*program, "run", "--state", str(folder)], stdin=subprocess.DEVNULL, stderr=log)
