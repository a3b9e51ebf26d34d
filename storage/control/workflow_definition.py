"""What a workflow says: its steps and how one leads to the next, and what of it is refused.

In: a workflow decoded from JSON (msgspec checks shapes and bounds). Out: the content that a version's hash covers, or
RefusedError with every problem that the workflow shows by itself. Invariant: what passes here can be carried out step
by step: every name it goes to or reads from is there. Whether its actions exist is asked where they are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from storage.control.errors import RefusedError
from storage.control.manifest import Input, Name, NqlId, ParameterText

Trigger = Literal["api", "manual", "manual_multiple", "scheduler"]
Dependency = Literal["device", "user", "user_and_device", "none"]
Operator = Literal["is", "is not", ">", "<", ">=", "<=", "contains", "not contains", "empty", "not empty"]
Outcome = Literal["action_taken", "no_action_taken", "failed"]
CONTINUE, STOP = "continue", "stop"
DAY = 86_400
StepId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
Seconds = Annotated[int, Meta(ge=60, le=30 * DAY)]
Reference = Annotated[str, Meta(min_length=2, max_length=200)]
_PARAMETER = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]{0,63})")
_OUTPUT = re.compile(r"steps\.([a-z][a-z0-9_]{0,31})\.(?:outputs\.([A-Za-z_][A-Za-z0-9_]{0,63})|state)")
UNARY = ("empty", "not empty")


class ActionStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="action"):
    """Run a remote action on the device. It has `within` seconds to begin. Values of `parameters` are texts, `$name`
    of a parameter of the workflow, or `steps.<id>.outputs.<name>` of a step before."""

    id: StepId
    action: NqlId
    parameters: Annotated[dict[Name, ParameterText], Meta(max_length=50)] = {}
    within: Seconds = 3600
    on_failure: StepId = STOP
    on_expiry: StepId = STOP
    next: StepId = CONTINUE


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value beside another: `value` names a parameter, an output or the state of a step; `than` is a text, or names
    one too."""

    value: Reference
    operator: Operator
    than: Annotated[str, Meta(max_length=1024)] = ""


class ConditionStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="condition"):
    """Go one way or the other: `then` where the device is among those of the query `nql` and all of `compare` hold."""

    id: StepId
    nql: Annotated[str, Meta(max_length=20_000)] = ""
    compare: Annotated[tuple[Comparison, ...], Meta(max_length=20)] = ()
    then: StepId = CONTINUE
    otherwise: StepId = CONTINUE


class WaitStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="wait"):
    """Wait some `seconds`; or, where `listen` names parameters, until somebody gives them, for `within` seconds."""

    id: StepId
    seconds: Annotated[int, Meta(ge=1, le=30 * DAY)] | None = None
    listen: Annotated[tuple[Name, ...], Meta(max_length=30)] | None = None
    within: Seconds = DAY
    on_expiry: StepId = STOP
    next: StepId = CONTINUE


class CampaignStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="campaign"):
    """Ask who is logged in at the device, by a campaign; one who comes within `within` seconds is asked, too. Its
    answers are the outputs of the step, by the labels of the questions."""

    id: StepId
    campaign: NqlId
    parameters: Annotated[dict[Name, ParameterText], Meta(max_length=30)] = {}
    within: Seconds = DAY
    on_failure: StepId = STOP
    on_expiry: StepId = STOP
    next: StepId = CONTINUE


class StopStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="stop"):
    """The end, and what came of it."""

    id: StepId
    outcome: Outcome = "no_action_taken"
    details: Annotated[str, Meta(max_length=1000)] = ""


Step = ActionStep | ConditionStep | WaitStep | CampaignStep | StopStep


class Workflow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A workflow as its author gives it. `longest` (seconds) bounds an execution as a whole."""

    nql_id: NqlId
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=100)]
    description: Annotated[str, Meta(max_length=4096)] = ""
    triggers: Annotated[tuple[Trigger, ...], Meta(min_length=1, max_length=4)] = ("api", "manual", "manual_multiple")
    active: bool = True
    dependency: Dependency = "device"
    parameters: Annotated[tuple[Input, ...], Meta(max_length=30)] = ()
    longest: Annotated[int, Meta(ge=60, le=90 * DAY)] = 7 * DAY


class Definition(msgspec.Struct, frozen=True):
    """What a version is: the part of a workflow that decides what is done."""

    steps: tuple[Step, ...]
    dependency: Dependency
    parameters: tuple[Input, ...]
    longest: int

    def step(self, identifier: str) -> Step:
        """A step by its id."""
        return next(step for step in self.steps if step.id == identifier)

    def following(self, identifier: str, way: str) -> str | None:
        """The id of the step that a way leads to from another; None for the end of the list."""
        if way != CONTINUE:
            return way
        place = next(number for number, step in enumerate(self.steps) if step.id == identifier)
        return self.steps[place + 1].id if place + 1 < len(self.steps) else None

    @property
    def actions(self) -> tuple[ActionStep, ...]:
        """The steps that run an action."""
        return tuple(step for step in self.steps if isinstance(step, ActionStep))

    @property
    def campaigns(self) -> tuple[CampaignStep, ...]:
        """The steps that ask people."""
        return tuple(step for step in self.steps if isinstance(step, CampaignStep))

    @property
    def read(self) -> dict[str, set[str]]:
        """Which outputs of which steps are read by others."""
        found: dict[str, set[str]] = {}
        for text in _references(self.steps):
            if (named := output_named(text)) is not None:
                found.setdefault(named[0], set()).update([named[1]] if named[1] else ())
        return found


def content(workflow: Workflow) -> dict[str, Any]:
    """What a version is."""
    parts = {part: msgspec.to_builtins(getattr(workflow, part)) for part in Definition.__struct_fields__}
    for item in parts["parameters"]:
        del item["platforms"]
    return parts


def definition_of(text: str) -> Definition:
    """The definition of a version's content."""
    return msgspec.json.decode(text, type=Definition)


