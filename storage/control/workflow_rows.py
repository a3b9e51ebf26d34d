"""Executions of workflows as they are read: with their request and the content of their version, and as rows of the
tables.

In: a query of `wide`, on a connection. Out: executions; rows of `workflow.executions`. Invariant: nothing is written
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from storage.control import schema_workflows
from storage.control.outcomes import texts
from storage.control.records import from_json

TABLE, REQUESTS = schema_workflows.workflow_executions, schema_workflows.workflow_requests
VERSIONS = schema_workflows.workflow_versions
IN_PROGRESS, WAITING = "in_progress", "waiting"
SUCCESS, FAILURE, CANCELLED, EXPIRED = "success", "failure", "cancelled", "expired"
OPEN = (IN_PROGRESS, WAITING)
SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class WorkflowExecution:
    """A workflow on one device. `step` is where it is, `moves` how often it went on. Times are microseconds UTC."""

    id: str
    request: str
    workflow: str
    version: str
    number: int
    content: str
    parameters: Mapping[str, str]
    trigger_method: str
    requested_by: str
    requested_at: int
    reason: str | None
    external_source: str | None
    external_reference: str | None
    device: str
    state: str
    detail: str | None
    outcome: str | None
    outcome_detail: str | None
    step: str
    begun: bool
    moves: int
    run: str | None
    until: int | None
    campaign: str | None
    due_at: int | None
    expires_at: int
    outputs: Mapping[str, Any]
    changed_at: int
    ended_at: int | None

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.state in OPEN


def wide() -> Select[Any]:
    """Executions with the columns of their request and the content of their version beside them."""
    names = ("workflow", "version", "parameters", "trigger_method", "requested_by", "requested_at", "reason",
             "external_source", "external_reference")  # fmt: skip
    of_version = and_(VERSIONS.c.nql_id == REQUESTS.c.workflow, VERSIONS.c.version == REQUESTS.c.version)
    columns = (*(REQUESTS.c[name] for name in names), VERSIONS.c.content, VERSIONS.c.number)
    joined = TABLE.join(REQUESTS, REQUESTS.c.id == TABLE.c.request).join(VERSIONS, of_version)
    return select(TABLE, *columns).select_from(joined)


def table_row(one: WorkflowExecution) -> dict[str, Any]:
    """An execution as a row of `workflow.executions`: stored columns and links, by key text."""
    return {
        "@device": one.device,
        "@workflow": one.workflow,
        "time": one.changed_at,
        "request_time": one.requested_at,
        "request_id": one.request,
        "execution_id": one.id,
        "status": one.state,
        "status_details": one.detail,
        "outcome": one.outcome,
        "outcome_details": one.outcome_detail,
        "trigger_method": one.trigger_method,
        "number_of_executions": 1,
        "inputs": texts(one.parameters),
        "duration_seconds": None if one.ended_at is None else (one.ended_at - one.requested_at) // SECOND,
    }


def found(connection: Connection, query: Select[Any]) -> list[WorkflowExecution]:
    """The executions of a query of `wide`."""
    return [_execution(row) for row in connection.execute(query)]


def _execution(row: Row[Any]) -> WorkflowExecution:
    values = dict(row._mapping)
    values["parameters"], values["outputs"] = from_json(row.parameters), from_json(row.outputs)
    return WorkflowExecution(**values)
