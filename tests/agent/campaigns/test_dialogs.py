"""Who is not to be disturbed, and questions as dialogs of the desktop's own programs.

Comes in: programs that stand in for those of a desktop, as shell scripts. Goes out: reasons and answers.
Invariant: only these programs are found, so that no test opens anything on the desktop of whoever runs it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.campaigns import dialogs, focus
from agent.campaigns.questions import Answered, Campaign, Choice, Question, Sheet

CAMPAIGN = Campaign(
    "#ask",
    "A question",
    (
        Question("when", "When & where?", "single", (Choice("now", "Now"), Choice("later", "--Later <b>"))),
        Question("what", "What?", "multiple", (Choice("a", "A"), Choice("b", "B"))),
        Question("how", "How was it?", "rating"),
        Question("why", "Why?", "text"),
    ),
)
SHEET = Sheet(CAMPAIGN, "portal.example", "#test")
FULL = {"when": ["later"], "what": ["a", "b"], "how": ["4"]}


def programs(tmp_path: Path, **texts: str) -> dict[str, str]:
    """An environment whose only programs are these shell scripts."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder), "DISPLAY": ":nowhere", "XDG_SESSION_ID": "7"}


WINDOW = 'case "$*" in *ACTIVE_WINDOW*) echo "_NET_ACTIVE_WINDOW(WINDOW): window id # 0x2a";;'


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({}, ""),
        ({"busctl": "exit 1", "loginctl": "exit 1", "gsettings": "exit 1", "xprop": "exit 1"}, ""),
        ({"busctl": "echo b false", "loginctl": "echo LockedHint=no", "gsettings": "echo true"}, ""),
        ({"busctl": 'case "$*" in *gnome.ScreenSaver*GetActive*) echo b true;; esac'}, focus.LOCKED),
        ({"loginctl": '[ "$2" = 7 ] && echo LockedHint=yes'}, focus.LOCKED),
        ({"busctl": 'case "$*" in *Notifications*Inhibited*) echo b true;; esac'}, focus.QUIET),
        ({"gsettings": "echo false"}, focus.QUIET),
        ({"busctl": 'case "$*" in *IsInhibited*) echo b true;; esac'}, focus.PRESENTING),
        ({"xprop": WINDOW + ' *0x2a*) echo "_NET_WM_STATE(ATOM) = _NET_WM_STATE_FULLSCREEN";; esac'}, focus.FULL),
        ({"xprop": WINDOW + ' *0x2a*) echo "_NET_WM_STATE(ATOM) = _NET_WM_STATE_ABOVE";; esac'}, ""),
        ({"xprop": 'echo "_NET_ACTIVE_WINDOW(WINDOW): window id # 0x0"'}, ""),
    ],
)
def test_who_does_not_want_to_be_disturbed(tmp_path: Path, texts: dict[str, str], reason: str) -> None:
    assert focus.protected(programs(tmp_path, **texts)) == reason


def test_a_look_that_hangs_is_no_reason(tmp_path: Path) -> None:
    assert focus.protected(programs(tmp_path, gsettings="exec /bin/sleep 60"), 0.2) == ""


def dialogs_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, sheet: Sheet = SHEET
) -> tuple[Answered | None, list[str]]:
    """What the dialogs answer with a program of this name, and the arguments it got."""
    log = tmp_path / "log"
    script = f'printf "%s\\n" "$@" >> {log}; {text}'
    monkeypatch.setenv("PATH", programs(tmp_path, **{name: script})["PATH"])
    lifeline, ours = os.pipe()
    shown: list[int] = []
    try:
        found = dialogs.ask(sheet, lambda: shown.append(1), lifeline)
    finally:
        os.close(lifeline)
        os.close(ours)
    assert len(shown) <= 1
    return found, log.read_text().splitlines() if log.exists() else []


GTK = """case "$*" in *--checklist*) echo "1|2";; *How*) echo 4;; *--entry*) echo free text;; *) echo 2;; esac"""
KDE = """case "$*" in *check*) echo 1; echo 2;; *How*) echo 4;; *--inputbox*) echo text;; *radiolist*) echo 2;; esac"""


@pytest.mark.parametrize(("name", "text"), [("zenity", GTK), ("yad", GTK), ("kdialog", KDE)])
def test_dialogs_of_the_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    found, given = dialogs_of(tmp_path, monkeypatch, name, text)
    assert found == Answered("fully", FULL)
    assert "--Later <b>" not in given
    assert " --Later <b>" in given
    assert any("When &amp; where?" in item for item in given)


@pytest.mark.parametrize(("name", "text", "said"), [("zenity", GTK, "free text"), ("kdialog", KDE, "text")])
def test_what_is_written_to_the_portal_is_sent_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    sheet = Sheet(CAMPAIGN, "portal.example", "")
    found, given = dialogs_of(tmp_path, monkeypatch, name, text, sheet)
    assert found == Answered("fully", FULL, comments={"why": said})
    assert any("What you write is sent to portal.example." in item for item in given)


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        ("zenity", "exit 1", "declined"),
        ("zenity", "echo Later; exit 1", "postponed"),
        ("yad", "exit 1", "declined"),
        ("yad", "exit 2", "postponed"),
        ("kdialog", "exit 1", "declined"),
        ("kdialog", "exit 2", "postponed"),
        ("kdialog", 'case "$*" in *radiolist*) exit 1;; esac', "postponed"),
    ],
)
def test_dialogs_that_are_put_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, status: str
) -> None:
    found, _ = dialogs_of(tmp_path, monkeypatch, name, text)
    assert found is not None
    assert found.status == status


def test_no_dialogs_without_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dialogs_of(tmp_path, monkeypatch, "other", "exit 0")[0] is None


def test_a_dialog_ends_with_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path, zenity="exec /bin/sleep 60")["PATH"])
    lifeline, ours = os.pipe()
    ended = dialogs.ask(SHEET, lambda: os.close(ours), lifeline)
    os.close(lifeline)
    assert ended == Answered("postponed")
