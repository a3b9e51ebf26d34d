"""How a workflow goes on on one device: every step, every way out of it, every operator, without a portal.

Comes in: a definition and an execution as it stands. Goes out: nothing. Invariant: nothing here knows a store or a
clock.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from portal.workflows.deciding import MOST_MOVES, Ran, answered, decide, missed
from portal.workflows.values import MOST_BYTES, as_text, holds, kept, meant
from storage.control.records import to_json
from storage.control.states import State
from storage.control.workflow_definition import Comparison, Definition, WaitStep, Workflow, content, definition_of
from storage.control.workflow_executions import Move
from storage.control.workflow_rows import WorkflowExecution

NOW, SECOND = 1_767_264_000_000_000, 1_000_000
ACTION = {"kind": "action", "id": "clear", "action": "#clear_cache", "within": 600}
DONE = {"kind": "stop", "id": "done", "outcome": "action_taken", "details": "tidy"}
SORRY = {"kind": "stop", "id": "sorry", "outcome": "failed", "details": "in vain"}


def whole(*steps: dict[str, Any]) -> Definition:
    parameters = [{"name": "path"}, {"name": "least", "default": "5"}]
    said = {"nql_id": "#tidy", "name": "Tidy", "steps": steps, "parameters": parameters}
    return definition_of(to_json(content(msgspec.convert(said, Workflow))))


def at(step: str, **changes: Any) -> WorkflowExecution:
    """An execution at a step."""
    values: dict[str, Any] = {
        "id": "e", "request": "r", "workflow": "#tidy", "version": "v", "number": 1, "content": "",
        "parameters": {"path": "/opt", "least": "5"}, "trigger_method": "api", "requested_by": "ann",
        "requested_at": NOW, "reason": "full", "external_source": None, "external_reference": None, "device": "pc-1",
        "state": "in_progress", "detail": None, "outcome": None, "outcome_detail": None, "step": step, "begun": False,
        "moves": 3, "run": None, "until": None, "campaign": None, "due_at": NOW, "expires_at": NOW + 3600 * SECOND,
        "outputs": {}, "changed_at": NOW, "ended_at": None,
    }  # fmt: skip
    return WorkflowExecution(**{**values, **changes})


def went(move: Move | None) -> tuple[Any, ...]:
    """Where a move leads: the step, or the state with what came of it."""
    assert move is not None
    values = move.values
    return (values["step"],) if "step" in values else (values["state"], values["outcome"], values["detail"])


def test_an_action_begins_a_run_under_its_starter() -> None:
    said = whole(ACTION | {"parameters": {"path": "$path", "least": "steps.ear.outputs.least"}}, DONE, {
        "kind": "wait", "id": "ear", "listen": ["least"]})  # fmt: skip
    one = at("clear", outputs={"ear": {"state": "success", "outputs": {"least": "7"}}})
    move = decide(said, one, now=NOW)
    assert move is not None
    assert move.run is not None
    run = move.run
    assert (run.action, run.devices, run.requested_by, run.trigger_method) == (
        "#clear_cache", ("pc-1",), "ann", "workflow",
    )  # fmt: skip
    assert (run.parameters, run.reason, run.internal_source) == ({"path": "/opt", "least": "7"}, "full", "#tidy")
    assert run.expires_at == NOW + 600 * SECOND == move.values["until"]
    assert move.values["due_at"] == one.expires_at
    soon = decide(said, at("clear", outputs=one.outputs, expires_at=NOW + SECOND), now=NOW)
    assert soon is not None
    assert soon.run is not None
    assert soon.run.expires_at == NOW + SECOND
    none = decide(said, at("clear"), now=NOW)
    assert went(none)[0] == "failure"
    assert "no value for its parameter least" in went(none)[2]


@pytest.mark.parametrize(
    ("ways", "state", "leads"),
    [
        ({}, State.SUCCESS, ("done",)),
        ({"next": "sorry"}, State.SUCCESS, ("sorry",)),
        ({}, State.FAILURE, ("failure", "failed", "step clear: #clear_cache ended as failure: no room")),
        ({}, State.CANCELLED, ("failure", "failed", "step clear: #clear_cache ended as cancelled: no room")),
        ({}, State.EXPIRED, ("expired", "failed", "step clear: #clear_cache ended as expired: no room")),
        ({"on_failure": "sorry"}, State.LOST_CONTACT, ("sorry",)),
        ({"on_failure": "continue"}, State.POLICY_DENIED, ("done",)),
        (
            {"on_failure": "sorry"},
            State.EXPIRED,
            ("expired", "failed", "step clear: #clear_cache ended as expired: no room"),
        ),
        ({"on_expiry": "sorry"}, State.EXPIRED, ("sorry",)),
    ],
)
def test_out_of_an_action(ways: dict[str, str], state: State, leads: tuple[str, ...]) -> None:
    said = whole(ACTION | ways, DONE, SORRY)
    one = at("clear", begun=True, run="x")
    move = decide(said, one, ran=Ran(state, {"files": 3}, "no room"), now=NOW)
    assert went(move) == leads
    assert move is not None
    assert move.answers == {"state": state.value, "outputs": {}}, "nobody reads its outputs"
    assert decide(said, one, now=NOW) is None, "its run goes on"


def test_what_others_read_is_kept_and_bounded() -> None:
    said = whole(ACTION, ACTION | {"id": "two", "parameters": {"path": "steps.clear.outputs.names"}})
    move = decide(
        said, at("clear", begun=True, run="x"), ran=Ran(State.SUCCESS, {"names": ["a", "b"], "n": 1}), now=NOW
    )
    assert move is not None
    assert move.answers == {"state": "success", "outputs": {"names": ["a", "b"]}}
    many = kept({"names": ["x" * 1000] * 1000}, ["names", "none"])
    assert 0 < len(to_json(many["names"])) <= MOST_BYTES
    assert [as_text(value) for value in (True, 3.0, 0.125, ["a", 2], "x")] == ["true", "3", "0.125", "a,2", "x"]


def test_a_wait_of_some_time() -> None:
    said = whole({"kind": "wait", "id": "pause", "seconds": 60, "next": "sorry"}, DONE, SORRY)
    move = decide(said, at("pause"), now=NOW)
    assert move is not None
    assert (move.values["state"], move.values["due_at"]) == ("waiting", NOW + 60 * SECOND)
    begun = at("pause", begun=True, due_at=NOW + 60 * SECOND)
    assert decide(said, begun, now=NOW) is None
    assert went(decide(said, begun, now=NOW + 60 * SECOND)) == ("sorry",)


def test_a_step_that_listens() -> None:
    ear = {"kind": "wait", "id": "ear", "listen": ["least"], "within": 60}
    said = whole(ear, DONE, SORRY)
    step = said.step("ear")
    assert isinstance(step, WaitStep)
    begun = at("ear", begun=True, due_at=NOW + 60 * SECOND)
    move = answered(said, begun, step, {"least": "9"}, NOW)
    assert (went(move), move.answers) == (("done",), {"state": "success", "outputs": {"least": "9"}})
    late = decide(said, begun, now=NOW + 60 * SECOND)
    assert went(late)[:2] == ("expired", "failed")
    other = whole(ear | {"on_expiry": "sorry"}, DONE, SORRY)
    assert went(decide(other, begun, now=NOW + 60 * SECOND)) == ("sorry",)


def test_conditions_and_ends() -> None:
    comparison = {"value": "$least", "operator": ">", "than": "4"}
    said = whole({"kind": "condition", "id": "if", "nql": "devices", "compare": [comparison], "then": "done",
                  "otherwise": "sorry"}, DONE, SORRY)  # fmt: skip
    assert went(decide(said, at("if"), among=True, now=NOW)) == ("done",)
    assert went(decide(said, at("if"), among=False, now=NOW)) == ("sorry",)
    assert went(decide(said, at("if", parameters={"least": "4"}), among=True, now=NOW)) == ("sorry",)
    assert went(decide(said, at("done"), now=NOW)) == ("success", "action_taken", "step done")
    assert went(decide(said, at("sorry"), now=NOW)) == ("failure", "failed", "step sorry")
    last = whole(ACTION)
    assert went(decide(last, at("clear", begun=True, run="x"), ran=Ran(State.SUCCESS), now=NOW)) == (
        "success", None, "all steps are done",
    )  # fmt: skip


def test_every_execution_ends() -> None:
    said = whole({"kind": "condition", "id": "a", "nql": "devices", "then": "b", "otherwise": "a"}, {
        "kind": "wait", "id": "b", "seconds": 1, "next": "a"})  # fmt: skip
    assert went(decide(said, at("a", moves=MOST_MOVES), among=True, now=NOW))[0] == "failure"
    for step in ("a", "b"):
        late = decide(said, at(step, begun=step == "b", expires_at=NOW), among=True, now=NOW)
        assert went(late)[:2] == ("expired", "failed")
    over = missed(whole(ACTION, DONE), at("clear"), whole(ACTION).actions[0], "failure", "refused", NOW)
    assert went(over) == ("failure", "failed", "step clear: refused")


@pytest.mark.parametrize(
    ("operator", "than", "true_of", "false_of"),
    [
        ("is", "5", ["5", 5, 5.0, "5.0"], [6, "", None, "five", True]),
        ("is", "Yes", ["yes", "YES"], ["no", None]),
        ("is", "true", [True, "True"], [False, 1, None]),
        ("is not", "5", [6, "five", None], [5, "5"]),
        (">", "10", [11, "11", 10.5], [9, "9", 10, None]),
        ("<", "10", [9, "9"], [10, None]),
        (">=", "1e3", [1000, 1000.0], [999]),
        ("<=", "b", ["a", "B"], ["c", None]),
        ("contains", "AB", ["xaby", ["ab", "c"]], ["a", ["abc"], None]),
        ("not contains", "ab", [None, ["abc"], "a"], ["cab"]),
        ("empty", "", [None, "", []], [0, "x", False]),
        ("not empty", "", [0, "x", False], [None, "", []]),
        ("is", "$least", ["5", 5], ["6"]),
        (">", "inf", [], [5, "inf"]),
    ],
)
def test_operators(operator: Any, than: str, true_of: list[Any], false_of: list[Any]) -> None:
    comparison = Comparison("steps.clear.outputs.it", operator, than)
    for values, expected in ((true_of, True), (false_of, False)):
        for value in values:
            outputs = {} if value is None else {"it": value}
            one = at("if", outputs={"clear": {"state": "success", "outputs": outputs}})
            assert holds(comparison, one) is expected, value


def test_what_texts_mean() -> None:
    one = at("if", outputs={"clear": {"state": "failure", "outputs": {"it": 3}}})
    found = [meant(text, one) for text in (
        "$path", "steps.clear.outputs.it", "steps.clear.state", "steps.none.outputs.it", "steps.clear.outputs.no",
        "just $path", "$", "steps.clear", "/tmp")]  # fmt: skip
    assert found == ["/opt", 3, "failure", None, None, "just $path", "$", "steps.clear", "/tmp"]
