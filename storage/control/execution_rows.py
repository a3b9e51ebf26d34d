"""Executions as the tables have them: rows of `remote_action.executions`.

In: wide rows of executions (with the columns of their run), on the connection they were read on. Out: rows by stored
columns and links, in physical values. Invariant: an output appears under the type that its action keeps for its name
over all versions. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from storage.control import schema
from storage.control.outcomes import SLOTS, texts, values
from storage.control.prepared import Prepared
from storage.control.records import from_json

ROWS = "remote_action.executions"
_OUTPUTS = Prepared(select(schema.action_outputs).where(schema.action_outputs.c.nql_id == bindparam("action")))


def output_types(connection: Connection, nql_id: str) -> dict[str, str]:
    """The type of every output name that any version of an action had."""
    return {row.name: row.type for row in _OUTPUTS.all(connection, action=nql_id)}


def table_rows(connection: Connection, rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    """Wide rows as rows of `remote_action.executions`: stored columns and links, by key text."""
    types: dict[str, dict[str, str]] = {}
    made = []
    for row in rows:
        if row.action not in types:
            types[row.action] = output_types(connection, row.action)
        made.append(_table_row(row, types[row.action]))
    return made


def _table_row(row: Row[Any], types: Mapping[str, str]) -> dict[str, Any]:
    outputs = {name: value for name, value in (from_json(row.outputs) or {}).items() if types.get(name) in SLOTS}
    return {
        "@device": row.device,
        "@remote_action": row.action,
        "time": row.changed_at,
        "request_time": row.requested_at,
        "request_id": row.run,
        "execution_id": row.id,
        "status": row.state,
        "status_details": row.detail or row.error,
        "outputs": values(types, outputs),
        "inputs": texts(from_json(row.parameters)),
        "trigger_method": row.trigger_method,
        "internal_source": row.internal_source,
        "external_source": row.external_source,
        "external_reference": row.external_reference,
        "trigger_reason": row.reason,
        "purpose": row.purpose,
        "number_of_executions": 1,
        "triggered_by": row.requested_by,
        "duration": row.duration,
    }
