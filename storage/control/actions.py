"""Remote actions and their versions. Writes the tables `actions`, `action_versions` and `action_outputs`, and nothing
else does.

In: manifests. Out: actions, each at its newest version or an older one. Invariants: a version never changes and is
named by the SHA-256 of its content; an output name keeps its type over all versions, but a `uint32` may widen to
`float`, so a column has one type for ever.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from storage.control import audit, outbox, schema
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.manifest import Input, Manifest, Output, check, content, from_content
from storage.control.prepared import Prepared
from storage.control.records import digest_of_json, from_json, to_json

ACTIONS, VERSIONS, OUTPUTS = schema.actions, schema.action_versions, schema.action_outputs


@dataclass(frozen=True, slots=True)
class Action:
    """An action at one version. `content` is the canonical JSON text whose SHA-256 is `version`; `timeout` is in
    seconds."""

    nql_id: str
    uid: str
    name: str
    description: str
    purpose: tuple[str, ...]
    triggers: tuple[str, ...]
    origin: str
    version: str
    number: int
    content: str
    timeout: int
    run_as: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    platforms: tuple[str, ...]
    updated_at: int
    updated_by: str


class Actions:
    """Saving and finding actions."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random

    def save_action(self, manifest: Manifest, *, by: str, now: int) -> Action:
        """Store a manifest: a new action, a new version, or new words on the same version. Raises RefusedError."""
        check(manifest)
        body = content(manifest)
        version = digest_of_json(body)

        def work(connection: Connection) -> Action:
            row = connection.execute(select(ACTIONS).where(ACTIONS.c.nql_id == manifest.nql_id)).one_or_none()
            words = _words(manifest)
            uid = row.uid if row else uuid7(now, self._random)
            if row is None:
                first = {"nql_id": manifest.nql_id, "uid": uid, "version": version, "number": 0, "created_at": now}
                connection.execute(insert(ACTIONS).values(**first, **words, updated_at=now, updated_by=by))
            elif row.version == version and all(getattr(row, name) == text for name, text in words.items()):
                return _load(connection, manifest.nql_id)
            _keep_types(connection, manifest)
            number = _add_version(connection, manifest.nql_id, version, to_json(body), by, now)
            change = {**words, "version": version, "number": number, "updated_at": now, "updated_by": by}
            connection.execute(update(ACTIONS).where(ACTIONS.c.nql_id == manifest.nql_id).values(change))
            shown = {
                "nql_id": manifest.nql_id, "uid": uid, "name": manifest.name, "description": manifest.description,
                "purpose": manifest.purpose[0], "origin": manifest.origin,
            }  # fmt: skip
            outbox.put(connection, [("remote_action.remote_actions", shown)], now=now)
            detail = {"version": version, "number": number}
            audit.record(connection, audit.Entry(now, by, "action.saved", f"action:{manifest.nql_id}", detail))
            return _load(connection, manifest.nql_id)

        return self._database.write(work)

    def action(self, nql_id: str, version: str | None = None) -> Action:
        """An action (id with its leading `#`) at its newest or the given version. Raises NotFoundError."""
        with self._database.read() as connection:
            return _load(connection, nql_id, version)

    def by_uid(self, uid: str) -> Action | None:
        """The action of a uid at its newest version; None if there is none."""
        query = _query().where(VERSIONS.c.version == ACTIONS.c.version, ACTIONS.c.uid == uid)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _action(row)

    def everything(self) -> list[Action]:
        """All actions at their newest version, by id."""
        query = _query().where(VERSIONS.c.version == ACTIONS.c.version).order_by(ACTIONS.c.nql_id)
        with self._database.read() as connection:
            return [_action(row) for row in connection.execute(query)]

    def output_types(self) -> dict[str, dict[str, str]]:
        """For each action, every output name any version had, with its type: what the catalog's overlay is made of."""
        types: dict[str, dict[str, str]] = {}
        with self._database.read() as connection:
            for row in connection.execute(select(OUTPUTS).order_by(OUTPUTS.c.nql_id, OUTPUTS.c.name)):
                types.setdefault(row.nql_id, {})[row.name] = row.type
        return types


def manifest_of(action: Action) -> Manifest:
    """The manifest with which this version would be saved again."""
    words = {name: getattr(action, name) for name in ("nql_id", "name", "description", "purpose", "triggers", "origin")}
    return from_content(words, from_json(action.content))


