"""Workflows: list them, one in detail, execute one on devices, give a waiting step what it listens for.

In: a workflow's NQL id, devices by Collector UID, uid or name. Out: the ids of the request and of its executions, in
the order of the devices; workflows as these clients read them. Invariants: a request begins for all devices that are
named or for none; of several devices of one name the one that was seen last is meant; there is no 404 here, which
these clients do not know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, get_args

from msgspec import Meta, Struct

from engine.formats import instant_text
from portal.actions.messages import Target
from portal.caller import Caller, Permission
from portal.errors import ApiError
from portal.modern.errors import Surface
from portal.modern.ways import Asked, Way
from portal.queries.identified import guid
from portal.queries.service import Queries
from portal.workflows.messages import AskWorkflow, Parameters
from portal.workflows.service import Workflows
from storage.control.errors import NotFoundError
from storage.control.ids import is_uuid
from storage.control.workflow_definition import Dependency, Trigger
from storage.control.workflows import SavedWorkflow

MOST = 10_000
BYTES = 4 << 20
PATH = "/api/v1/workflows"
GO = "go-api-sdk-nexthink/"  # the client that reads an object where others read an array
NAMED = "devices | where name in $values | list name, uid, last_seen | sort last_seen desc"
WILD = frozenset("*?")
Uid = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(min_length=1, max_length=255)]
Id = Annotated[str, Meta(min_length=1, max_length=256)]


class Execute(Struct):
    """A workflow on devices by Collector UID or uid."""

    workflowId: Id  # noqa: N815
    devices: list[Uid] | None = None
    users: list[Any] | None = None
    params: Parameters | None = None


class DeviceNamed(Struct):
    """A device by what is known of it; all that is given has to fit."""

    name: Text | None = None
    uid: Uid | None = None
    collectorUid: Uid | None = None  # noqa: N815


class ExecuteNamed(Struct):
    """A workflow on devices by what is known of them."""

    workflowId: Id  # noqa: N815
    devices: list[DeviceNamed] | None = None
    users: list[Any] | None = None
    params: Parameters | None = None


class Given(Struct):
    """What a step that listens is given."""

    parameters: Parameters | None = None


def listed(workflows: Workflows, queries: Queries) -> list[Way]:
    """The ways of this part."""
    part = _Part(workflows, queries)
    run, query = Permission.EXECUTE, Permission.QUERY
    given = f"{PATH}/workflows/{{workflow}}/execution/{{execution}}/trigger"
    asked = (Surface.WORKFLOWS, "workflows")
    return [
        Way("GET", PATH, *asked, query, _known(part.everything)),
        Way("GET", f"{PATH}/details", *asked, query, _known(part.details)),
        Way("POST", f"{PATH}/execute", *asked, run, _known(part.execute), Execute, most_bytes=BYTES),
        Way("POST", "/api/v2/workflows/execute", *asked, run, _known(part.execute), ExecuteNamed, most_bytes=BYTES),
        Way("POST", given, *asked, run, _known(part.give), Given),
    ]


def _known(call: Callable[[Asked], Awaitable[Any]]) -> Callable[[Asked], Awaitable[Any]]:
    """What is unknown is a bad request to these clients."""

    async def called(asked: Asked) -> Any:
        try:
            return await call(asked)
        except NotFoundError as error:
            text = str(error)
            raise ApiError(400, error.code, f"{text[:1].upper()}{text[1:]}.") from None

    return called


class _Part:
    def __init__(self, workflows: Workflows, queries: Queries) -> None:
        self._workflows = workflows
        self._queries = queries

    async def everything(self, asked: Asked) -> list[dict[str, Any]]:
        given = asked.request.query_params
        dependency = _one_of(given.get("dependency"), "dependency", get_args(Dependency))
        trigger = _one_of(given.get("triggerMethod"), "triggerMethod", get_args(Trigger))
        active = _one_of(given.get("fetchOnlyActiveWorkflows"), "fetchOnlyActiveWorkflows", ("true", "false"))
        return [
            _shown(one)
            for one in await self._workflows.everything()
            if dependency in (None, one.definition.dependency)
            and (trigger is None or trigger in one.triggers)
            and (active != "true" or one.active)
        ]

    async def details(self, asked: Asked) -> dict[str, Any]:
        given = asked.request.query_params
        nql_id = given.get("nqlId") or given.get("nql-id") or ""
        if not nql_id or len(nql_id) > 300:
            raise ApiError(400, "bad_request", "The query parameter nqlId names no workflow.")
        return _shown(await self._workflows.workflow(nql_id))

    async def execute(self, asked: Asked) -> dict[str, Any]:
        body: Execute | ExecuteNamed = asked.body
        if body.users:
            raise ApiError(400, "users_not_offered", "A workflow goes on on devices: name devices, and no users.")
        if not body.devices:
            raise ApiError(400, "no_devices", "The list of devices is empty.")
        if len(body.devices) > MOST:
            raise ApiError(400, "too_many_devices", f"A request names {MOST} devices at most.")
        named = [DeviceNamed(uid=one) if isinstance(one, str) else one for one in body.devices]
        devices = await self._devices(asked.caller, named)
        source = asked.request.headers.get("source")
        ask = AskWorkflow(
            target=Target(devices=devices),
            parameters=body.params or {},
            external_source=None if source is None else source[:255],
        )
        begun = await self._workflows.begin(asked.caller, body.workflowId, ask)
        return {"requestUuid": begun.request, "executionsUuids": begun.executions}

    async def give(self, asked: Asked) -> Any:
        workflow, execution = (guid(asked.request.path_params[name][:300]) for name in ("workflow", "execution"))
        if not is_uuid(execution):
            raise ApiError(400, "unknown_execution", "The address names no execution.")
        shown = await self._workflows.execution(asked.caller, execution)
        of = await self._workflows.workflow(shown.executions[0].workflow)
        if of.uid != workflow:
            raise ApiError(400, "unknown_execution", "The execution is not one of this workflow.")
        body: Given = asked.body
        one = await self._workflows.give(asked.caller, execution, body.parameters or {})
        said = {"requestUuid": one.request}
        return said if asked.request.headers.get("user-agent", "").startswith(GO) else [said]

    async def _devices(self, caller: Caller, named: Sequence[DeviceNamed]) -> list[str]:
        """The uids of devices, in their order, each once. Raises ApiError."""
        ids = {guid(text) for one in named for text in (one.uid, one.collectorUid) if text}
        known = await self._queries.identified(caller, ids) if ids else {}
        names = await self._named(caller, [one.name for one in named if one.name])
        found: dict[str, None] = {}
        missing = []
        for one in named:
            if (uid := _meant(one, known, names)) is None:
                missing.append(one.name or one.uid or one.collectorUid or "one without a name")
            else:
                found[uid] = None
        if missing:
            message = f"{len(missing)} of {len(named)} devices are not known, the first is {missing[0]}."
            raise ApiError(400, "unknown_devices", message)
        return list(found)

    async def _named(self, caller: Caller, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The uids of devices by name, in lower case, those that were seen last first."""
        if not (values := sorted({name for name in names if not WILD & set(name)})):
            return {}
        answer = await self._queries.ask(caller, NAMED, parameters={"values": values}, limit=10 * MOST)
        found: dict[str, list[str]] = {}
        table = answer.result.table
        for name, uid in zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True):
            found.setdefault(name.casefold(), []).append(uid)
        return found


def _meant(one: DeviceNamed, known: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> str | None:
    """The uid of a device that fits all that is given of it."""
    found = [known.get(guid(text)) for text in (one.uid, one.collectorUid) if text]
    if one.name is None:
        return found[0] if found and len(set(found)) == 1 else None
    so_called = names.get(one.name.casefold(), ())
    if not found:
        return so_called[0] if so_called else None
    return found[0] if len(set(found)) == 1 and found[0] in so_called else None


def _one_of(text: str | None, name: str, words: Sequence[str]) -> str | None:
    """One of some words, in any case; None where nothing is asked. Raises ApiError."""
    if text is None or text == "":
        return None
    if text.lower() not in words:
        raise ApiError(400, "bad_request", f"{name} is one of {', '.join(word.upper() for word in words)}.")
    return text.lower()


def _shown(one: SavedWorkflow) -> dict[str, Any]:
    return {
        "id": one.nql_id,
        "uuid": one.uid,
        "name": one.name,
        "description": one.description,
        "status": "ACTIVE" if one.active else "INACTIVE",
        "lastUpdateTime": instant_text(one.updated_at),
        "triggerMethods": [trigger.upper() for trigger in one.triggers],
        "versions": [{"versionNumber": one.number, "isActive": one.active}],
    }
