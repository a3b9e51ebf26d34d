"""The real server in a process of its own: a free port, a person's way through it, a clean stop, a second one
refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

from storage.control.api import open_control
from storage.control.manifest import Manifest
from storage.control.runs import RunRequest
from tests.portal.conftest import API, MANIFEST, NOW, PASSWORD, QUICK

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from pathlib import Path
from portal.app import build
from portal.server import serve
from portal.settings import Settings

settings = Settings(Path(sys.argv[1]), port=0)
serve(build(settings), settings, ready=lambda port: print(port, flush=True))
"""


def started(data: Path) -> tuple[subprocess.Popen[str], str]:
    """A server and its address."""
    server = subprocess.Popen(
        [sys.executable, "-c", CODE, str(data)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    return server, f"http://127.0.0.1:{server.stdout.readline().strip()}"


@pytest.mark.slow
def test_start_use_and_stop(tmp_path: Path) -> None:
    data = tmp_path / "data"
    control = open_control(data / "control" / "control.db", now=NOW)
    control.accounts.create("ann", QUICK.hash(PASSWORD), ["query"], "UTC", by="portal", now=NOW)
    action = control.actions.save_action(msgspec.convert(MANIFEST, Manifest), by="account:ann", now=NOW)
    request = RunRequest(action.nql_id, ("somewhere",), "ann", expires_at=1 << 61)
    run, _ = control.create_run(request, now=NOW)
    control.close()
    server, address = started(data)
    try:
        with httpx.Client(base_url=address) as client:
            assert client.get("/healthz").json()["status"] == "ok"
            signed_in = client.post(f"{API}/session", json={"name": "ann", "password": PASSWORD})
            csrf = {"X-Muster-CSRF": signed_in.json()["csrf"], "Origin": address}
            rows = client.post(f"{API}/query", json={"text": "devices | list name"}, headers=csrf)
            assert (rows.status_code, rows.json()["rows"]) == (200, [])
            large = client.post(
                f"{API}/query", content=b" " * (5 << 20), headers=csrf | {"Content-Type": "application/json"}
            )
            assert large.status_code == 413
            second = subprocess.run(
                [sys.executable, "-c", CODE, str(data)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert second.returncode != 0
            assert f"in use by process {server.pid}" in second.stderr
            with client.stream("GET", f"{API}/runs/{run.id}/events") as stream:
                lines = stream.iter_lines()
                assert next(line for line in lines if line.startswith("event: ")) == "event: run"
                server.send_signal(signal.SIGTERM)
                assert "event: done" not in list(lines)  # it ends because the portal stops
        _, said = server.communicate(timeout=20)
    finally:
        server.kill()
        server.wait()
    assert server.returncode in (0, -signal.SIGTERM)
    assert '"event": "request"' in said
    assert "Traceback" not in said
    assert [path.name for path in (data / "control").iterdir()] == ["control.db"]
