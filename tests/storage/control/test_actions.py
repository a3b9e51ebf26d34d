"""Versions never change, output names keep their types, and bad manifests are refused with every problem."""

from __future__ import annotations

from hashlib import sha256
from json import dumps, loads

import pytest

from storage.control.actions import manifest_of
from storage.control.api import Control
from storage.control.errors import NotFoundError, RefusedError
from tests.storage.control.conftest import NOW, manifest

BY = "account:ann"


def test_a_version_is_named_by_its_content(control: Control) -> None:
    action = control.actions.save_action(manifest(), by=BY, now=NOW)
    assert sha256(action.content.encode()).hexdigest() == action.version
    whole = loads(action.content)
    assert sorted(whole) == ["inputs", "outputs", "run_as", "scripts", "simulate", "timeout"]
    assert dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == action.content


def test_saving_again(control: Control) -> None:
    first = control.actions.save_action(manifest(), by=BY, now=NOW)
    assert control.actions.save_action(manifest(), by=BY, now=NOW + 1) == first
    renamed = control.actions.save_action(manifest(name="Clean"), by=BY, now=NOW + 2)
    assert (renamed.version, renamed.number, renamed.name) == (first.version, 1, "Clean")
    second = control.actions.save_action(manifest(timeout=61), by=BY, now=NOW + 3)
    assert (second.number, second.version == first.version) == (2, False)
    assert control.actions.action("#clear_cache", first.version).timeout == 60
    back = control.actions.save_action(manifest(), by=BY, now=NOW + 4)
    assert (back.version, back.number) == (first.version, 1)
    assert [action.timeout for action in control.actions.everything()] == [60]
    assert [e.action for e in control.audit.latest(subject="action:#clear_cache")] == ["action.saved"] * 4
    assert [m.row["nql_id"] for m in control.outbox.after(0)] == ["#clear_cache"] * 4


def test_an_output_keeps_its_type(control: Control) -> None:
    control.actions.save_action(manifest(outputs=[{"name": "n", "type": "uint32"}]), by=BY, now=NOW)
    for outputs in ([{"name": "n", "type": "string"}], [{"name": "N", "type": "uint32"}]):
        with pytest.raises(RefusedError) as caught:
            control.actions.save_action(manifest(outputs=outputs), by=BY, now=NOW)
        assert caught.value.code == "changed_output"
    assert control.actions.action("#clear_cache").number == 1
    control.actions.save_action(manifest(outputs=[{"name": "n", "type": "float"}]), by=BY, now=NOW)
    assert control.actions.output_types() == {"#clear_cache": {"n": "float"}}
    with pytest.raises(RefusedError):
        control.actions.save_action(manifest(outputs=[{"name": "n", "type": "uint32"}]), by=BY, now=NOW)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": [{"name": "a"}, {"name": "A"}]}, "two inputs are called a"),
        ({"outputs": [{"name": "a", "type": "bool"}, {"name": "a", "type": "bool"}]}, "two outputs are called a"),
        (
            {"scripts": {"linux": {"language": "powershell", "text": "x"}}},
            "a script for linux is written in bash or python",
        ),
        ({"scripts": {"linux": {"language": "bash", "text": "a\0b"}}}, "NUL"),
        ({"inputs": [{"name": "a", "allowed": ["x"], "default": "y"}]}, "not among its allowed values"),
        ({"simulate": {"x": "y" * 70_000}}, "simulate is larger"),
    ],
)
def test_bad_manifests(control: Control, changes: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        control.actions.save_action(manifest(**changes), by=BY, now=NOW)
    with pytest.raises(NotFoundError):
        control.actions.action("#clear_cache")


@pytest.mark.parametrize(
    "changes", [{"nql_id": "#a b"}, {"nql_id": "#abc\n"}, {"timeout": 3601}, {"more": 1}, {"scripts": {}}]
)
def test_shapes(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        manifest(**changes)


CAMPAIGN: dict[str, object] = {
    "nql_id": "#ask_restart",
    "title": "Restart",
    "questions": [{"label": "when", "text": "When?", "choices": [{"label": "now", "text": "Now"}]}],
}


def question(**changes: object) -> dict[str, object]:
    return {"label": "when", "text": "When?", "choices": [{"label": "now", "text": "Now"}], **changes}


def test_what_a_manifest_says_comes_back(control: Control) -> None:
    whole = manifest(
        origin="library",
        purpose=["remediation", "data_collection"],
        triggers=["schedule"],
        run_as="service",
        service="backup",
        inputs=[{"name": "path", "platforms": ["linux"], "allowed": ["/a", "/b"], "custom": True}],
        outputs=[{"name": "freed", "type": "size", "platforms": ["windows"], "label": "Freed"}],
        secrets=["token"],
        campaigns=[CAMPAIGN],
        idempotent=True,
        simulate={"duration": 1},
    )
    action = control.actions.save_action(whole, by=BY, now=NOW)
    assert manifest_of(action) == whole
    assert sorted(loads(action.content)) == [
        "campaigns", "idempotent", "inputs", "outputs", "run_as", "scripts", "secrets", "service", "simulate",
        "timeout",
    ]  # fmt: skip
    assert control.actions.save_action(manifest_of(action), by=BY, now=NOW + 1) == action


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run_as": "service"}, "name of an account"),
        ({"service": "backup"}, "name of an account"),
        ({"secrets": ["token", "Token"]}, "two secrets are called token"),
        ({"campaigns": [CAMPAIGN, CAMPAIGN]}, "two campaigns are called #ask_restart"),
        ({"campaigns": [CAMPAIGN | {"questions": [question(), question()]}]}, "two questions are called when"),
        ({"campaigns": [CAMPAIGN | {"title": "a\0b"}]}, "in campaign #ask_restart a text holds a NUL"),
        ({"campaigns": [CAMPAIGN | {"questions": [question(text="a\0b")]}]}, "a text holds a NUL character"),
        ({"campaigns": [CAMPAIGN | {"questions": [question(kind="text")]}]}, "of kind text takes no choices"),
        ({"campaigns": [CAMPAIGN | {"questions": [question(choices=[])]}]}, "of kind single needs choices"),
        ({"scripts": {"linux": {"language": "bash", "text": "é" * 300_001}}}, "larger than 600000 bytes"),
    ],
)
def test_manifests_that_contradict_themselves(control: Control, changes: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        control.actions.save_action(manifest(**changes), by=BY, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "elsewhere"},
        {"run_as": "service", "service": "../root"},
        {"run_as": "service", "service": "-u root"},
        {"campaigns": [CAMPAIGN] * 9},
        {"campaigns": [CAMPAIGN | {"questions": [question()] * 21}]},
        {"secrets": [f"s{n}" for n in range(21)]},
        {"inputs": [{"name": "a", "platforms": ["amiga"]}]},
        {"idempotent": "yes"},
    ],
)
def test_shapes_of_the_newer_parts(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        manifest(**changes)
