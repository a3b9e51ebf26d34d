"""A manifest and its scripts: every way in which they can disagree is said, and nothing else is.

Comes in: small manifests. Goes out: nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from muster.manifests import manifests
from storage.control.manifest import Manifest
from storage.control.scripts.api import disagreements
from tests.architecture.project import ROOT

SCRIPT = """
# NXT_PARAMETERS_BEGIN
path=$1
mode=$2
# NXT_PARAMETERS_END
muster_output size free 1
"""
INPUTS = [{"name": "path"}, {"name": "mode"}]
OUTPUTS = [{"name": "free", "type": "size"}]


def said(text: str = SCRIPT, language: str = "bash", platform: str = "linux", **changes: Any) -> list[str]:
    whole = {
        "nql_id": "#one",
        "name": "One",
        "scripts": {platform: {"language": language, "text": text}},
        "inputs": INPUTS,
        "outputs": OUTPUTS,
    }
    return disagreements(msgspec.convert(whole | changes, Manifest))


def test_what_agrees() -> None:
    assert said() == []
    only_there = [{"name": "there", "type": "bool", "platforms": ["windows"]}]
    assert said(outputs=[*OUTPUTS, *only_there], inputs=[*INPUTS, {"name": "more", "platforms": ["macos"]}]) == []


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"outputs": []}, "linux: line 6: output free (size) is written, but the manifest does not declare it"),
        (
            {"outputs": [*OUTPUTS, {"name": "b", "type": "bool"}]},
            "linux: output b is declared, but the script never writes it",
        ),
        (
            {"outputs": [{"name": "free", "type": "float"}]},
            "linux: line 6: output free is a size here and a float in the manifest",
        ),
        ({"outputs": [{"name": "free", "type": "size", "platforms": ["macos"]}]}, "manifest does not declare it"),
        ({"inputs": [{"name": "path"}]}, "linux: line 4: input mode is taken by the script, but the manifest"),
        ({"inputs": [*INPUTS, {"name": "c"}]}, "linux: input c is declared, but the script never reads it"),
        ({"inputs": INPUTS[::-1]}, "in the order path, mode; the manifest has mode, path"),
        ({"text": SCRIPT + 'muster_output size "$x" 1'}, "linux: line 7: the name of an output is not a literal"),
        ({"text": SCRIPT + "# muster:output later bool", "outputs": [*OUTPUTS, {"name": "later", "type": "bool"}]},
         "linux: output later is declared, but the script never writes it"),
    ],
)  # fmt: skip
def test_what_disagrees(changes: dict[str, Any], wanted: str) -> None:
    [found] = said(**changes)
    assert wanted in found


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ({"allowed": ["a"]}, None),
        ({"allowed": ["a", "c"]}, "the script takes no 'c' for input mode"),
        ({"allowed": ["a"], "custom": True}, "takes only a, b"),
        ({}, "takes only a, b"),
    ],
)
def test_values_that_a_script_takes(known: dict[str, Any], wanted: str | None) -> None:
    text = "param([ValidateSet('a', 'b')]$mode)"
    found = said(text, "powershell", "windows", outputs=[], inputs=[{"name": "mode", **known}])
    assert [wanted is not None and wanted in one for one in found] == [True] * (wanted is not None)


def test_what_a_script_reads_in_ways_that_cannot_be_told() -> None:
    assert said('f() { x=$1; }\nmuster_output size free "$x"') == []
    assert said('echo "$MUSTER_INPUT_PATH"; muster_output size free 1') == [
        "linux: input mode is declared, but the script never reads it"
    ]


@pytest.mark.parametrize("given", list(manifests(ROOT / "content" / "actions")), ids=lambda given: given["nql_id"])
def test_the_starter_actions_agree(given: dict[str, Any]) -> None:
    assert disagreements(msgspec.convert(given, Manifest)) == []
