"""The client against a real portal: frames with types, parameters, words for errors, actions and runs.

Comes in: a portal with a small estate. Goes out: nothing. Invariant held here: what the client gives is what the
portal knows, typed.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import muster
from muster.client import Client
from muster.client_runs import target_of
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
    ).polars()
    assert frame.schema == {
        "device.name": pl.String,
        "device.hardware.memory": pl.Int64,
        "device.last_seen": pl.Datetime("us", "UTC"),
        "device.boot.last_full_boot_duration": pl.Duration("us"),
    }
    assert frame.height == 30


def test_a_strict_query_refuses_what_is_ours(client: Client) -> None:
    assert client.query("devices | list name,").polars().height == 30
    with pytest.raises(QueryFailedError, match="NQL510"):
        client.query("devices | list name,", strict="nexthink")


def test_a_query_in_plain_english(client: Client) -> None:
    assert "last 7 calendar days" in client.explain("devices during past 7d | list name", zone="Asia/Tokyo")
    with pytest.raises(QueryFailedError, match="naem"):
        client.explain("devices | list naem")


def test_parameters_are_values_never_text(client: Client) -> None:
    name = client.query("devices | list name | limit 1").item()
    assert client.query("devices | where name == $name | list name", name=name).item() == name
    assert client.query("devices | where name == $name", name='x" or name != "').polars().height == 0


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
        client.run("say_hello", ["nobody"], allow_draft=True)
    with pytest.raises(RefusedError) as stopped:
        client.run("say_hello", "devices", allow_draft=True, at_most=3)
    assert stopped.value.code == "guard_stopped"
    assert client.preview("devices").count == 30
    run = client.run("say_hello", "devices", allow_draft=True, reason="a test", idempotency_key="once")
    again = client.run("say_hello", "devices", allow_draft=True, reason="a test", idempotency_key="once")
    assert (run.id, run.state, run.complete) == (again.id, "running", False)
    assert run.wait(timeout=0).counts == {"waiting_on_device": 30}
    assert run.halt("looks odd").detail.endswith("looks odd")
    assert run.resume().state == "running"
    assert run.cancel().counts == {"cancelled": 30}
    assert [name for name, _ in run.events()][-1] == "done"
    results = client.runs.get(run.id).results()
    assert results.height == 30
    assert set(results["state"]) == {"cancelled"}
    assert client.runs.list(1)[0].id == run.id


def test_pages_tables_and_records(client: Client) -> None:
    text = "devices | list name, last_seen | sort name asc"
    answer = client.query(text, page=7)
    assert [frame.height for frame in answer] == [7, 7, 7, 7, 2]
    assert "more to fetch" in repr(answer)
    whole = answer.polars()
    assert whole.equals(client.query(text).polars())
    assert answer.arrow().num_rows == 30
    assert next(answer.rows()) == {name: whole[name][0] for name in answer.columns}
    assert client.query("devices | summarize n = count()").item() == 30
    for page in (0, 100_001):
        with pytest.raises(UsageError):
            client.query(text, page=page)


def test_a_query_of_an_instant(client: Client) -> None:
    now = datetime.now(UTC) - timedelta(days=400)
    text = "execution.events during past 1d | summarize n = count()"
    assert client.query(text).item() > client.query(text, now=now).item() == 0
    with pytest.raises(UsageError, match="time zone"):
        client.query("devices", now=now.replace(tzinfo=None))


def test_what_is_kept_under_names(client: Client) -> None:
    saved = client.saved_queries.save("#by_name", "devices | where name == $name", name="By name")
    assert client.saved_queries.get("by_name") == saved
    assert "#by_name" in client.saved_queries.list()["nql_id"].to_list()
    client.saved_queries.delete("by_name")
    with pytest.raises(RefusedError):
        client.saved_queries.get("by_name")
    uid = client.query("devices | list uid | limit 1").item()
    assert client.devices.get(uid)["uid"] == uid
    with pytest.raises(RefusedError):
        client.devices.get("nobody")


def test_schedules(client: Client, tmp_path: Path) -> None:
    often = MANIFEST.replace("say_hello", "say_often").replace('"name"', '"triggers": ["schedule"], "name"')
    (tmp_path / "manifest.json").write_text(often)
    client.actions.apply(tmp_path)
    definition = {
        "action": "#say_often",
        "target": "devices",
        "cadence": {"daily": {"at": "03:00"}},
        "allow_draft": True,
    }
    made = client.schedules.create("often", name="Often", definition=definition, enabled=False)
    assert client.schedules.get("#often") == made
    assert client.schedules.enable("often")["next_at"]
    assert not client.schedules.disable("often")["enabled"]
    assert client.schedules.list()["nql_id"].to_list() == ["#often"]
    client.schedules.delete("often")


def test_a_credential_signs_in(client: Client, running: Running) -> None:
    made = client._api.post("/credentials", {"name": "tool", "allow": ["muster"]})
    pair = (made["credential"]["id"], made["secret"])
    with muster.connect(running.url, credential=pair) as tool:
        assert tool.whoami()["name"] == "admin"
        assert tool.query("devices").polars().height == 30
    with pytest.raises(NotAllowedError, match="credential"):
        muster.connect(running.url, credential=(pair[0], "wrong"))


def test_a_target_is_a_query_or_devices() -> None:
    assert target_of("devices") == {"nql": "devices"}
    assert target_of(pl.Series(["a", "a", "b"])) == {"devices": ["a", "b"]}
    assert target_of(uid for uid in ("a", "b")) == {"devices": ["a", "b"]}
    with pytest.raises(UsageError):
        target_of([])
