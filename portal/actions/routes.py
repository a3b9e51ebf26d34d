"""The action and run routes: decode, call, encode.

In: manifests, targets, ids. Out: actions, runs, executions, a stream of events. Invariant: an unknown run is told
before a stream begins; what is a bad id and what is an unknown one look alike.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from portal.access.guard import HeaderGuard
from portal.actions import messages as m
from portal.actions.events import Watchers
from portal.actions.service import Actions, RunView
from portal.actions.stream import MOST_POSITION, events
from portal.actions.views import action_info, device_ref, execution_info, platforms, run_info
from portal.caller import Caller, Permission
from portal.endpoints import PREFIX, Asked, Endpoint, encode
from portal.errors import ApiError
from storage.control.actions import Action, manifest_of
from storage.control.ids import is_uuid
from storage.control.manifest import Manifest

QUERY, EXECUTE, MANAGE = Permission.QUERY, Permission.EXECUTE, Permission.MANAGE
MANIFEST_BYTES = 4 << 20
RUN_BYTES = 2 << 20
EVENTS = "text/event-stream"


def endpoints(actions: Actions, watchers: Watchers, guard: HeaderGuard) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(actions, watchers, guard)
    return [
        Endpoint("GET", "/actions", routes.actions, "All actions, without scripts.", QUERY, answer=m.ActionList),
        Endpoint(
            "POST",
            "/actions",
            routes.define,
            "Define an action, or a new version of it.",
            MANAGE,
            body=Manifest,
            answer=m.ActionOne,
            status=201,
            most_bytes=MANIFEST_BYTES,
        ),
        Endpoint("GET", "/actions/{nql_id}", routes.action, "One action, with its scripts.", QUERY, answer=m.ActionOne),
        Endpoint(
            "GET",
            "/actions/{nql_id}/manifest",
            routes.manifest,
            "The manifest with which an action would be defined as it is.",
            QUERY,
            answer=Manifest,
        ),
        Endpoint(
            "GET",
            "/runs",
            routes.runs,
            "Runs, newest first.",
            QUERY,
            answer=m.RunList,
            query=("limit", "before"),
        ),
        Endpoint(
            "POST",
            "/runs",
            routes.begin,
            "Begin a run on devices, or on those of a query.",
            EXECUTE,
            body=m.AskRun,
            answer=m.RunOne,
            status=201,
            also=(200,),
            most_bytes=RUN_BYTES,
        ),
        Endpoint(
            "POST",
            "/runs/preview",
            routes.preview,
            "The devices that a target means now.",
            EXECUTE,
            body=m.AskPreview,
            answer=m.Preview,
            most_bytes=RUN_BYTES,
        ),
        Endpoint("GET", "/runs/{id}", routes.run, "One run.", QUERY, answer=m.RunOne),
        Endpoint(
            "POST",
            "/runs/{id}/cancel",
            routes.cancel,
            "Cancel a run, or one device of it.",
            EXECUTE,
            body=m.AskCancel,
            answer=m.Cancelled,
        ),
        Endpoint(
            "POST",
            "/runs/{id}/halt",
            routes.halt,
            "Hand out nothing more of a run until it is resumed.",
            EXECUTE,
            body=m.AskHalt,
            answer=m.RunOne,
        ),
        Endpoint(
            "POST",
            "/runs/{id}/resume",
            routes.resume,
            "Go on with a halted run.",
            EXECUTE,
            body=m.AskResume,
            answer=m.RunOne,
        ),
        Endpoint(
            "POST",
            "/runs/{id}/retry",
            routes.retry,
            "Begin a run for the devices of this one that did not end well.",
            EXECUTE,
            body=m.AskRetry,
            answer=m.RunOne,
            status=201,
            also=(200,),
        ),
        Endpoint(
            "GET",
            "/runs/{id}/executions",
            routes.executions,
            "Executions, in the order of device uids.",
            QUERY,
            answer=m.ExecutionList,
            query=("limit", "after", "offset"),
        ),
        Endpoint(
            "GET",
            "/runs/{id}/events",
            routes.events,
            "A run as it goes on, as server-sent events; after the event whose id is given, if one is.",
            QUERY,
            media=(EVENTS,),
            headers=("Last-Event-ID",),
        ),
    ]


class _Routes:
    def __init__(self, actions: Actions, watchers: Watchers, guard: HeaderGuard) -> None:
        self._actions = actions
        self._watchers = watchers
        self._guard = guard

    async def actions(self, asked: Asked) -> m.ActionList:
        actions = await self._actions.actions()
        signed = await self._actions.signed_by(*actions)
        may_run = asked.caller.may_run
        return m.ActionList(
            [action_info(action, signed[action.nql_id], may_run=may_run(action.nql_id)) for action in actions]
        )

    async def define(self, asked: Asked) -> m.ActionOne:
        return await self._shown(asked.caller, await self._actions.define(asked.caller, asked.body))

    async def action(self, asked: Asked) -> m.ActionOne:
        return await self._shown(asked.caller, await self._actions.action(asked.path("nql_id")))

    async def _shown(self, caller: Caller, action: Action) -> m.ActionOne:
        signed = await self._actions.signed_by(action)
        may_run = caller.may_run(action.nql_id)
        return m.ActionOne(action_info(action, signed[action.nql_id], may_run=may_run, scripts=True))

    async def manifest(self, asked: Asked) -> Manifest:
        return manifest_of(await self._actions.action(asked.path("nql_id")))

    async def preview(self, asked: Asked) -> m.Preview:
        count, sample, facts, claimed = await self._actions.preview(asked.caller, asked.body.target)
        return m.Preview(count, [device_ref(uid, facts) for uid in sample], platforms(facts), list(claimed))

    async def begin(self, asked: Asked) -> Response:
        return _begun(*await self._actions.begin(asked.caller, asked.body))

    async def retry(self, asked: Asked) -> Response:
        return _begun(*await self._actions.retry(asked.caller, _id(asked), asked.body))

    async def halt(self, asked: Asked) -> m.RunOne:
        return m.RunOne(run_info(await self._actions.halt(asked.caller, _id(asked), asked.body.reason)))

    async def resume(self, asked: Asked) -> m.RunOne:
        return m.RunOne(run_info(await self._actions.resume(asked.caller, _id(asked))))

    async def runs(self, asked: Asked) -> m.RunList:
        limit = asked.number("limit", 50, least=1, most=200)
        views = await self._actions.runs(asked.caller, limit, asked.text("before"))
        return m.RunList([run_info(view) for view in views])

    async def run(self, asked: Asked) -> m.RunOne:
        return m.RunOne(run_info(await self._actions.run(asked.caller, _id(asked))))

    async def cancel(self, asked: Asked) -> m.Cancelled:
        cancelled, waiting = await self._actions.cancel(asked.caller, _id(asked), asked.body.device)
        return m.Cancelled(cancelled, waiting)

    async def executions(self, asked: Asked) -> m.ExecutionList:
        limit = asked.number("limit", 1000, least=1, most=10_000)
        offset, after = asked.number("offset", 0, most=10_000), asked.text("after")
        found = await self._actions.executions(asked.caller, _id(asked), limit, offset, after)
        last = found.executions[-1].device if len(found.executions) == limit else None
        return m.ExecutionList([execution_info(execution, found) for execution in found.executions], last)

    async def events(self, asked: Asked) -> Response:
        run, caller, after = _id(asked), asked.caller, _position(asked)
        self._watchers.check_room()
        await self._actions.run(caller, run)  # an unknown run is told before the stream begins

        async def still_allowed() -> bool:
            try:
                now = await self._guard.caller(asked.request)
                return now.may(QUERY) and now.domain == caller.domain and now.account.id == caller.account.id
            except ApiError:
                return False

        async def stream() -> AsyncIterator[bytes]:
            with self._watchers.watching(run) as watcher:
                async for event in events(self._actions, caller, run, watcher, still_allowed, after):
                    yield event

        return StreamingResponse(
            stream(), media_type=EVENTS, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )


def _begun(view: RunView, new: bool) -> Response:
    headers = {"Location": f"{PREFIX}/runs/{view.run.id}"}
    content = encode(m.RunOne(run_info(view)))
    return Response(content, 201 if new else 200, headers=headers, media_type="application/json")


def _position(asked: Asked) -> int | None:
    """The id of the last event that was seen, None without one. Raises ApiError 400."""
    text = asked.request.headers.get("last-event-id")
    if text is None or text == "":
        return None
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MOST_POSITION:
        return int(text)
    raise ApiError(400, "bad_event_id", "Last-Event-ID is the id of an event of this stream.", "Leave it out.")


def _id(asked: Asked) -> str:
    identifier = asked.path("id")
    if not is_uuid(identifier):
        raise ApiError(404, "unknown_run", "There is no such run.")
    return identifier