def content_of(connection: Connection, nql_id: str, version: str) -> str:
    """The canonical JSON of a version. Raises NotFoundError."""
    row = _CONTENT.first(connection, of_action=nql_id, of_version=version)
    if row is None:
        raise NotFoundError("unknown_action", f"there is no action {nql_id} of version {version}")
    return str(row.content)


@lru_cache(maxsize=256)
def outputs_of(text: str) -> tuple[Output, ...]:
    """The outputs that the content of a version declares."""
    return msgspec.json.decode(text, type=_Declared).outputs


class _Declared(msgspec.Struct):
    outputs: tuple[Output, ...]


_CONTENT = Prepared(
    select(VERSIONS.c.content).where(
        VERSIONS.c.nql_id == bindparam("of_action"), VERSIONS.c.version == bindparam("of_version")
    )
)


def load(connection: Connection, nql_id: str, version: str | None = None) -> Action:
    """An action on the caller's connection. Raises NotFoundError."""
    return _load(connection, nql_id, version)


def _words(manifest: Manifest) -> dict[str, str]:
    return {
        "name": manifest.name, "description": manifest.description, "purpose": to_json(manifest.purpose),
        "triggers": to_json(manifest.triggers), "origin": manifest.origin,
    }  # fmt: skip


def _keep_types(connection: Connection, manifest: Manifest) -> None:
    rows = connection.execute(select(OUTPUTS).where(OUTPUTS.c.nql_id == manifest.nql_id)).all()
    known = {row.name.lower(): row for row in rows}
    problems = []
    for item in manifest.outputs:
        before = known.get(item.name.lower())
        mine = (OUTPUTS.c.nql_id == manifest.nql_id) & (OUTPUTS.c.name == item.name)
        if before is None:
            connection.execute(insert(OUTPUTS).values(nql_id=manifest.nql_id, name=item.name, type=item.type))
        elif before.name != item.name:
            problems.append(f"output {item.name} was written {before.name} before and keeps its spelling")
        elif (before.type, item.type) == ("uint32", "float"):
            connection.execute(update(OUTPUTS).where(mine).values(type="float"))
        elif before.type != item.type:
            problems.append(
                f"output {item.name} was {before.type} before and cannot become {item.type}; give it another name"
            )
    if problems:
        raise RefusedError("changed_output", "; ".join(problems))


def _add_version(connection: Connection, nql_id: str, version: str, text: str, by: str, now: int) -> int:
    mine = VERSIONS.c.nql_id == nql_id
    number = connection.scalar(select(VERSIONS.c.number).where(mine, VERSIONS.c.version == version))
    if number is None:
        number = (connection.scalar(select(func.max(VERSIONS.c.number)).where(mine)) or 0) + 1
        values = {
            "nql_id": nql_id,
            "version": version,
            "number": number,
            "content": text,
            "created_at": now,
            "created_by": by,
        }
        connection.execute(insert(VERSIONS).values(values))
    return number


def _query() -> Any:
    columns = [c for c in ACTIONS.c if c.name not in ("version", "number")]
    return select(*columns, VERSIONS.c.version, VERSIONS.c.number, VERSIONS.c.content).join(
        VERSIONS, VERSIONS.c.nql_id == ACTIONS.c.nql_id
    )


_OF = _query().where(ACTIONS.c.nql_id == bindparam("of_action"))
_NEWEST = Prepared(_OF.where(VERSIONS.c.version == ACTIONS.c.version))
_ONE = Prepared(_OF.where(VERSIONS.c.version == bindparam("of_version")))


def _load(connection: Connection, nql_id: str, version: str | None = None) -> Action:
    if version is None:
        row = _NEWEST.first(connection, of_action=nql_id)
    else:
        row = _ONE.first(connection, of_action=nql_id, of_version=version)
    if row is None:
        raise NotFoundError(
            "unknown_action", f"there is no action {nql_id}" + (f" of version {version}" if version else "")
        )
    return _action(row)


def _action(row: Row[Any]) -> Action:
    body = from_json(row.content)
    return Action(
        nql_id=row.nql_id,
        uid=row.uid,
        name=row.name,
        description=row.description,
        purpose=tuple(from_json(row.purpose)),
        triggers=tuple(from_json(row.triggers)),
        origin=row.origin,
        version=row.version,
        number=row.number,
        content=row.content,
        timeout=body["timeout"],
        run_as=body["run_as"],
        inputs=msgspec.convert(body["inputs"], tuple[Input, ...]),
        outputs=msgspec.convert(body["outputs"], tuple[Output, ...]),
        platforms=tuple(body["scripts"]),
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
