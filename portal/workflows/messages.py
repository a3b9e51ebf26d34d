"""The JSON of the routes of workflows: what comes in with its bounds, and what goes out.

Data only. A workflow's form is `storage.control.workflow_definition.Workflow`, so that whoever writes one is told the
same everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from portal.actions.messages import DeviceRef, Target
from storage.control.manifest import Input
from storage.control.workflow_definition import Dependency, Step, Trigger

ParameterName = Annotated[str, Meta(max_length=64)]
ParameterText = Annotated[str, Meta(max_length=4096)]
Parameters = Annotated[dict[ParameterName, ParameterText], Meta(max_length=50)]
State = Literal["in_progress", "waiting", "success", "failure", "cancelled", "expired"]


class AskWorkflow(Struct, forbid_unknown_fields=True):
    """A workflow to begin on devices; the same `idempotency_key` gives the same request again."""

    target: Target
    parameters: Parameters = {}
    reason: Annotated[str, Meta(max_length=500)] | None = None
    external_source: Annotated[str, Meta(max_length=255)] | None = None
    external_reference: Annotated[str, Meta(max_length=255)] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class AskStop(Struct, forbid_unknown_fields=True):
    """Nothing more is to be said."""


class AskGiven(Struct, forbid_unknown_fields=True):
    """What a step that listens is given."""

    parameters: Parameters = {}


class WorkflowInfo(Struct):
    """A workflow at its newest version, whose `number` is counted from 1. `may_run` says whether whoever asks may begin
    it."""

    nql_id: str
    uid: str
    name: str
    description: str
    triggers: list[Trigger]
    active: bool
    version: str
    number: int
    dependency: Dependency
    longest: int
    parameters: list[Input]
    may_run: bool
    updated_at: str
    updated_by: str
    steps: list[Step] | UnsetType = UNSET


class WorkflowOne(Struct):
    """One workflow, with its steps."""

    workflow: WorkflowInfo


class WorkflowList(Struct):
    """All workflows, by id."""

    workflows: list[WorkflowInfo]


class WorkflowBegun(Struct):
    """A request, and its executions in the order in which the devices were named."""

    request: str
    executions: list[str]


class WorkflowRequestInfo(Struct):
    """A request: how many of its executions are in each state, and whether none goes on."""

    request: str
    counts: dict[str, int]
    complete: bool


class WorkflowExecutionInfo(Struct):
    """A workflow on one device. `answers` are what its steps have answered, as far as others read it."""

    id: str
    request: str
    workflow: str
    number: int
    device: DeviceRef
    state: State
    detail: str | None
    outcome: str | None
    outcome_detail: str | None
    step: str
    run: str | None
    parameters: dict[str, str]
    answers: dict[str, Any]
    trigger: str
    requested_by: str
    requested_at: str
    changed_at: str
    expires_at: str
    ended_at: str | None


class WorkflowExecutionOne(Struct):
    """One execution."""

    execution: WorkflowExecutionInfo


class WorkflowExecutionList(Struct):
    """Executions, newest first."""

    executions: list[WorkflowExecutionInfo]


class WorkflowsCancelled(Struct):
    """How many executions were cancelled."""

    cancelled: int
