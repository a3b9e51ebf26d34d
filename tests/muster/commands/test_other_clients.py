"""What other people's clients need, on the command line: saved queries, and credentials with their secrets.

Comes in: a portal with a small estate. Goes out: nothing. Invariant held here: what the commands print is enough for a
client to ask by.
"""

from __future__ import annotations

import io

import httpx
import pytest

from muster.cli import main
from tests.muster.commands.test_commands import Capture, json_of, said
from tests.muster.conftest import Running

GRANT = {"grant_type": "client_credentials", "scope": "service:integration"}


def test_a_saved_query_is_asked_with_a_credential(
    settled: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "devices | where name == $name | list name"
    assert json_of(capsys, "queries", "save", "#one_device", text, "--name", "One device")["text"] == text
    monkeypatch.setattr("sys.stdin", io.StringIO("devices | list name\n"))
    assert said(capsys, "queries", "save", "#every_device", "-") == "saved #every_device\n"
    assert [row["nql_id"] for row in json_of(capsys, "queries", "list")] == ["#every_device", "#one_device"]
    assert main(["queries", "save", "#wrong", "devices | list nmae"]) == 3
    assert "^^^^" in capsys.readouterr().err
    [[name, *_], *_] = json_of(capsys, "query", "devices | list name")["rows"]

    made = json_of(capsys, "credentials", "create", "itsm", "--allow", "nql, act", "--description", "tickets")
    assert (made["allow"], made["account"]) == (["act", "nql"], "admin")
    with httpx.Client(base_url=settled.url) as client:
        token = client.post("/oauth2/default/v1/token", data=GRANT, auth=(made["id"], made["secret"])).json()
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        ask = {"queryId": "#one_device", "parameters": {"name": name}}
        assert client.post("/api/v2/nql/execute", json=ask).json()["data"] == [{"device.name": name}]

        limits = said(capsys, "credentials", "limits", "itsm", "--nql-per-second", "20")
        assert limits == "itsm: nql per second: 20\n"
        rotated = said(capsys, "credentials", "rotate", "itsm", "--keep", "0s").splitlines()
        assert rotated[0] == made["id"]
        for secret, status in ((made["secret"], 401), (rotated[1], 200)):
            pair = (made["id"], secret)
            assert client.post("/api/v1/token", data=GRANT, auth=pair).status_code == status
        assert "act, nql" in said(capsys, "credentials", "list")
        said(capsys, "credentials", "revoke", "itsm")
        assert client.post("/api/v2/nql/execute", json=ask).status_code == 401
    for name in ("#one_device", "#every_device"):
        said(capsys, "queries", "delete", name)
    assert json_of(capsys, "queries", "list") == []


def test_custom_fields(settled: Running, capsys: Capture) -> None:
    assert said(capsys, "fields", "add", "device", "desk_number", "--type", "int") == "device.#desk_number: int\n"
    assert {"object": "device", "name": "desk_number", "type": "int", "query": "device.#desk_number"} in json_of(
        capsys, "fields", "list"
    )


def test_what_the_commands_refuse(capsys: Capture) -> None:
    for arguments, words in (
        (["create", "x", "--allow", "everything"], "There is no API 'everything'"),
        (["create", "x", "--role", "r", "--as", "ann"], "--as goes with --allow"),
    ):
        assert main(["credentials", *arguments]) == 2
        assert words in capsys.readouterr().err
