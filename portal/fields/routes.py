"""The routes of custom fields: declare, list.

In: a kind of object, a name, a type. Out: the custom fields there are. Invariants: one that is declared can be asked
for at once and set by enrichment; what it holds stays readable, so a field keeps its type and cannot be removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct

from nql.catalog.configured import CustomField
from nql.datatypes import BOOLEAN, DATETIME, FLOAT, INT, STRING, DataType
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint
from portal.errors import ApiError
from portal.queries.catalogs import Catalogs
from portal.threads import Threads
from storage.control.api import Control

ObjectName = Literal["device", "user", "binary", "package"]
TypeName = Literal["string", "int", "float", "boolean", "datetime"]
TABLES = {
    "device": "device.devices",
    "user": "user.users",
    "binary": "binary.binaries",
    "package": "package.packages",
}
TYPES: dict[TypeName, DataType] = {
    "string": STRING, "int": INT, "float": FLOAT, "boolean": BOOLEAN, "datetime": DATETIME,
}  # fmt: skip
PATH = "/custom-fields"


class NewField(Struct, forbid_unknown_fields=True):
    """A custom field to have; `organization.NAME` is a level of the organisation of devices or people."""

    object: ObjectName
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    type: TypeName = "string"


class FieldEntry(Struct):
    """A custom field, and how a query names it."""

    object: str
    name: str
    type: str
    query: str


class FieldOne(Struct):
    """One field."""

    field: FieldEntry


class FieldList(Struct):
    """All of them, by object and name."""

    fields: list[FieldEntry]


@dataclass(frozen=True, slots=True)
class Fields:
    """The slice of custom fields."""

    control: Control
    catalogs: Catalogs
    threads: Threads
    clock: Callable[[], int]

    async def declare(self, asked: Asked) -> FieldOne:
        """Have a field. Raises ApiError 422, RefusedError."""
        body: NewField = asked.body
        try:
            field = CustomField(TABLES[body.object], body.name, TYPES[body.type])
        except ValueError as error:
            raise ApiError(422, "bad_field", f"{error}."[0].upper() + f"{error}."[1:]) from None
        await self.threads.control(self._declare, field, asked.caller.actor)
        return FieldOne(_shown(field))

    def _declare(self, field: CustomField, actor: str) -> None:
        if self.control.configured.declare([field], by=actor, now=self.clock()):
            self.catalogs.refresh()

    async def everything(self, _asked: Asked) -> FieldList:
        """All fields."""
        items = await self.threads.control(self.control.configured.everything)
        return FieldList([_shown(item) for item in items if isinstance(item, CustomField)])


def endpoints(fields: Fields) -> list[Endpoint]:
    """The slice's part of the route list."""
    query, manage = Permission.QUERY, Permission.MANAGE
    return [
        Endpoint("GET", PATH, fields.everything, "All custom fields.", query, answer=FieldList),
        Endpoint("POST", PATH, fields.declare, "Have a custom field.", manage, body=NewField, answer=FieldOne),
    ]


def _shown(field: CustomField) -> FieldEntry:
    namespace = field.table.partition(".")[0]
    return FieldEntry(namespace, field.name, field.dtype.kind.value, f"{namespace}.{field.path}")
