"""The starter actions: each manifest holds, each simulated device answers, and the first four run for real under the
agent's own runner (the others in the files beside this one).

Comes in: the folders of `content/actions`. Goes out: nothing. Invariant held here: outputs and inputs are the ones
that the manifest declares, and that the history of an estate tells.
"""

import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import wire
from agent.campaigns.questions import Campaign
from agent.host.simulate import FIELDS, Simulation
from muster.estate import automation
from storage.control.manifest import check
from tests.content.running import FOLDER, MANIFESTS, run

FACTS: dict[str, Any] = {
    "name": "zrh-lt-0001", "platform": "linux", "manufacturer": "", "model": "", "type": "laptop", "system": "Debian",
    "user": "anna", "address": "10.0.0.1", "number": 1, "memory": 16 << 30, "free_memory": 8 << 30,
    "disk_size": 512 << 30, "free_disk": 9 << 30, "used_disk_ratio": 0.98, "uptime": 5000, "booted_at": 1_700_000_000,
    "processes": 120, "load": 0.5, "now": 1_700_000_500,
}  # fmt: skip


@pytest.mark.parametrize("nql_id", MANIFESTS)
def test_the_manifest_holds(nql_id: str) -> None:
    check(MANIFESTS[nql_id])
    assert MANIFESTS[nql_id].description
    assert MANIFESTS[nql_id].origin == "library"


@pytest.mark.parametrize("nql_id", [nql_id for nql_id, m in MANIFESTS.items() if "remediation" in m.purpose])
def test_what_changes_a_device_has_to_be_asked_to(nql_id: str) -> None:
    """By who runs it, or on the device by its person."""
    if MANIFESTS[nql_id].campaigns:
        return
    [mode] = [item for item in MANIFESTS[nql_id].inputs if item.name == "mode"]
    assert mode.default in ("check", "preview")
    assert not mode.custom


@pytest.mark.parametrize("nql_id", MANIFESTS)
def test_it_is_run_by_a_test(nql_id: str) -> None:
    files = Path(__file__).parent.glob("test_*.py")
    assert any(f'run(tmp_path, "{nql_id}"' in file.read_text() for file in files)


@pytest.mark.parametrize("nql_id", automation.TYPES)
def test_the_history_of_an_estate_tells_the_same(nql_id: str) -> None:
    assert automation.TYPES[nql_id] == {item.name: item.type for item in MANIFESTS[nql_id].outputs}
    assert set(automation.INPUTS[nql_id]) == {item.name for item in MANIFESTS[nql_id].inputs}
    assert nql_id in {action[0] for action in automation.ACTIONS}


@pytest.mark.parametrize("platform", ["windows", "macos", "linux"])
@pytest.mark.parametrize("nql_id", MANIFESTS)
def test_a_simulated_device_gives_every_output(nql_id: str, platform: str) -> None:
    manifest = MANIFESTS[nql_id]
    assert set(FACTS) == set(FIELDS)
    declared = tuple(wire.Output(item.name, item.type) for item in manifest.outputs)
    simulation = Simulation(
        FACTS | {"platform": platform}, {item.name: item.default or "" for item in manifest.inputs}, "device", "run"
    )
    campaigns = msgspec.convert(msgspec.to_builtins(manifest.campaigns), tuple[Campaign, ...])
    reply = simulation.reply(manifest.simulate or {}, declared, campaigns)
    assert reply.problems == []
    assert set(reply.outputs) == {item.name for item in manifest.outputs}
    assert reply.duration < manifest.timeout


def test_disk_hot_spots(tmp_path: Path) -> None:
    place = tmp_path / "place"
    for name, size in (("small", 10_000), ("big\nwith a line", 300_000), ("middle", 90_000)):
        (place / name).mkdir(parents=True)
        (place / name / "file").write_bytes(os.urandom(size))
    ended = run(tmp_path, "#disk_hot_spots", path=str(place))
    assert (ended.state, ended.error, ended.exit_code) == ("success", "", 0)
    assert ended.outputs["largest_folder"] == f"{place}/big\nwith a line"
    assert 300_000 <= float(str(ended.outputs["largest_folder_size"])) < 400_000
    spots = ended.outputs["hot_spots"]
    assert isinstance(spots, list)
    assert [text.split(" ", 1)[1] for text in spots] == [
        f"{place}/{n}" for n in ("big\nwith a line", "middle", "small")
    ]
    free = os.statvfs(place)
    assert abs(float(str(ended.outputs["free_space"])) - free.f_bavail * free.f_frsize) < 1 << 30
    assert 0 <= float(str(ended.outputs["used_share"])) <= 100


