"""Content as files: what is written reads the same, texts keep every byte, and what cannot be meant is said with its
file.

Comes in: files. Goes out: nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muster.content import differences, folder, items
from muster.content.items import Item
from muster.errors import UsageError
from tests.architecture.project import ROOT

MANIFEST: dict[str, Any] = {
    "nql_id": "#one",
    "name": "One",
    "scripts": {"linux": {"language": "bash", "text": "echo é\n"}},
    "inputs": [{"name": "path", "default": "/tmp", "allowed": ["/tmp", "/var"]}, {"name": "mode"}],
    "outputs": [{"name": "free", "type": "size", "label": "Free"}],
}
SCHEDULE = {
    "name": "Nightly",
    "definition": {"action": "#one", "target": "devices", "cadence": {"daily": {"at": "03:00"}}, "missed": "skip"},
}


def action(**changes: Any) -> Item:
    return items.action(MANIFEST | changes)


def query(**changes: str) -> Item:
    said = {"name": "Full drives", "description": "Nearly full.\n\nBy device.", "text": "devices\n| list name"}
    return items.query("#full", said | changes, "here")


CAMPAIGN: dict[str, Any] = {
    "name": "Coffee",
    "title": "Coffee?",
    "questions": [{"label": "why", "text": "Why?", "kind": "text"}],
    "triggers": ["remote_action"],
}
EVERYTHING = [
    action(),
    action(
        nql_id="#two",
        origin="library",
        purpose=["remediation", "data_collection"],
        triggers=[],
        timeout=7,
        run_as="service",
        service="backup",
        scripts={
            "windows": {"language": "powershell", "text": "\ufeffparam($a)\r\n"},
            "linux": {"language": "python", "text": "\n\n  pass"},
            "macos": {"language": "zsh", "text": "a\rb"},
        },
        inputs=[{"name": "a", "platforms": ["windows"], "custom": True, "default": ""}],
        secrets=["token"],
        idempotent=True,
        campaigns=[{"nql_id": "#ask", "title": "?", "questions": [{"label": "l", "text": "t", "kind": "text"}]}],
        simulate={"outputs": {"free": {"range": [1, 2]}}, "long": "x" * 200, "deep": [{"a": "y" * 120}, []]},
    ),
    query(),
    items.query("#odd", {"name": "N", "text": "// a comment of its own\ndevices"}, "here"),
    items.campaign("#coffee", CAMPAIGN, "here"),
    items.schedule("#nightly", SCHEDULE, "here"),
]


def test_what_is_written_reads_the_same(tmp_path: Path) -> None:
    written = folder.write(tmp_path, EVERYTHING)
    assert len(written) == 2 + 4 + 4
    assert folder.read(tmp_path) == EVERYTHING
    assert (tmp_path / "actions/two/windows.ps1").read_bytes() == b"\xef\xbb\xbfparam($a)\r\n"
    assert (tmp_path / "queries/full.nql").read_text() == (
        "// Full drives\n// Nearly full.\n//\n// By device.\n\ndevices\n| list name\n"
    )
    assert folder.write(tmp_path, EVERYTHING) == []


def test_a_manifest_says_only_what_it_has_to(tmp_path: Path) -> None:
    folder.write(tmp_path, [action()])
    assert (
        (tmp_path / "actions/one/manifest.json").read_text()
        == """{
  "nql_id": "#one",
  "name": "One",
  "scripts": {"linux": {"language": "bash", "file": "linux.sh"}},
  "inputs": [{"name": "path", "allowed": ["/tmp", "/var"], "default": "/tmp"}, {"name": "mode"}],
  "outputs": [{"name": "free", "type": "size", "label": "Free"}]
}
"""
    )


def test_what_says_the_same_is_left_as_it_is_written(tmp_path: Path) -> None:
    place = tmp_path / "actions" / "elsewhere"
    place.mkdir(parents=True)
    (place / "manifest.json").write_text(json.dumps(MANIFEST))
    assert folder.write(tmp_path, [action()]) == []
    assert {path.name for path in folder.write(tmp_path, [action(timeout=9)])} == {"manifest.json", "linux.sh"}
    assert folder.read(tmp_path) == [action(timeout=9)]


def test_an_action_asks_a_campaign_of_its_content(tmp_path: Path) -> None:
    folder.write(tmp_path, [action(), items.campaign("#coffee", CAMPAIGN, "here")])
    manifest, campaign = tmp_path / "actions/one/manifest.json", tmp_path / "campaigns/coffee.json"
    manifest.write_text(json.dumps(MANIFEST | {"campaigns": ["#coffee"]}))
    asked = {"nql_id": "#coffee", **{key: CAMPAIGN[key] for key in ("title", "questions")}}
    assert folder.read(tmp_path)[0] == action(campaigns=[asked])
    assert folder.write(tmp_path, [action(campaigns=[asked])]) == []
    for change in ({"triggers": ["api"]}, {"status": "retired"}, {"parameters": ["x"]}):
        campaign.write_text(json.dumps(CAMPAIGN | change))
        with pytest.raises(UsageError, match="which scripts cannot ask"):
            folder.read(tmp_path)
    for name in ("#tea", "../campaigns/coffee", ""):
        manifest.write_text(json.dumps(MANIFEST | {"campaigns": [name]}))
        with pytest.raises(UsageError, match="which is not there"):
            folder.read(tmp_path)


def test_one_action_and_a_folder_of_actions(tmp_path: Path) -> None:
    folder.write(tmp_path, EVERYTHING)
    assert folder.read(tmp_path / "actions" / "one") == [EVERYTHING[0]]
    assert folder.read(tmp_path / "actions") == EVERYTHING[:2]


def test_the_starter_library_is_content() -> None:
    found = folder.read(ROOT / "content")
    assert {item.nql_id for item in found if item.kind == "action"} >= {"#get_uptime", "#clear_user_cache"}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("actions/one/manifest.json", "{", "no JSON"),
        ("actions/one/manifest.json", json.dumps(MANIFEST | {"timeout": 0}), "timeout"),
        ("actions/one/manifest.json", json.dumps(MANIFEST | {"nql_id": "one"}), "nql_id"),
        ("queries/full.nql", "// only a name\n", "holds no query"),
        ("queries/Full.nql", "devices", "an id|which is none"),
        ("queries/full.nql", "devices" * 4000, "text"),
        ("workflows/two.json", json.dumps({"name": "Two"}), "steps"),
        ("workflows/two.json", json.dumps({"name": "Two", "steps": [{"kind": "dance", "id": "one"}]}), "dance"),
        ("campaigns/coffee.json", json.dumps({"name": "Two"}), "title"),
        ("schedules/nightly.json", "[]", "no JSON object"),
        ("schedules/nightly.json", json.dumps(SCHEDULE | {"more": 1}), "more"),
        ("schedules/nightly.json", json.dumps({"name": "x"}), "definition"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, file: str, text: str, said: str) -> None:
    place = tmp_path / file
    place.parent.mkdir(parents=True)
    place.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        folder.read(tmp_path)
    assert str(place) in caught.value.message


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_where_there_is_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="There is no content at") as caught:
        folder.read(tmp_path / name)
    assert "actions, queries, campaigns, workflows or schedules" in caught.value.hint


def test_an_empty_folder_of_content_is_empty(tmp_path: Path) -> None:
    (tmp_path / "actions").mkdir()
    assert folder.read(tmp_path) == []


def test_two_of_one_id(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "actions" / name).mkdir(parents=True)
        (tmp_path / "actions" / name / "manifest.json").write_text(json.dumps(MANIFEST))
    with pytest.raises(UsageError, match=r"Two files .* define the action #one"):
        folder.read(tmp_path)


def test_a_query_without_a_head_is_called_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "some_devices.nql").write_bytes(b"\xef\xbb\xbfdevices\r\n| list name\r\n")
    [item] = folder.read(tmp_path)
    assert (item.nql_id, item.body["name"], item.body["text"]) == (
        "#some_devices", "some_devices", "devices\n| list name"
    )  # fmt: skip


# --- differences -------------------------------------------------------------------------------
def test_the_same_has_no_difference() -> None:
    assert [line for item in EVERYTHING for line in differences.lines(item, item)] == []


def test_fields_are_told_by_name() -> None:
    changed = action(timeout=9, inputs=[MANIFEST["inputs"][0] | {"default": "/var"}, {"name": "mode"}])
    lines = list(differences.lines(action(), changed))
    assert lines[:2] == ["--- portal/action/one/fields", "+++ folder/action/one/fields"]
    assert [line for line in lines[2:] if line[0] in "+-"] == [
        "-timeout: 60", "+timeout: 9", '-inputs.path.default: "/tmp"', '+inputs.path.default: "/var"'
    ]  # fmt: skip


def test_the_order_of_names_is_no_difference() -> None:
    one, other = ({"outputs": {name: {"value": 1} for name in names}} for names in ("ab", "ba"))
    lines = list(differences.lines(action(simulate=one), action(simulate=other, timeout=9)))
    assert [line for line in lines if "simulate" in line] == []
    assert "+timeout: 9" in lines


def test_scripts_are_told_by_line_and_move_no_cursor() -> None:
    text = "echo é\necho \x1b[2J\tx\r\n"
    lines = list(differences.lines(action(), action(scripts={"linux": {"language": "bash", "text": text}})))
    assert lines == [
        "--- portal/action/one/script for linux", "+++ folder/action/one/script for linux", "@@ -1,2 +1,3 @@",
        " echo é", "+echo \\x1b[2J    x\\r", " ",
    ]  # fmt: skip


def test_another_platform() -> None:
    both = MANIFEST["scripts"] | {"windows": {"language": "powershell", "text": "exit"}}
    lines = list(differences.lines(action(), action(scripts=both)))
    assert "+scripts.windows.language: powershell" in lines
    assert lines[-1] == "+exit"


def test_a_query_by_line() -> None:
    lines = list(differences.lines(query(), query(text="devices\n| list entity", name="Other")))
    assert [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")] == [
        '-name: "Full drives"', '+name: "Other"', "-| list name", "+| list entity"
    ]  # fmt: skip
