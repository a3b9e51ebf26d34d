"""Campaigns that people define. Writes the table `campaigns`, and nothing else does.

In: definitions. Out: campaigns at their newest version. Invariants: a version is named by the SHA-256 of its
definition; a campaign is never removed, only retired, since responses are about it; with it the catalog learns its
questions, and the tables its name and status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from nql.catalog.configured import Campaign
from storage.control import audit, configured, outbox, schema_campaigns
from storage.control.campaign_definition import CampaignDefinition, check
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.records import digest_of_json, to_json

TABLE = schema_campaigns.campaigns
ROWS = "campaign.campaigns"
MOST = 2000


@dataclass(frozen=True, slots=True)
class SavedCampaign:
    """A campaign at its newest version."""

    definition: CampaignDefinition
    version: str
    number: int
    created_at: int
    updated_at: int
    updated_by: str

    @property
    def nql_id(self) -> str:
        """Its id with the leading `#`."""
        return self.definition.nql_id


class Campaigns:
    """Saving and finding campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, definition: CampaignDefinition, *, by: str, now: int) -> SavedCampaign:
        """Store a definition in the place of what was there; what says nothing new writes nothing. Raises
        RefusedError."""
        check(definition)
        version, name = digest_of_json(msgspec.to_builtins(definition)), definition.nql_id

        def work(connection: Connection) -> SavedCampaign:
            row = _row(connection, name)
            if row is not None and row.version == version:
                return _saved(row)
            values: dict[str, Any] = {"definition": to_json(definition), "version": version}
            values |= {"number": (row.number if row else 0) + 1, "updated_at": now, "updated_by": by}
            if row is None:
                if (connection.scalar(select(func.count()).select_from(TABLE)) or 0) >= MOST:
                    raise RefusedError("too_many", f"there can be at most {MOST} campaigns")
                connection.execute(insert(TABLE).values(nql_id=name, created_at=now, **values))
            else:
                connection.execute(update(TABLE).where(TABLE.c.nql_id == name).values(values))
            configured.put(connection, _item(definition), by=by, now=now)
            outbox.put(connection, [(ROWS, shown(definition))], now=now)
            detail = {"version": version, "number": values["number"], "status": definition.status}
            audit.record(connection, audit.Entry(now, by, "campaign.saved", f"campaign:{name}", detail))
            return load(connection, name)

        return self._database.write(work)

    def campaign(self, nql_id: str) -> SavedCampaign:
        """One campaign (id with its leading `#`). Raises NotFoundError."""
        with self._database.read() as connection:
            return load(connection, nql_id)

    def everything(self) -> list[SavedCampaign]:
        """All of them, by id."""
        with self._database.read() as connection:
            return [_saved(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.nql_id))]


def load(connection: Connection, nql_id: str) -> SavedCampaign:
    """One campaign, read in the caller's transaction. Raises NotFoundError."""
    row = _row(connection, nql_id)
    if row is None:
        raise NotFoundError("unknown_campaign", f"there is no campaign {nql_id[:255]}")
    return _saved(row)


def shown(definition: CampaignDefinition) -> dict[str, Any]:
    """A campaign as a row of `campaign.campaigns`."""
    return {
        "nql_id": definition.nql_id,
        "name": definition.name,
        "status": definition.status,
        "trigger_method": next(iter(definition.triggers), None),
    }


def _item(definition: CampaignDefinition) -> Campaign:
    questions = {question.label: question.text for question in definition.questions}
    return Campaign(definition.nql_id.removeprefix("#"), questions, definition.parameters)


def _row(connection: Connection, nql_id: str) -> Row[Any] | None:
    return connection.execute(select(TABLE).where(TABLE.c.nql_id == nql_id)).one_or_none()


def _saved(row: Row[Any]) -> SavedCampaign:
    definition = msgspec.json.decode(row.definition, type=CampaignDefinition)
    return SavedCampaign(definition, row.version, row.number, row.created_at, row.updated_at, row.updated_by)
