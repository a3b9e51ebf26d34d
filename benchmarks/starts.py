"""What a start of the portal costs: `python -m benchmarks.starts --data DIR [--devices N --rows N --runs N]`.

In: a folder that is not there yet. Out: printed, for a start after kill -9 and one after a clean stop: seconds by the
clock and of processor time until the portal serves, and until it has given its first answer. Before the kill the folder
has a device and an open interval of presence for each, and rows that no segment has yet; each run starts on a copy of
it. Invariant: the answer counts every row, else the figures are none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from nql.catalog.load import builtin
from portal.settings import Settings
from storage.control.api import open_control
from storage.control.presence import Move
from storage.tables.api import Batch, Rows, open_tables
from storage.tables.writer import SEAL_ROWS

BATCH = 200  # rows, as a device's message has some
DEVICES_A_BATCH = 2_000
MOST = 1_000_000
QUERY = "execution.crashes during past 7d | summarize n = count()"
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 300.0  # seconds


@dataclass(frozen=True)
class Figures:
    """Seconds until the portal serves and until its first answer, by the clock and of processor time."""

    serving: float
    serving_cpu: float
    answered: float
    answered_cpu: float

    def __str__(self) -> str:
        return (
            f"serving after {self.serving:.2f} s ({self.serving_cpu:.2f} s CPU), "
            f"first answer after {self.answered:.2f} s ({self.answered_cpu:.2f} s CPU)"
        )


def main() -> None:
    """Make the folder, and start."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starts", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder that is not there yet")
    parser.add_argument("--devices", type=_number, default=100_000)
    parser.add_argument("--rows", type=_number, default=MOST)
    parser.add_argument("--runs", type=_number, default=3)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)  # the process that is killed: says here it is done
    options = parser.parse_args()
    rows = min(options.rows, SEAL_ROWS - BATCH) // BATCH * BATCH or BATCH  # one more group, and the store would seal
    if options.fill:
        asyncio.run(fill(options.data, options.devices, rows, options.fill))
        return
    options.data.mkdir(parents=True)
    token = killed(options.data / "made", options.devices, rows)
    print(f"{options.devices:,} devices with open intervals, {rows:,} rows that are not sealed")
    for run in range(options.runs):
        folder = options.data / f"run-{run}"
        shutil.copytree(options.data / "made", folder)
        print(f"after kill -9: {started(folder, token, rows)}", flush=True)
        print(f"after a clean stop: {started(folder, token, rows)}", flush=True)
        shutil.rmtree(folder)


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{text} is not 1 to {MOST:,}")
    return number


# --- making --------------------------------------------------------------------------------------
def killed(data: Path, devices: int, rows: int) -> str:
    """Fill a folder, and kill who did; a token for its portal."""
    secret = _token(data)
    ready = data / "ready"
    command = [sys.executable, "-m", "benchmarks.starts", "--data", str(data), "--devices", str(devices)]
    process = subprocess.Popen([*command, "--rows", str(rows), "--fill", str(ready)])
    while not ready.exists():
        if process.poll() is not None:
            raise SystemExit("the folder could not be filled")
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ready.unlink()
    return secret


def _token(data: Path) -> str:
    def muster(*arguments: str) -> str:
        command = [sys.executable, "-m", "muster", *arguments, "--data", str(data), "--json"]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    open_control(Settings(data).control, now=time.time_ns() // 1000).close()
    muster("users", "create", "measurer", "--generate", "--permissions", "all")
    return str(json.loads(muster("tokens", "create", "measuring", "--account", "measurer"))["secret"])


async def fill(data: Path, devices: int, rows: int, ready: Path) -> None:
    """Store all without sealing, say so, and wait for the end."""
    now = time.time_ns() // 1000
    control = open_control(Settings(data).control, now=now)
    for first in range(0, devices, DEVICES_A_BATCH):
        moves = [Move(_uid(one), now) for one in range(first, min(first + DEVICES_A_BATCH, devices))]
        control.presence.write(moves, now=now)
    # A clock that stands: nothing is due, so that nothing is sealed.
    tables = await open_tables(Settings(data).tables, builtin(), clock=lambda: now)
    waiting = iter([*_known(devices, now), *_crashes(devices, rows, now)])

    async def send() -> None:
        for batch in waiting:
            await tables.append(batch)

    await asyncio.gather(*(send() for _ in range(64)))
    ready.touch()
    await asyncio.Event().wait()


def _known(devices: int, now: int) -> Iterator[Batch]:
    for sequence, first in enumerate(range(0, devices, DEVICES_A_BATCH), 1):
        held = range(first, min(first + DEVICES_A_BATCH, devices))
        columns = {"uid": [_uid(one) for one in held], "name": [f"device {one}" for one in held]}
        yield Batch("import:devices", 1, "starts", sequence, now, (Rows("device.devices", columns),))


def _crashes(devices: int, rows: int, now: int) -> Iterator[Batch]:
    for sequence, first in enumerate(range(0, rows, BATCH), 1):
        numbers = range(first, first + BATCH)
        columns: dict[str, list[object]] = {
            "@device": [_uid(number % devices) for number in numbers],
            "@binary": [f"binary-{number % 500}" for number in numbers],
            "time": [now - number for number in numbers],
            "number_of_crashes": [1] * BATCH,
        }
        yield Batch("import:crashes", 1, "starts", sequence, now, (Rows("execution.crashes", columns),))


def _uid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


# --- starting ------------------------------------------------------------------------------------
def started(data: Path, token: str, rows: int) -> Figures:
    """Start a portal, ask it once, stop it politely; what that took since it was started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "muster", "serve", "--data", str(data), "--port", str(port)]
    began = time.perf_counter()
    portal = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            _wait(client, portal)
            serving, serving_cpu = time.perf_counter() - began, _cpu(portal.pid)
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.post("/api/muster/v1/query", json={"text": QUERY}, headers=headers)
            answered, answered_cpu = time.perf_counter() - began, _cpu(portal.pid)
        if answer.status_code != 200 or answer.json()["rows"] != [[rows]]:
            raise SystemExit(f"the answer is {answer.text[:500]}, not {rows}")
    finally:
        portal.terminate()
        portal.wait(PATIENCE)
    return Figures(serving, serving_cpu, answered, answered_cpu)


def _wait(client: httpx.Client, portal: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and portal.poll() is None:
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.005)
    raise SystemExit("the portal does not serve")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


if __name__ == "__main__":
    main()
