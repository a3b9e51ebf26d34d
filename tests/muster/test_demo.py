"""The demo as a person meets it: says its page, answers its own queries, runs actions, keeps its data, stops cleanly.

Comes in: small demos as processes. Goes out: nothing. Invariant held here: no process and no temporary folder is left.
"""

import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import muster
from muster import healing
from muster.demo import READ_BACK, content, queries
from muster.estate.population import device
from tests.architecture.project import ROOT
from tests.muster.demo_process import Demo
from tests.muster.settings import environment


@pytest.mark.slow
def test_it_says_where_and_who(demo: Demo) -> None:
    assert re.search(r"sign in as +admin\n +password +[A-Za-z0-9]{20} ", demo.said)
    assert f"export MUSTER_URL={demo.url}\n" in demo.said
    [told] = re.findall(r"export MUSTER_TOKEN=\$\(muster (tokens create .*)\)", demo.said)
    command = [sys.executable, "-m", "muster", *shlex.split(told)]
    token = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout
    with muster.connect(demo.url, token.strip()) as client:
        assert client.query("devices").polars().height > 0
    assert "1 day of 8 simulated devices" in demo.said
    assert "connected   8 of the simulated devices" in demo.said


@pytest.mark.slow
def test_its_queries_are_answered_without_a_warning(demo: Demo) -> None:
    with muster.connect(demo.url, demo.token()) as client:
        for text in queries(None):
            found = client._api.query(text, "application/json", zone="UTC")
            assert b'"warnings":[]' in found, text
        assert client.query(queries(None)[1]).polars().height > 0
        assert client.query(READ_BACK).polars().columns[0] == "device.name"


@pytest.mark.slow
def test_connected_devices_answer_actions_with_what_they_are(demo: Demo) -> None:
    with muster.connect(demo.url, demo.token()) as client:
        known = client.query(
            "devices | where simulated == true | sort name asc | list name, uid, hardware.memory"
        ).polars()
        assert known.height == 8
        run = client.run("get_uptime", connected(demo)).wait(60)
        assert run.counts["success"] == 8, run
        outputs = run.results()
        assert set(outputs["device.uid"]) <= set(known["device.uid"])
        assert outputs["outputs.processes"].min() > 0  # type: ignore[operator]
        text = "remote_action.#get_uptime.executions during past 1d | where request_id == $run | list outputs.processes"
        read = client.query(text, run=run.id).polars()
        assert sorted(read.to_series()) == sorted(outputs["outputs.processes"])


def connected(demo: Demo) -> list[str]:
    """The uids of the devices that the demo's pool runs."""
    return [device(3, number).uid for number in range(8)]


@pytest.mark.slow
def test_what_connected_devices_tell_is_what_the_history_told(demo: Demo) -> None:
    with muster.connect(demo.url, demo.token()) as client:
        assert client.query("devices | list uid").polars()["device.uid"].n_unique() == 8
        text = (
            "devices | where hardware.model == null or entity == null or login.last_login_user_name == null | list name"
        )
        assert client.query(text).polars().height == 0


@pytest.mark.slow
def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    count = "execution.events during past 3d | summarize n = count()"
    with Demo(tmp_path, "--no-agent") as first, muster.connect(first.url, first.token()) as client:
        before = client.query(count).polars().item()
    assert first.said.endswith("stopped\n")
    with Demo(tmp_path, "--no-agent", sign=signal.SIGINT) as second:
        assert "shown at the first start" in second.said
        assert "history" not in second.said
        with muster.connect(second.url, second.token()) as client:
            assert client.query(count).polars().item() >= before > 20


@pytest.mark.slow
def test_this_machine_is_among_the_devices_and_no_process_is_left(tmp_path: Path) -> None:
    with Demo(tmp_path) as running:
        children = psutil.Process(running.process.pid).children(recursive=True)
        assert len(children) >= 2
        with muster.connect(running.url, running.token()) as client:
            run = client.run("get_uptime", "devices | where simulated == false").wait(60)
            assert run.successful, run
            assert run.results()["device.name"].to_list() == [socket.gethostname()]
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.slow
def test_without_a_folder_nothing_is_left(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "muster",
        "demo",
        "--devices",
        "3",
        "--days",
        "1",
        "--connected",
        "0",
        "--no-agent",
    ]
    variables = environment(TMPDIR=str(tmp_path))
    process = subprocess.Popen([*command, "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=variables)
    assert process.stdout is not None
    assert any("Ctrl-C stops everything" in line for line in process.stdout)
    assert list(tmp_path.glob("muster-demo-*/demo.json"))
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert list(tmp_path.glob("muster-demo-*")) == []


@pytest.mark.parametrize(
    "given",
    [
        ["--connected", "13"],
        ["--port", "70000"],
        pytest.param(["--devices", "0", "--connected", "0"], marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_is_said(given: list[str], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "muster",
        "demo",
        "--devices",
        "12",
        "--data",
        str(tmp_path),
        "--port",
        "0",
        *given,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment(), timeout=60)
    assert done.returncode in {1, 2}
    assert done.stderr.startswith("muster: ") or "\nmuster: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_starter_content_is_found() -> None:
    assert (content() / "actions" / "get_uptime" / "manifest.json").is_file()


@pytest.mark.slow
def test_the_starter_content_is_defined(demo: Demo) -> None:
    with muster.connect(demo.url, demo.token()) as client:
        workflows = client._api.get("/workflows")["workflows"]
        campaigns = client._api.get("/campaigns")["campaigns"]
        saved = {one["nql_id"] for one in client._api.get("/saved-queries")["queries"]}
    assert {one["nql_id"] for one in workflows} == {f"#{path.stem}" for path in content().glob("workflows/*.json")}
    assert {f"#{path.stem}" for path in content().glob("campaigns/*.json")} <= {
        one["definition"]["nql_id"] for one in campaigns
    }
    assert {f"#{path.stem}" for path in content().glob("queries/*.nql")} <= saved


def test_queries_about_this_machine_come_with_an_agent() -> None:
    assert len(queries(None)) == 3
    assert len(queries("host")) == 5
    assert sum('"host"' in text for text in queries("host")) == 2


@pytest.mark.slow
def test_volumes_heal_themselves(demo: Demo) -> None:
    with muster.connect(demo.url, demo.token()) as client:
        listed = client._api.get("/schedules")["schedules"]
        assert {one["nql_id"] for one in listed} == {healing.WATCH, healing.CLEAN}
        assert client.query(healing.FULL).polars().columns[0] == "device.name"
        deadline = time.monotonic() + 100
        while not (firings := client._api.get("/schedules/demo_watch_volumes/firings")["firings"]):
            assert time.monotonic() < deadline, "no schedule fired within a minute"
            time.sleep(0.5)
        assert firings[0]["outcome"] == "run"
