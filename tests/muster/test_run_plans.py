"""Plans as options of a command, and a run on the screen while it goes on."""

from __future__ import annotations

import io
from argparse import ArgumentParser
from typing import Any

import msgspec
import pytest
from rich.console import Console

from muster.errors import UsageError
from muster.live import line, shown, watching
from muster.run_plans import add_plan, plan_of
from muster.runs import Run, run_of
from storage.control.plans import Plan, check
from storage.control.webhooks import EVENTS
from tests.architecture.project import ROOT

SOON = "2026-01-01T10:00:00.25Z"


def planned(*arguments: str) -> dict[str, Any]:
    parser = ArgumentParser()
    add_plan(parser)
    return plan_of(parser.parse_args(arguments))


def test_every_option_is_a_part_of_a_plan_that_the_portal_takes() -> None:
    found = planned(
        "--waves", "1, 5%,25%,100%", "--soak", "5min", "--gate", "devices", "--max-devices", "200",
        "--max-growth", "10%",
        "--previewed", "100", "--retries", "3", "--backoff", "1min", "--once-every", "1d", "--follow",
        "--window", "mon-fri 22:00-6:00 Europe/Zurich",
    )  # fmt: skip
    assert found == {
        "mode": "follow",
        "waves": ["1", "5%", "25%", "100%"],
        "soak": 300,
        "gate": "devices",
        "limits": {"devices": 200, "preview": 100, "growth": 10.0},
        "retries": {"attempts": 4, "backoff": 60},
        "once_every": 86_400,
        "window": {
            "days": ["mon", "tue", "wed", "thu", "fri"],
            "from": "22:00",
            "to": "06:00",
            "zone": "Europe/Zurich",
        },
    }
    check(msgspec.convert(found, Plan))


def test_nothing_said_is_nothing() -> None:
    assert planned() == {}


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("daily 01:00-02:00", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
        ("sat-mon 01:00-02:00", ["sat", "sun", "mon"]),
        ("tue,thu 01:00-02:00", ["tue", "thu"]),
        ("mon,mon-tue 01:00-02:00", ["mon", "tue"]),
    ],
)
def test_days_of_a_window(text: str, days: list[str]) -> None:
    window = planned("--window", text)["window"]
    assert (window["days"], window["zone"]) == (days, "UTC")
    check(msgspec.convert({"window": window}, Plan))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--window", "someday 01:00-02:00"], "cannot be read"),
        (["--window", "mon 1-2"], "cannot be read"),
        (["--window", "mon-xyz 01:00-02:00"], "cannot be read"),
        (["--retries", "10"], "1 to 9 times"),
        (["--retries", "0"], "1 to 9 times"),
        (["--backoff", "1min"], "--retries 3"),
        (["--max-growth", "ten"], "--max-growth 10%"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_can(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        planned(*arguments)
    assert words in f"{caught.value} {caught.value.hint}"


def run(**changes: Any) -> Run:
    said = {
        "id": "r1", "action": "#fix", "target": {}, "parameters": {}, "requested_by": "ann", "requested_at": "",
        "expires_at": "", "counts": {"success": 1, "waiting_on_device": 3}, "held": 3,
        "complete": False, "state": "running", "state_detail": None,
        "wave": 1, "next_at": None, "plan": {"gate": "devices"},
        "waves": [
            {"number": 1, "size": "1", "counts": {"success": 1}, "held": 0, "released": True},
            {"number": 2, "size": "100%", "counts": {}, "held": 3, "released": False},
        ],
    }  # fmt: skip
    return run_of(said | changes)


def drawn(one: Run) -> str:
    text = io.StringIO()
    Console(file=text, width=100).print(shown(one))
    return text.getvalue()


def test_a_run_in_one_line() -> None:
    assert line(run()) == "wave 1 of 2: 3 held back, 1 success"
    assert line(run(next_at=SOON)).endswith("; next wave at 2026-01-01 10:00:00 UTC")
    assert line(run(state="halted", state_detail="too slow")).endswith("; halted: too slow")
    assert "\x1b" not in line(run(state="halted", state_detail="\x1b[2Jgone"))


def test_a_run_on_a_terminal_has_a_line_for_each_wave_and_why_it_stands_still() -> None:
    lines = drawn(run(state="halted", state_detail="3 devices [bold]are\x1b slow")).splitlines()
    assert "run r1" in lines[0]
    assert "halted" in lines[0]
    assert [line.split()[:3] for line in lines[1:3]] == [["wave", "1", "1"], ["wave", "2", "100%"]]
    assert "1/1" in lines[1]
    assert "1 success" in lines[1]
    assert "0/3" in lines[2]
    assert "3 held" in lines[2]
    assert "[bold]are" in lines[3]
    assert "\x1b" not in lines[3]
    assert "next wave at 2026-01-01 10:00:00 UTC if the gate holds" in drawn(run(next_at=SOON))


def test_where_there_is_no_terminal_each_change_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with watching() as told:
        told(run())
        told(run())
        told(run(counts={"success": 4}, held=0, waves=[]))
    assert capsys.readouterr().err.splitlines() == ["wave 1 of 2: 3 held back, 1 success", "4 success"]


def test_the_document_names_every_option_and_part() -> None:
    text = (ROOT / "docs" / "runs.md").read_text()
    parser = ArgumentParser()
    add_plan(parser)
    options = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
    assert [name for name in options if f"`{name}`" not in text and name != "--help"] == []
    assert [name for name in Plan.__struct_fields__ if f"`{name}" not in text] == []
    assert [event for event in EVENTS if f"`{event}`" not in text] == []
