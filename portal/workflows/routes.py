"""The routes of workflows: decode, call, encode.

In: workflows, targets, ids. Out: workflows, requests, executions. Invariant: who may ask may see them; beginning and
cancelling needs the permission to execute, saving the one to manage. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from engine.formats import instant_text
from portal.actions.views import device_ref
from portal.caller import Caller, Permission
from portal.endpoints import PREFIX, Asked, Endpoint, encode
from portal.errors import ApiError
from portal.queries.execution import Facts
from portal.workflows import messages as m
from portal.workflows.service import Workflows, may_run
from storage.control.ids import is_uuid
from storage.control.workflow_definition import Workflow
from storage.control.workflow_rows import OPEN, WorkflowExecution
from storage.control.workflows import SavedWorkflow

QUERY, EXECUTE, MANAGE = Permission.QUERY, Permission.EXECUTE, Permission.MANAGE
ALL, ONE = "/workflows", "/workflows/{nql_id}"
EXECUTIONS, EXECUTION = "/workflow-executions", "/workflow-executions/{id}"
REQUEST = "/workflow-requests/{id}"
BYTES = 2 << 20


def endpoints(workflows: Workflows) -> list[Endpoint]:
    """The slice's part of the route list."""
    r = _Routes(workflows)
    listing = ("limit", "before", "workflow", "request", "state")
    return [
        Endpoint("GET", ALL, r.everything, "All workflows, without their steps.", QUERY, answer=m.WorkflowList),
        Endpoint(
            "POST",
            ALL,
            r.save,
            "Save a workflow, or a new version of it.",
            MANAGE,
            body=Workflow,
            answer=m.WorkflowOne,
            status=201,
            most_bytes=BYTES,
        ),
        Endpoint("GET", ONE, r.one, "One workflow, with its steps.", QUERY, answer=m.WorkflowOne),
        Endpoint("GET", f"{ONE}/definition", r.definition, "It as it would be saved again.", QUERY, answer=Workflow),
        Endpoint(
            "POST",
            f"{ONE}/executions",
            r.begin,
            "Begin a workflow on devices, or on those of a query.",
            EXECUTE,
            body=m.AskWorkflow,
            answer=m.WorkflowBegun,
            status=201,
            most_bytes=BYTES,
        ),
        Endpoint(
            "GET",
            EXECUTIONS,
            r.executions,
            "Executions of workflows, newest first.",
            QUERY,
            answer=m.WorkflowExecutionList,
            query=listing,
        ),
        Endpoint("GET", EXECUTION, r.execution, "One execution.", QUERY, answer=m.WorkflowExecutionOne),
        Endpoint(
            "POST",
            f"{EXECUTION}/cancel",
            r.cancel_one,
            "Cancel an execution, with the run of its step.",
            EXECUTE,
            body=m.AskStop,
            answer=m.WorkflowsCancelled,
        ),
        Endpoint(
            "POST",
            f"{EXECUTION}/trigger",
            r.give,
            "Give a step that listens what it listens for.",
            EXECUTE,
            body=m.AskGiven,
            answer=m.WorkflowExecutionOne,
            most_bytes=BYTES,
        ),
        Endpoint(
            "GET", REQUEST, r.request, "How the executions of a request stand.", QUERY, answer=m.WorkflowRequestInfo
        ),
        Endpoint(
            "POST",
            f"{REQUEST}/cancel",
            r.cancel,
            "Cancel what is open of a request.",
            EXECUTE,
            body=m.AskStop,
            answer=m.WorkflowsCancelled,
        ),
    ]


