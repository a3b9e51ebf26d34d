"""`muster lsp` over its pipes, driven as Visual Studio Code drives it: findings, choices, hover, layout, fixes.

Comes in: texts with astral characters and CRLF. Goes out: nothing. Invariants held here: positions are right in what
the editor counts; findings speak of the newest text; nothing but messages is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from muster.cli import main
from tests.muster.conftest import Running
from tests.muster.lsp.editor import CODE, URI, Editor, Json, applied, part, span, whole

pytestmark = pytest.mark.slow

SMILE = "\U0001f600"  # two UTF-16 units, four bytes


@pytest.fixture(scope="module")
def alone() -> Iterator[Editor]:
    with Editor() as editor:
        yield editor


@pytest.fixture
def editor(alone: Editor) -> Iterator[Editor]:
    yield alone
    alone.tell("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert alone.told("textDocument/publishDiagnostics") == {"uri": URI, "diagnostics": []}


def test_what_the_server_says_it_can(editor: Editor) -> None:
    can = editor.server
    assert can["positionEncoding"] == "utf-16"
    assert can["textDocumentSync"]["change"] == 2
    assert can["textDocumentSync"]["openClose"] is True
    assert "." in can["completionProvider"]["triggerCharacters"]
    assert can["hoverProvider"]
    assert can["documentFormattingProvider"]
    assert "quickfix" in can["codeActionProvider"]["codeActionKinds"]
    editor.open("devices")


def test_findings_stand_where_they_are(editor: Editor) -> None:
    [found] = editor.open(f"devices /* {SMILE} */\r\n| list /* {SMILE}{SMILE} */ naem, entity")
    assert span(found) == (1, 18, 1, 22)
    assert (found["severity"], found["code"], found["source"]) == (1, "NQL202", "nql")
    assert "naem" in found["message"]


def test_warnings_are_no_errors(editor: Editor) -> None:
    [found] = editor.open("devices | include execution.crashes during past 2d")
    assert (found["severity"], found["code"]) == (2, "NQL416")


def test_all_mistakes_at_once(editor: Editor) -> None:
    found = editor.open("devices\n| where naem == 1\n| list entitty\n")
    assert [span(one)[0] for one in found] == [1, 2]


def test_changes_of_parts(editor: Editor) -> None:
    assert editor.open("devices\r\n| list name") == []
    [found] = editor.change(part((1, 7), (1, 11), f"/* {SMILE}\u2028 */ naem"))
    assert span(found) == (1, 17, 1, 21)
    assert editor.change(part((1, 18), (1, 21), "ame")) == []
    assert editor.change(part((1, 7), (1, 17), ""), part((0, 7), (1, 0), "\n\n")) == []
    assert len(editor.change(part((2, 7), (99, 99), "naem"))) == 1


def test_changes_of_the_whole(editor: Editor) -> None:
    assert len(editor.open("devices | list naem")) == 1
    assert editor.change(whole("devices | list name")) == []
    assert len(editor.change(whole(""), whole("devices | list naem"))) == 1


def test_only_the_newest_text_is_spoken_of(editor: Editor) -> None:
    editor.open("devices | list name")
    for end in range(19, 40):
        editor.tell(
            "textDocument/didChange",
            {
                "textDocument": {"uri": URI, "version": end},
                "contentChanges": [whole("devices | list name " + "x" * end)],
            },
        )
    editor.tell(
        "textDocument/didChange",
        {"textDocument": {"uri": URI, "version": 99}, "contentChanges": [whole("devices | list name")]},
    )
    said: list[Json] = []
    while not said or said[-1].get("version") != 99:
        said.append(editor.told("textDocument/publishDiagnostics"))
    assert said[-1]["diagnostics"] == []
    assert len(said) < 10  # typing goes on, and nothing is said of what is gone


def test_choices_replace_the_word(editor: Editor) -> None:
    editor.open(f"devices /* {SMILE} */ | list operating_system.na")
    found = editor.at("completion", 0, 43, context={"triggerKind": 1})
    items = {item["label"]: item for item in found["items"]}
    item = items["operating_system.name"]
    assert span({"range": item["textEdit"]["range"]}) == (0, 24, 0, 43)
    assert item["textEdit"]["newText"] == "operating_system.name"
    assert item["kind"] == 5
    assert item["detail"]
    assert item["documentation"]
    assert [item["sortText"] for item in found["items"]] == sorted(item["sortText"] for item in found["items"])


def test_choices_of_every_kind(editor: Editor) -> None:
    editor.open("\n| \nwhere hardware.type == ")
    tables = {item["label"]: item["kind"] for item in editor.at("completion", 0, 0)["items"]}
    assert tables["devices"] == 7
    editor.change(whole("devices\n| "))
    clauses = {item["label"]: item["kind"] for item in editor.at("completion", 1, 2)["items"]}
    assert clauses["where"] == 14
    editor.change(whole("devices\n| where hardware.type == "))
    members = {item["label"]: item["kind"] for item in editor.at("completion", 1, 25)["items"]}
    assert members["laptop"] == 20


def test_what_somebody_may_have_configured_is_taken_for_granted(editor: Editor) -> None:
    text = "remote_action.#fix_it.executions during past 7d | where outputs.freed > 1GB | list "
    assert editor.open(text + "status") == []
    editor.change(whole(text))
    labels = {item["label"] for item in editor.at("completion", 0, len(text))["items"]}
    assert {"status", "outputs.freed"} <= labels


def test_a_space_opens_choices_only_where_something_must_come(editor: Editor) -> None:
    space = {"triggerKind": 2, "triggerCharacter": " "}
    editor.open("devices | list name ")
    assert editor.at("completion", 0, 20, context=space) is None
    editor.change(whole("devices | list "))
    assert editor.at("completion", 0, 15, context=space)["items"]


def test_hover_says_what_a_word_is(editor: Editor) -> None:
    editor.open(f"devices /* {SMILE} */ | list hardware.memory")
    found = editor.at("hover", 0, 30)
    assert found["contents"]["kind"] == "markdown"
    assert found["contents"]["value"].startswith("**hardware.memory**")
    assert span(found) == (0, 24, 0, 39)
    assert editor.at("hover", 0, 12) is None
    assert "Choose the columns" in editor.at("hover", 0, 20)["contents"]["value"]


def test_layout_is_one_edit_and_keeps_line_ends(editor: Editor) -> None:
    text = "devices|list name,\r\nentity\r\n"
    editor.open(text)
    options = {"options": {"tabSize": 2, "insertSpaces": True}}
    edits = editor.at("formatting", 0, 0, **options)
    assert applied(text, edits) == "devices\r\n| list name, entity\r\n"
    editor.change(whole("devices\r\n| list name, entity\r\n"))
    assert editor.at("formatting", 0, 0, **options) == []
    editor.change(whole("devices | | list ("))
    assert editor.at("formatting", 0, 0, **options) == []


def test_a_fix_is_an_edit(editor: Editor) -> None:
    text = "devices\r\n| list naem"
    editor.open(text)
    fixes = [action for action in editor.actions(1, 9) if action["kind"] == "quickfix"]
    assert fixes[0]["title"] == "Replace with name"
    assert fixes[0]["isPreferred"] is True
    assert fixes[0]["diagnostics"][0]["code"] == "NQL202"
    assert applied(text, fixes[0]["edit"]["changes"][URI]) == "devices\r\n| list name"
    assert [action["kind"] for action in editor.actions(0, 0)] == ["source"]
    assert [action["kind"] for action in editor.actions(1, 9, only=["quickfix"])] == ["quickfix"] * len(fixes)


def test_a_query_in_plain_english(editor: Editor) -> None:
    editor.open("devices during past 7d | list name")
    [action] = editor.actions(0, 0, only=["source"])
    assert action["command"]["command"] in editor.server["executeCommandProvider"]["commands"]
    asked = {"command": action["command"]["command"], "arguments": action["command"]["arguments"]}
    assert editor.ask("workspace/executeCommand", asked) is None
    told = editor.told("window/showMessage")
    assert told["type"] == 3
    assert told["message"]
    editor.change(whole("devices | list naem"))
    editor.ask("workspace/executeCommand", asked)
    assert "errors cannot be explained" in editor.told("window/showMessage")["message"]


def test_a_document_that_is_not_open_is_no_error(editor: Editor) -> None:
    editor.open("devices")
    other = {"textDocument": {"uri": "file:///other.nql"}, "position": {"line": 0, "character": 0}}
    assert editor.ask("textDocument/completion", other) is None
    assert editor.ask("textDocument/hover", other) is None


def test_a_text_that_no_query_can_be(editor: Editor) -> None:
    [found] = editor.open("devices | where name == '" + SMILE * 20_000 + "'")
    assert found["code"] == "NQL501"
    assert span(found) == (0, 25 + 2 * (16_000 - 25), 0, 26 + 40_000)
    editor.change(whole("\ud800 devices"))
    assert editor.at("completion", 0, 0) is not None


@pytest.mark.parametrize(("encoding", "place"), [("utf-8", 20), ("utf-32", 17)])
def test_other_ways_to_count(encoding: str, place: int) -> None:
    capabilities = {**CODE, "general": {"positionEncodings": [encoding, "utf-16"]}}
    with Editor(capabilities=capabilities) as editor:
        assert editor.server["positionEncoding"] == encoding
        [found] = editor.open(f"devices|list/*{SMILE}*/naem")
        assert span(found) == (0, place, 0, place + 4)


def test_an_editor_without_markdown() -> None:
    with Editor(capabilities={}) as editor:
        editor.open("devices | list name")
        found = editor.at("hover", 0, 16)
        assert found["contents"]["kind"] == "plaintext"
        assert "**" not in found["contents"]["value"]


def test_strict() -> None:
    with Editor("--strict", "nexthink") as editor:
        assert editor.open("devices | list name") == []
        assert {found["code"] for found in editor.change(whole("devices | list name, // all"))} == {"NQL510"}


def test_with_a_portal_it_knows_the_data(running: Running) -> None:
    with Editor("--url", running.url, MUSTER_TOKEN=running.token) as editor:
        text = 'devices | where name == "'
        editor.open(text)
        values = editor.at("completion", 0, len(text))["items"]
        assert len(values) == 30
        [found] = editor.change(whole("remote_action.#nobody_made_it.executions | list status"))
        assert found["code"] == "NQL213"


def test_a_portal_that_does_not_answer_is_told_once() -> None:
    with Editor("--url", "http://127.0.0.1:1") as editor:
        assert editor.open("devices | list naem") == []
        assert "No portal answers" in editor.told("window/showMessage")["message"]
        assert editor.change(whole("devices")) == []
        assert editor.at("completion", 0, 0) is None
        assert not editor.heard("window/showMessage")


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "muster.lsp.server", raising=False)
    monkeypatch.setitem(sys.modules, "pygls.lsp.server", None)
    assert main(["lsp"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "pip install 'muster-nql[lsp]'" in printed.err