def test_disk_hot_spots_of_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    ended = run(tmp_path, "#disk_hot_spots", path=str(tmp_path / "place"))
    assert ended.state == "success"
    assert (ended.outputs["largest_folder"], ended.outputs["hot_spots"]) == ("", [])


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/nowhere", "-x", "$(touch /tmp/never)", "; true"])
def test_disk_hot_spots_of_no_folder(tmp_path: Path, path: str) -> None:
    ended = run(tmp_path, "#disk_hot_spots", path=path)
    assert (ended.state, ended.exit_code) == ("failure", 1)
    assert "there is no folder" in ended.error


def test_get_uptime(tmp_path: Path) -> None:
    ended = run(tmp_path, "#get_uptime")
    assert (ended.state, ended.error) == ("success", "")
    booted, uptime = int(str(ended.outputs["booted_at"])), int(str(ended.outputs["uptime"]))
    assert abs(booted + uptime - time.time() * 1e6) < 60e6 or uptime == 49 * 86_400_000_000
    assert int(str(ended.outputs["processes"])) > 1
    assert float(str(ended.outputs["load"])) >= 0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an old and a new file in its cache, an old one beside it, and a link that leads there."""
    home = tmp_path / "home"
    (home / ".cache" / "deep").mkdir(parents=True)
    (home / "kept").mkdir()
    for name in (".cache/old", ".cache/deep/old", ".cache/new", "kept/old"):
        (home / name).write_bytes(b"x" * 5000)
    (home / ".cache" / "link").symlink_to(home / "kept")
    for name in (".cache/old", ".cache/deep/old", "kept/old"):
        os.utime(home / name, (1, 1))
    monkeypatch.setenv("HOME", str(home))
    return home


def test_clear_user_cache_counts_first(tmp_path: Path, home: Path) -> None:
    ended = run(tmp_path, "#clear_user_cache", days="3650", who="me")
    assert (ended.state, ended.error, ended.outputs["files"], ended.outputs["removed"]) == ("success", "", 2, False)
    assert (home / ".cache" / "old").exists()


def test_clear_user_cache_removes_what_is_old_and_nothing_else(tmp_path: Path, home: Path) -> None:
    ended = run(tmp_path, "#clear_user_cache", days="3650", mode="remove", who="me")
    assert (ended.state, ended.outputs["files"], ended.outputs["removed"]) == ("success", 2, True)
    left = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert left == {".cache/new", "kept/old"}


def test_clear_user_cache_takes_days_alone(tmp_path: Path, home: Path) -> None:
    ended = run(tmp_path, "#clear_user_cache", days="-1", mode="remove")
    assert (ended.state, ended.outputs) == ("failure", {})
    assert (home / ".cache" / "old").exists()


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """A TLS server with a certificate of its own making; its port."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "10",
        "-subj",
        "/CN=localhost/O=Tests",
    ]
    files = [str(folder / "key.pem"), str(folder / "certificate.pem")]
    subprocess.run([*command, "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as http:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[1], files[0])
        http.socket = context.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield http.server_port
        finally:
            http.shutdown()
            thread.join()


@pytest.mark.slow
def test_check_certificate(tmp_path: Path) -> None:
    with server(tmp_path) as port:
        ended = run(tmp_path, "#check_certificate", host="localhost", port=str(port))
    assert ended.state == "success", ended.error
    assert (ended.outputs["host"], ended.outputs["valid"], ended.outputs["days_left"]) == ("localhost", False, 9)
    assert "Tests" in str(ended.outputs["issuer"])
    assert "not trusted: self" in ended.error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "port"), [("", "443"), ("localhost", "none"), ("localhost", "1"), ("-connect", "443")]
)
def test_check_certificate_of_nothing(tmp_path: Path, host: str, port: str) -> None:
    ended = run(tmp_path, "#check_certificate", host=host, port=port)
    assert (ended.state, ended.exit_code) == ("failure", 1)
    assert ended.error


def test_every_folder_holds_an_action() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert {f"#{name}" for name in folders} == set(MANIFESTS)
    assert all(json.loads((FOLDER / name / "manifest.json").read_text())["simulate"] for name in folders)