def parameter_named(text: str) -> str | None:
    """The parameter that a text names (`$name`); None where it names none."""
    found = _PARAMETER.fullmatch(text)
    return found[1] if found else None


def output_named(text: str) -> tuple[str, str | None] | None:
    """The step and the output that a text names, None for its state; None where it names nothing of a step."""
    found = _OUTPUT.fullmatch(text)
    return (found[1], found[2]) if found else None


def check(workflow: Workflow) -> None:
    """Raise RefusedError with every problem that shapes and bounds alone do not show."""
    if problems := list(_problems(workflow)):
        raise RefusedError("bad_workflow", "; ".join(problems))


def _problems(workflow: Workflow) -> Iterator[str]:
    if workflow.dependency != "device":
        yield f"a workflow goes on on devices alone: the dependency {workflow.dependency} is not offered"
    if "scheduler" in workflow.triggers:
        yield "a schedule cannot start a workflow: the trigger scheduler is not offered"
    yield from _twice("parameters", [item.name for item in workflow.parameters])
    if any(item.platforms for item in workflow.parameters):
        yield "a parameter of a workflow has no platforms"
    ids = [step.id for step in workflow.steps]
    yield from _twice("steps", ids)
    yield from (f"no step can be called {name}" for name in ids if name in (CONTINUE, STOP))
    for step in workflow.steps:
        for problem in (*_way_problems(step, ids), *_own_problems(step), *_name_problems(step, workflow)):
            yield f"step {step.id}: {problem}"


def _way_problems(step: Step, ids: Sequence[str]) -> Iterator[str]:
    for name in ("next", "then", "otherwise", "on_failure", "on_expiry"):
        way = getattr(step, name, CONTINUE)
        known = way in ids or way == CONTINUE or (way == STOP and name.startswith("on_"))
        if not known:
            yield f"{name} leads to {way}, which is no step"


def _own_problems(step: Step) -> Iterator[str]:
    match step:
        case ConditionStep() if not step.nql.strip() and not step.compare:
            yield "a condition has a query (nql), or something to compare"
        case ConditionStep() if step.then == step.otherwise:
            yield "both ways of the condition lead to the same step"
        case ConditionStep():
            for one in step.compare:
                if (one.operator in UNARY) == bool(one.than):
                    yield f"{one.operator} takes {'nothing' if one.than else 'something'} to compare with in than"
        case WaitStep() if (step.seconds is None) == (step.listen is None):
            yield "a wait has either seconds or parameters to listen for"
        case WaitStep() if step.listen is not None:
            yield from _twice("parameters", step.listen)


def _name_problems(step: Step, workflow: Workflow) -> Iterator[str]:
    parameters = {item.name for item in workflow.parameters}
    steps = {one.id: one for one in workflow.steps}
    if isinstance(step, ConditionStep):
        for one in step.compare:
            if parameter_named(one.value) is None and output_named(one.value) is None:
                yield f"{one.value[:64]!r} is no value: write $name, steps.ID.outputs.NAME or steps.ID.state"
    for text in _references([step]):
        name, named = parameter_named(text), output_named(text)
        if name is not None and name not in parameters:
            yield f"there is no parameter {name}"
        if named is not None:
            other = steps.get(named[0])
            if not isinstance(other, ActionStep | WaitStep | CampaignStep):
                yield f"there is no step {named[0]} that answers something"
            elif isinstance(other, WaitStep) and named[1] is not None and named[1] not in (other.listen or ()):
                yield f"the step {other.id} does not listen for {named[1]}"


def _references(steps: Sequence[Step]) -> Iterator[str]:
    """The texts of steps that may name something."""
    for step in steps:
        match step:
            case ActionStep() | CampaignStep():
                yield from step.parameters.values()
            case ConditionStep():
                for one in step.compare:
                    yield from (one.value, one.than)


def _twice(kind: str, names: Sequence[str]) -> Iterator[str]:
    folded = [name.lower() for name in names]
    for name in sorted({name for name in folded if folded.count(name) > 1}):
        yield f"two {kind} are called {name}"


def given(values: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """What is wrong with the values that somebody gives for names; None where nothing is."""
    if missing := [name for name in names if name not in values]:
        return f"a value for {missing[0]} is missing"
    if more := [name for name in values if name not in names]:
        return f"there is no parameter {more[0][:64]!r}"
    return None
