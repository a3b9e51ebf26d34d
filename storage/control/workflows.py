"""Workflows and their versions. Writes the tables `workflows` and `workflow_versions`, and nothing else does.

In: workflows as their authors give them. Out: the same, at the newest version or an older one. Invariants: a version
never changes and is named by the SHA-256 of its content; an execution goes by the version that it began with.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from storage.control import audit, outbox, schema_workflows
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.records import digest_of_json, from_json, to_json
from storage.control.workflow_definition import Definition, Workflow, check, content, definition_of

TABLE, VERSIONS = schema_workflows.workflows, schema_workflows.workflow_versions
ROWS = "workflow.workflows"
MOST = 2000


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """A workflow at one version. `content` is the canonical JSON text whose SHA-256 is `version`."""

    nql_id: str
    uid: str
    name: str
    description: str
    triggers: tuple[str, ...]
    active: bool
    version: str
    number: int
    content: str
    updated_at: int
    updated_by: str

    @property
    def definition(self) -> Definition:
        """What this version says."""
        return definition(self.content)

    @property
    def workflow(self) -> Workflow:
        """The workflow as it would be saved again."""
        names = ("nql_id", "name", "description", "triggers", "active")
        return msgspec.convert({**from_json(self.content), **{name: getattr(self, name) for name in names}}, Workflow)


@lru_cache(maxsize=256)
def definition(text: str) -> Definition:
    """The definition of a content; the same for the same text."""
    return definition_of(text)


class Workflows:
    """Saving and finding workflows."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random

    def save(self, workflow: Workflow, *, by: str, now: int) -> SavedWorkflow:
        """Store a workflow: a new one, a new version, or new words on the same version. Raises RefusedError."""
        check(workflow)
        body = content(workflow)
        version = digest_of_json(body)

        def work(connection: Connection) -> SavedWorkflow:
            mine = TABLE.c.nql_id == workflow.nql_id
            row = connection.execute(select(TABLE).where(mine)).one_or_none()
            words = _words(workflow)
            if row is None:
                _check_room(connection)
                uid = uuid7(now, self._random)
                first = {"nql_id": workflow.nql_id, "uid": uid, "version": version, "number": 0, "created_at": now}
                connection.execute(insert(TABLE).values(**first, **words, updated_at=now, updated_by=by))
            elif row.version == version and all(getattr(row, name) == value for name, value in words.items()):
                return load(connection, workflow.nql_id)
            number = _add_version(connection, workflow.nql_id, version, to_json(body), by, now)
            change = {**words, "version": version, "number": number, "updated_at": now, "updated_by": by}
            connection.execute(update(TABLE).where(mine).values(change))
            saved = load(connection, workflow.nql_id)
            outbox.put(connection, [(ROWS, _table_row(saved))], now=now)
            detail = {"version": version, "number": number, "active": workflow.active}
            audit.record(connection, audit.Entry(now, by, "workflow.saved", f"workflow:{workflow.nql_id}", detail))
            return saved

        return self._database.write(work)

    def workflow(self, nql_id: str, version: str | None = None) -> SavedWorkflow:
        """A workflow (id with its leading `#`) at its newest or the given version. Raises NotFoundError."""
        with self._database.read() as connection:
            return load(connection, nql_id, version)

    def everything(self) -> list[SavedWorkflow]:
        """All workflows at their newest version, by id."""
        query = _query().where(VERSIONS.c.version == TABLE.c.version).order_by(TABLE.c.nql_id)
        with self._database.read() as connection:
            return [_saved(row) for row in connection.execute(query)]


def load(connection: Connection, nql_id: str, version: str | None = None) -> SavedWorkflow:
    """A workflow on the caller's connection. Raises NotFoundError."""
    query = _query().where(TABLE.c.nql_id == nql_id, VERSIONS.c.version == (version or TABLE.c.version))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError("unknown_workflow", f"there is no workflow {nql_id[:300]}")
    return _saved(row)


def _query() -> Any:
    columns = [column for column in TABLE.c if column.name not in ("version", "number")]
    beside = (VERSIONS.c.version, VERSIONS.c.number, VERSIONS.c.content)
    return select(*columns, *beside).join(VERSIONS, VERSIONS.c.nql_id == TABLE.c.nql_id)


def _words(workflow: Workflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "triggers": to_json(workflow.triggers),
        "active": workflow.active,
    }


def _check_room(connection: Connection) -> None:
    if (connection.scalar(select(func.count()).select_from(TABLE)) or 0) >= MOST:
        raise RefusedError("too_many_workflows", f"there are at most {MOST} workflows")


def _add_version(connection: Connection, nql_id: str, version: str, text: str, by: str, now: int) -> int:
    mine = VERSIONS.c.nql_id == nql_id
    number = connection.scalar(select(VERSIONS.c.number).where(mine, VERSIONS.c.version == version))
    if number is None:
        number = (connection.scalar(select(func.max(VERSIONS.c.number)).where(mine)) or 0) + 1
        values = {
            "nql_id": nql_id, "version": version, "number": number, "content": text, "created_at": now,
            "created_by": by,
        }  # fmt: skip
        connection.execute(insert(VERSIONS).values(values))
    return number


def _table_row(saved: SavedWorkflow) -> dict[str, Any]:
    return {
        "nql_id": saved.nql_id,
        "name": saved.name,
        "uid": saved.uid,
        "status": "active" if saved.active else "inactive",
        "version": str(saved.number),
    }


def _saved(row: Row[Any]) -> SavedWorkflow:
    return SavedWorkflow(
        nql_id=row.nql_id,
        uid=row.uid,
        name=row.name,
        description=row.description,
        triggers=tuple(from_json(row.triggers)),
        active=row.active,
        version=row.version,
        number=row.number,
        content=row.content,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
