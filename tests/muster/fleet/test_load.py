"""`muster load` on a small scale: what it does works, and its checker sees what is not as it should be.

Comes in: a folder. Goes out: figures. Invariant: nothing here asserts how fast anything is.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from muster.fleet import check, clients
from muster.fleet.device import private_key, result_of, rows_of, value_of
from muster.fleet.load import measure
from muster.fleet.portal import uid_of
from muster.fleet.wires import _parsed
from tests.muster.fleet.house import answered

OPTIONS = {
    "devices": 12, "seed": 7, "rate": 100, "idle": 0, "runs": 0, "fan_out": "results", "senders": 3, "batches": 2,
    "rows": 5, "restart": False, "kill": False, "clients": 0, "client_seconds": 1,
}  # fmt: skip


@pytest.mark.slow
def test_a_small_load_stores_what_the_devices_sent(tmp_path: Path) -> None:
    figures, wrong = measure(tmp_path, OPTIONS, lambda text: None)
    assert wrong == []
    assert figures["connected"] == 12
    for name in ("fan_out_nudged_seconds", "fan_out_done_seconds", "rows_per_second", "bytes_each"):
        assert figures[name] > 0, name


@pytest.mark.slow
def test_a_restart_brings_everybody_back(tmp_path: Path) -> None:
    quiet = OPTIONS | {"fan_out": "", "senders": 0, "restart": True}
    figures, wrong = measure(tmp_path, quiet, lambda text: None)
    assert wrong == []
    assert figures["sigterm_all_back_seconds"] > 0
    assert figures["sigterm_person_errors"] == 0


@pytest.mark.slow
def test_clients_of_other_people_ask_while_agents_run_what_they_are_told(tmp_path: Path) -> None:
    few = OPTIONS | {"fan_out": "", "senders": 0, "clients": 20, "client_seconds": 3}
    figures, wrong = measure(tmp_path, few, lambda text: None)
    assert wrong == []
    assert figures["clients_token_count"] == 20
    assert (figures["clients_errors"], figures["clients_error_rate"]) == (0, 0)
    for name in ("clients_query_p99_ms", "clients_run_p50_ms", "clients_created_to_started_p50_ms"):
        assert figures[name] > 0, name


def test_what_is_refused_is_counted_and_told() -> None:
    done = [("query", 1.0, 200), ("query", 2.0, 429), ("export", 3.0, 206), ("run", 4.0, 0)]
    found = clients.figures(done, 2)
    assert (found["clients_errors"], found["clients_error_rate"]) == (2, 0.5)
    assert (found["clients_query_count"], found["clients_query_p99_ms"]) == (1, 1.0)
    assert "clients_run_p50_ms" not in found
    assert clients.wrong(done) == ["clients: 1 x query got 429", "clients: 1 x run got no answer"]


def test_the_checker_finds_results_that_are_not_those_of_the_devices(tmp_path: Path) -> None:
    uids = [uid_of(1, number) for number in range(3)]
    run = answered(tmp_path, uids, lambda number, run: result_of(number, run) + (number == 1))
    found = check.results(tmp_path, run, uids)
    assert len(found) == 1
    assert uids[1] in found[0]


def test_the_checker_finds_rows_that_are_missing() -> None:
    whole = sum(value_of(number, place) for number in range(3) for place in range(10)) / 1e6
    assert check.telemetry(whole, range(3), 10) == []
    assert len(check.telemetry(whole - 1, range(3), 10)) == 1


def test_what_devices_do_follows_from_their_numbers() -> None:
    assert private_key(1, 2).private_bytes_raw() == private_key(1, 2).private_bytes_raw()
    assert len({uid_of(1, number) for number in range(100)} | {uid_of(2, 1)}) == 101
    assert rows_of(4, 3, 600_000_000).columns["user_interaction_time"] == [value_of(4, place) for place in range(3)]
    assert result_of(1, "a") != result_of(2, "a")


def test_an_answer_is_read() -> None:
    assert _parsed(b"HTTP/1.1 503 Busy\r\nRetry-After: 10") == (503, {"retry-after": "10"})


def test_a_folder_that_is_not_of_a_load_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    command = [sys.executable, "-m", "muster", "load", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "not the folder of a load" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["0", "-1", "x", "1000000000", "1e3"])
def test_numbers_have_bounds(tmp_path: Path, wrong: str) -> None:
    command = [sys.executable, "-m", "muster", "load", "--data", str(tmp_path), "--devices", wrong]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "from 1 to 100,000" in done.stderr
