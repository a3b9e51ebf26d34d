"""Roles, credentials and the audit log on the command line, against a real portal and its folder.

Comes in: a portal with a small estate. Goes out: nothing. Invariant held here: a secret is printed once, and what is
wrong with a condition is shown under the condition.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from muster import folder_accounts
from muster.cli import main
from tests.muster.commands.test_commands import Capture, json_of, said
from tests.muster.conftest import PASSWORD, Running


def test_roles(settled: Running, capsys: Capture) -> None:
    given = ["--allow", "query,execute", "--actions", "", "--domain", 'entity == "Lyon"']
    made = json_of(capsys, "roles", "set", "Lyon desk", *given)
    assert (made["name"], made["permissions"], made["actions"]) == ("Lyon desk", ["execute", "query"], [])
    assert made["domain"] == 'entity == "Lyon"'
    json_of(capsys, "users", "create", "lou", "--role", "lyon DESK", "--generate")
    assert [role["accounts"] for role in json_of(capsys, "roles", "list") if role["name"] == "Lyon desk"] == [1]
    shown = said(capsys, "roles", "show", "lyon desk")
    assert "may: execute, query" in shown
    assert "actions: none" in shown
    assert main(["roles", "delete", "Lyon desk"]) == 1
    assert "accounts hold the role" in capsys.readouterr().err
    assert json_of(capsys, "users", "set-role", "lou")["role"] is None
    json_of(capsys, "users", "set-role", "lou", "Lyon desk", "--data", str(settled.data))
    assert {row["name"]: row["role"] for row in json_of(capsys, "users", "list")}["lou"] == "Lyon desk"
    json_of(capsys, "users", "set-role", "lou", "--data", str(settled.data))
    said(capsys, "roles", "delete", "Lyon desk")
    assert main(["roles", "show", "Lyon desk"]) == 1


def test_a_condition_that_means_nothing_is_shown_where(settled: Running, capsys: Capture) -> None:
    assert main(["roles", "set", "x", "--allow", "query", "--domain", 'entty == "Lyon"']) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert '  entty == "Lyon"\n  ^^^^^' in printed.err
    assert main(["roles", "set", "x", "--allow", "query,fly"]) == 2
    assert "no permission 'fly'" in capsys.readouterr().err


def test_a_role_bounds_the_command_line(settled: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    [[place, *_], *_] = json_of(capsys, "query", "devices | list entity | limit 1")["rows"]
    json_of(capsys, "roles", "set", "one place", "--allow", "query", "--domain", f'entity == "{place}"')
    made = json_of(capsys, "credentials", "create", "reader", "--role", "one place", "--expires", "1d")
    assert (made["role"], made["permissions"]) == ("one place", ["query"])
    monkeypatch.setenv("MUSTER_TOKEN", made["secret"])
    found = json_of(capsys, "query", "devices | list entity")
    assert {row[0] for row in found["rows"]} == {place}
    assert main(["roles", "list"]) == 1
    assert main(["query", "platform.audit_logs past 7d"]) == 3
    assert "NQL511" in capsys.readouterr().err
    assert main(["tokens", "create", "another"]) == 1
    assert "makes no tokens" in capsys.readouterr().err
    monkeypatch.delenv("MUSTER_TOKEN")
    [listed] = [row for row in json_of(capsys, "credentials", "list") if row["name"] == "reader"]
    assert listed["used_at"] is not None
    assert made["secret"] not in json.dumps(listed)
    said(capsys, "credentials", "revoke", "reader")
    monkeypatch.setenv("MUSTER_TOKEN", made["secret"])
    assert main(["query", "devices"]) == 1


def test_a_new_password_at_the_portal(settled: Running, capsys: Capture) -> None:
    json_of(capsys, "users", "create", "nina", "--generate")
    assert len(json_of(capsys, "users", "password", "nina", "--generate")["password"]) == 20
    assert main(["users", "password", "nobody", "--generate"]) == 1


@pytest.mark.parametrize("place", ["portal", "folder"])
def test_the_audit_log(settled: Running, place: str, capsys: Capture) -> None:
    where = ["--data", str(settled.data)] if place == "folder" else []
    said(capsys, "tokens", "create", f"for {place}")
    newest = json_of(capsys, "audit", "list", "--limit", "1", *where)
    assert [entry["action"] for entry in newest] == ["token.created"]
    assert json_of(capsys, "audit", "list", "--subject", "account:admin", *where)[-1]["action"] == "account.created"
    found = json_of(capsys, "audit", "verify", *where)
    assert (found["whole"], found["unhashed"], len(found["head"])) == (True, 0, 64)
    assert found["head"] in said(capsys, "audit", "verify", *where)


def test_a_log_that_was_changed_is_told(tmp_path: Path, capsys: Capture) -> None:
    folder_accounts.create(tmp_path, "admin", PASSWORD, ["administer"], "UTC")
    folder_accounts.create_token(tmp_path, "admin", "x")
    with sqlite3.connect(tmp_path / "control" / "control.db") as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE action = 'account.created'")
    connection.close()
    assert main(["audit", "verify", "--data", str(tmp_path)]) == 5
    printed = capsys.readouterr()
    assert "its hash does not fit" in printed.out
    assert "not as it was written" in printed.err
