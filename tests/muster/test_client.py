"""The client against a real portal: frames with types, parameters, words for errors, actions and runs.

Comes in: a portal with a small estate. Goes out: nothing. Invariant held here: what the client gives is what the
portal knows, typed.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import muster
from muster.client import Client, target
from muster.errors import NotAllowedError, QueryFailedError, RefusedError, UsageError
from tests.muster.conftest import Running

MANIFEST = '{"nql_id": "#say_hello", "name": "Say hello", "scripts": {"linux": {"language": "bash", "text": "true"}}}'


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    with muster.connect(running.url, running.token) as client:
        yield client


def test_a_query_is_a_typed_frame(client: Client) -> None:
    frame = client.query(
        "devices | list name, hardware.memory, last_seen, boot.last_full_boot_duration | sort name asc"
    )
    assert frame.schema == {
        "device.name": pl.String,
        "device.hardware.memory": pl.Int64,
        "device.last_seen": pl.Datetime("us", "UTC"),
        "device.boot.last_full_boot_duration": pl.Duration("us"),
    }
    assert frame.height == 30


def test_a_strict_query_refuses_what_is_ours(client: Client) -> None:
    assert client.query("devices | list name,").height == 30
    with pytest.raises(QueryFailedError, match="NQL510"):
        client.query("devices | list name,", strict="nexthink")


def test_a_query_in_plain_english(client: Client) -> None:
    assert "last 7 calendar days" in client.explain("devices during past 7d | list name", zone="Asia/Tokyo")
    with pytest.raises(QueryFailedError, match="naem"):
        client.explain("devices | list naem")


def test_parameters_are_values_never_text(client: Client) -> None:
    name = client.query("devices | list name | limit 1").item()
    assert client.query("devices | where name == $name | list name", name=name).item() == name
    assert client.query("devices | where name == $name", name='x" or name != "').height == 0


def test_diagnostics(client: Client) -> None:
    with pytest.raises(QueryFailedError) as caught:
        client.query("devices | where nme == 5 | list entty")
    assert len(caught.value.diagnostics) >= 2


def test_a_wrong_token_is_said_at_once(running: Running) -> None:
    with pytest.raises(NotAllowedError):
        muster.connect(running.url, "muster_nonsense")


def test_actions_and_runs(client: Client, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(MANIFEST)
    assert client.actions.apply(tmp_path) == ["#say_hello"]
    assert "#say_hello" in client.actions.list()["nql_id"].to_list()
    assert client.actions.get("say_hello")["scripts"]["linux"]["text"] == "true"
    with pytest.raises(RefusedError):
        client.run_action("say_hello", devices=["nobody"], wait=False)


def test_a_run_has_one_target() -> None:
    assert target("uid", None) == {"devices": ["uid"]}
    assert target(pl.Series(["a", "a", "b"]), None) == {"devices": ["a", "b"]}
    assert target(None, "devices") == {"nql": "devices"}
    for devices, nql in ((None, None), (["a"], "devices")):
        with pytest.raises(UsageError):
            target(devices, nql)
