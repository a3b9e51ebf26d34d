"""Remote Actions: execute one on devices, list them, one in detail.

In: an action's NQL id, devices by Collector UID (or by uid), parameters, why. Out: a request id, under which the run
and its executions are found; actions as these clients read them. Invariants: a run begins for all devices that are
named or for none: one that is not known, or outside the view domain, refuses it; what is said of actions holds no null
but where the clients take one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from portal.actions.messages import AskRun, Target
from portal.actions.service import Actions
from portal.caller import Permission
from portal.errors import ApiError
from portal.modern.errors import Surface
from portal.modern.ways import Asked, Way
from portal.queries.identified import guid
from portal.queries.service import Queries
from portal.threads import Threads
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.errors import NotFoundError
from storage.control.manifest import Input, Output

MOST_DEVICES = 10_000
MINUTES = 60  # that a run has to begin, where the request says nothing
RUN_AS = {"system": "LOCAL_SYSTEM", "user": "INTERACTIVE_USER"}
Short = Annotated[str, Meta(max_length=255)]


class TriggerInfo(Struct):
    """Why, and for whom."""

    externalSource: Short | None = None  # noqa: N815
    reason: Annotated[str, Meta(max_length=500)] | None = None
    externalReference: Short | None = None  # noqa: N815


class Execute(Struct):
    """What to run, and where."""

    remoteActionId: Annotated[str, Meta(max_length=300)]  # noqa: N815
    devices: list[Annotated[str, Meta(min_length=1, max_length=64)]]
    params: dict[str, str] | None = None
    expiresInMinutes: Annotated[int, Meta(ge=60, le=10_080)] | None = None  # noqa: N815
    triggerInfo: TriggerInfo | None = None  # noqa: N815


def listed(actions: Actions, queries: Queries, control: Control, threads: Threads) -> list[Way]:
    """The ways of this part."""
    part = _Part(actions, queries, control, threads)
    act, query = Permission.EXECUTE, Permission.QUERY
    return [
        Way("POST", "/api/v1/act/execute", Surface.ACT, "act", act, part.execute, Execute, most_bytes=2 << 20),
        Way("GET", "/api/v1/act/remote-action", Surface.ACT, "act", query, part.everything),
        Way("GET", "/api/v1/act/remote-action/details", Surface.ACT, "act", query, part.details),
    ]


class _Part:
    def __init__(self, actions: Actions, queries: Queries, control: Control, threads: Threads) -> None:
        self._control = control
        self._threads = threads
        self._actions = actions
        self._queries = queries

    async def execute(self, asked: Asked) -> dict[str, Any]:
        body: Execute = asked.body
        minutes = MINUTES if body.expiresInMinutes is None else body.expiresInMinutes
        why = body.triggerInfo or TriggerInfo()
        if not body.remoteActionId:
            raise ApiError(400, "NO_REMOTE_ACTION_UID", "remoteActionId is empty.")
        run = AskRun(
            action=f"#{body.remoteActionId.removeprefix('#')}",
            target=Target(devices=await self._devices(asked, body.devices)),
            parameters=body.params or {},
            expires_in=minutes * 60,
            reason=why.reason,
            external_source=why.externalSource,
            external_reference=why.externalReference,
            # Where nobody signs, all actions are drafts, which devices with an open policy run.
            allow_draft=not await self._threads.control(self._control.authors.living),
        )
        try:
            view, _ = await self._actions.begin(asked.caller, run)
        except NotFoundError as error:  # these clients know no 404 here
            raise ApiError(400, error.code, f"There is no remote action {body.remoteActionId[:255]}.") from None
        return {"requestId": view.run.id, "expiresInMinutes": minutes}

    async def _devices(self, asked: Asked, wanted: Sequence[str]) -> list[str]:
        """The uids of devices. Raises ApiError."""
        if not wanted:
            raise ApiError(400, "NO_DEVICES", "The list of devices is empty.")
        if len(wanted) > MOST_DEVICES:
            raise ApiError(400, "TOO_MANY_DEVICES", f"A request names {MOST_DEVICES} devices at most.")
        named = [guid(text) for text in wanted]
        known = await self._queries.identified(asked.caller, named)
        missing = [text for text, name in zip(wanted, named, strict=True) if name not in known]
        if missing:
            message = f"{len(missing)} of {len(wanted)} devices are not known, the first is {missing[0]}."
            raise ApiError(400, "unknown_devices", message)
        return sorted({known[name] for name in named})

    async def everything(self, asked: Asked) -> list[dict[str, Any]]:
        return [_shown(action) for action in await self._actions.actions()]

    async def details(self, asked: Asked) -> dict[str, Any]:
        nql_id = asked.request.query_params.get("nql-id", "")
        if not nql_id or len(nql_id) > 300:
            raise ApiError(404, "unknown_action", "The query parameter nql-id names no remote action.")
        return _shown(await self._actions.action(nql_id))


def _shown(action: Action) -> dict[str, Any]:
    triggers, platforms = set(action.triggers), action.platforms
    by_hand = bool({"manual", "manual_multiple"} & triggers)
    return {
        "id": action.nql_id,
        "uuid": action.uid,
        "name": action.name,
        "description": action.description,
        "origin": action.origin,
        "builtInContentVersion": "",
        "purpose": [purpose.upper() for purpose in action.purpose],
        "targeting": {
            "apiEnabled": "api" in triggers,
            "manualEnabled": by_hand,
            "workflowEnabled": "workflow" in triggers,
            "manualAllowMultipleDevices": "manual_multiple" in triggers,
            "scheduledEnabled": "schedule" in triggers,
        },
        "scriptInfo": {
            "executionServiceDelegate": "",
            "runAs": RUN_AS.get(action.run_as, "DELEGATE_TO_SERVICE"),
            "timeoutSeconds": action.timeout,
            "hasScriptWindows": "windows" in platforms,
            "hasScriptMacOs": "macos" in platforms,
            "hasScriptLinux": "linux" in platforms,
            "inputs": [_input(item, platforms) for item in action.inputs],
            "outputs": [_output(item, platforms) for item in action.outputs],
        },
    }


def _input(item: Input, platforms: Sequence[str]) -> dict[str, Any]:
    return {
        "id": item.name,
        "name": item.label or item.name,
        "description": item.description,
        **_used(item.platforms or platforms),
        "options": list(item.allowed),
        "allowCustomValue": item.custom or not item.allowed,
    }


def _output(item: Output, platforms: Sequence[str]) -> dict[str, Any]:
    named = {"id": item.name, "name": item.label or item.name, "type": item.type, "description": item.description}
    return {**named, **_used(item.platforms or platforms)}


def _used(platforms: Sequence[str]) -> dict[str, bool]:
    return {
        "usedByWindows": "windows" in platforms,
        "usedByMacOs": "macos" in platforms,
        "usedByLinux": "linux" in platforms,
    }
