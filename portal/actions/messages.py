"""The JSON of the action and run routes: what comes in with its bounds, and what goes out.

Data only. A manifest's form is `storage.control.manifest.Manifest`, so that whoever writes one is told the same
everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from storage.control.manifest import Input, NqlId, Output
from storage.control.plans import Plan

Uid = Annotated[str, Meta(min_length=1, max_length=64)]
WaitsFor = Literal["wave", "run", "window", "attempt"]
ParameterText = Annotated[str, Meta(max_length=30_000)]


class Target(Struct, forbid_unknown_fields=True):
    """What a run is for: devices by uid, or the devices of a query. One of the two."""

    devices: Annotated[list[Uid], Meta(min_length=1, max_length=10_000)] | UnsetType = UNSET
    nql: Annotated[str, Meta(min_length=1, max_length=20_000)] | UnsetType = UNSET


class AskPreview(Struct, forbid_unknown_fields=True):
    """A target to look at."""

    target: Target


class AskRun(Struct, forbid_unknown_fields=True):
    """A run to begin. `expires_in` (seconds) bounds its start; the same `idempotency_key` gives the same run again;
    `allow_draft` begins it although no trusted author signed the action."""

    action: NqlId
    target: Target
    parameters: Annotated[dict[Annotated[str, Meta(max_length=64)], ParameterText], Meta(max_length=50)] = {}
    expires_in: Annotated[int, Meta(ge=60, le=30 * 86_400)] = 3600
    reason: Annotated[str, Meta(max_length=500)] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    external_source: Annotated[str, Meta(max_length=255)] | None = None
    external_reference: Annotated[str, Meta(max_length=255)] | None = None
    allow_draft: bool = False
    plan: Plan = Plan()


class AskRetry(Struct, forbid_unknown_fields=True):
    """A run for the devices of another one that did not end well; what is not given is as it was there."""

    expires_in: Annotated[int, Meta(ge=60, le=30 * 86_400)] | None = None
    reason: Annotated[str, Meta(max_length=500)] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    allow_draft: bool = False


class AskHalt(Struct, forbid_unknown_fields=True):
    """Why a run is halted."""

    reason: Annotated[str, Meta(max_length=500)] | None = None


class AskResume(Struct, forbid_unknown_fields=True):
    """Nothing more is to be said."""


class AskCancel(Struct, forbid_unknown_fields=True):
    """What to cancel: one device of the run, or all of it."""

    device: Uid | None = None


class DeviceRef(Struct):
    """A device as it is named to people."""

    uid: str
    name: str
    simulated: bool


class Preview(Struct):
    """How many devices a target has now, some of them, and for a query how many there are of each platform. `claimed`
    decides the target though only the devices say it, so that one of them could join or leave as it likes."""

    count: int
    sample: list[DeviceRef]
    platforms: dict[str, int]
    claimed: list[str]


class ActionInfo(Struct):
    """An action at its newest version. `signed_by` are trusted authors; with none it is a draft. `may_run` says whether
    whoever asks may run and schedule it. `uid` is what clients of the classic Act API know it by."""

    nql_id: str
    uid: str
    name: str
    description: str
    purpose: list[str]
    triggers: list[str]
    origin: str
    version: str
    number: int
    timeout: int
    run_as: str
    platforms: list[str]
    signed_by: list[str]
    draft: bool
    may_run: bool
    inputs: list[Input]
    outputs: list[Output]
    updated_at: str
    updated_by: str
    scripts: dict[str, Any] | UnsetType = UNSET
    simulate: dict[str, Any] | UnsetType | None = UNSET


class ActionOne(Struct):
    """One action, with its scripts."""

    action: ActionInfo


class ActionList(Struct):
    """All actions, without scripts."""

    actions: list[ActionInfo]


class TargetInfo(Struct):
    """The frozen target of a run. `digest` is SHA-256 over the sorted uids, one a line."""

    kind: str
    text: str | None
    count: int
    digest: str


class WaveInfo(Struct):
    """One wave, counted from 1; `size` as the plan says it. `held` are those that are not released."""

    number: int
    size: str
    counts: dict[str, int]
    held: int
    released: bool


class RunInfo(Struct):
    """A run and how far it is. It is complete when no execution is open and no device may join. `state` is running,
    halted or ended, `state_detail` why; `next_at` when the next wave may begin; `opens_at` when the window opens, where
    it is closed now; `held` counts those that wait for their wave, or for a halted run; `skipped` counts devices that
    ran the action not long ago."""

    id: str
    action: str
    version: str
    parameters: dict[str, str]
    target: TargetInfo
    trigger: str
    requested_by: str
    requested_at: str
    expires_at: str
    reason: str | None
    counts: dict[str, int]
    held: int
    complete: bool
    plan: Plan
    state: str
    state_detail: str | None
    wave: int
    ended_at: str | None
    schedule: str | None
    retry_of: str | None
    skipped: int
    waves: list[WaveInfo] | UnsetType = UNSET
    next_at: str | UnsetType | None = UNSET
    opens_at: str | UnsetType | None = UNSET


class RunOne(Struct):
    """One run."""

    run: RunInfo


class RunList(Struct):
    """Runs, newest first."""

    runs: list[RunInfo]


class Cancelled(Struct):
    """How many executions were cancelled at once, and how many devices were asked to stop."""

    cancelled: int
    asked: int


class ExecutionInfo(Struct):
    """One execution. Outputs: times as ISO 8601 in UTC, durations in seconds, sizes in bytes. `wave` is counted from 1;
    what is `held` waits for its wave, or for its run to be resumed; `begins_at` is before when it is not fetched;
    `waits_for` says why it cannot begin now: its wave, a halted run, the window or the next attempt."""

    id: str
    device: DeviceRef
    state: str
    detail: str | None
    attempt: int
    wave: int
    held: bool
    begins_at: str | None
    waits_for: WaitsFor | None
    changed_at: str
    started_at: str | None
    finished_at: str | None
    duration: float | None
    exit_code: int | None
    outputs: dict[str, Any]
    error: str | None


class ExecutionList(Struct):
    """Executions of a run in the order of device uids. `next` is what to give as `after` for those that follow, null
    where these are the last."""

    executions: list[ExecutionInfo]
    next: str | None