class _Routes:
    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def everything(self, asked: Asked) -> m.WorkflowList:
        return m.WorkflowList([workflow_info(asked.caller, one) for one in await self._workflows.everything()])

    async def save(self, asked: Asked) -> m.WorkflowOne:
        saved = await self._workflows.save(asked.caller, asked.body)
        return m.WorkflowOne(workflow_info(asked.caller, saved, steps=True))

    async def one(self, asked: Asked) -> m.WorkflowOne:
        found = await self._workflows.workflow(asked.path("nql_id"))
        return m.WorkflowOne(workflow_info(asked.caller, found, steps=True))

    async def definition(self, asked: Asked) -> Workflow:
        return (await self._workflows.workflow(asked.path("nql_id"))).workflow

    async def begin(self, asked: Asked) -> Response:
        begun = await self._workflows.begin(asked.caller, asked.path("nql_id"), asked.body)
        headers = {"Location": f"{PREFIX}/workflow-requests/{begun.request}"}
        content = encode(m.WorkflowBegun(begun.request, begun.executions))
        return Response(content, 201 if begun.new else 200, headers=headers, media_type="application/json")

    async def executions(self, asked: Asked) -> m.WorkflowExecutionList:
        limit = asked.number("limit", 50, least=1, most=1000)
        only = {name: asked.text(name) for name in ("workflow", "request", "state")}
        if only["workflow"] is not None:
            only["workflow"] = f"#{only['workflow'].removeprefix('#')}"
        found = await self._workflows.executions(asked.caller, limit, asked.text("before"), **only)
        return m.WorkflowExecutionList([execution_info(one, found.facts) for one in found.executions])

    async def execution(self, asked: Asked) -> m.WorkflowExecutionOne:
        return await self._shown(asked)

    async def _shown(self, asked: Asked) -> m.WorkflowExecutionOne:
        found = await self._workflows.execution(asked.caller, _id(asked, "execution"))
        return m.WorkflowExecutionOne(execution_info(found.executions[0], found.facts))

    async def give(self, asked: Asked) -> m.WorkflowExecutionOne:
        await self._workflows.give(asked.caller, _id(asked, "execution"), asked.body.parameters)
        return await self._shown(asked)

    async def cancel_one(self, asked: Asked) -> m.WorkflowsCancelled:
        return m.WorkflowsCancelled(await self._workflows.cancel(asked.caller, execution=_id(asked, "execution")))

    async def cancel(self, asked: Asked) -> m.WorkflowsCancelled:
        return m.WorkflowsCancelled(await self._workflows.cancel(asked.caller, request=_id(asked, "request")))

    async def request(self, asked: Asked) -> m.WorkflowRequestInfo:
        identifier = _id(asked, "request")
        counts = await self._workflows.counts(asked.caller, identifier)
        return m.WorkflowRequestInfo(identifier, counts, not set(OPEN) & set(counts))


def workflow_info(caller: Caller, one: SavedWorkflow, *, steps: bool = False) -> m.WorkflowInfo:
    """A workflow as it is shown, with its steps if asked."""
    said = one.definition
    info = m.WorkflowInfo(
        nql_id=one.nql_id,
        uid=one.uid,
        name=one.name,
        description=one.description,
        triggers=list(one.workflow.triggers),
        active=one.active,
        version=one.version,
        number=one.number,
        dependency=said.dependency,
        longest=said.longest,
        parameters=list(said.parameters),
        may_run=may_run(caller, one),
        updated_at=instant_text(one.updated_at),
        updated_by=one.updated_by.removeprefix("account:"),
    )
    if steps:
        info.steps = list(said.steps)
    return info


def execution_info(one: WorkflowExecution, facts: Facts) -> m.WorkflowExecutionInfo:
    """An execution as it is shown."""
    return m.WorkflowExecutionInfo(
        id=one.id,
        request=one.request,
        workflow=one.workflow,
        number=one.number,
        device=device_ref(one.device, facts),
        state=msgspec.convert(one.state, m.State),
        detail=one.detail,
        outcome=one.outcome,
        outcome_detail=one.outcome_detail,
        step=one.step,
        run=one.run,
        parameters=dict(one.parameters),
        answers=dict(one.outputs),
        trigger=one.trigger_method,
        requested_by=one.requested_by,
        requested_at=instant_text(one.requested_at),
        changed_at=instant_text(one.changed_at),
        expires_at=instant_text(one.expires_at),
        ended_at=None if one.ended_at is None else instant_text(one.ended_at),
    )


def _id(asked: Asked, what: str) -> str:
    identifier = asked.path("id")
    if not is_uuid(identifier):
        raise ApiError(404, f"unknown_{what}", f"There is no such {what} of a workflow.")
    return identifier
