"""The JSON of the erasure routes.

Data only. Invariant: an erasure that is done says nothing by which somebody who does not know it already learns who it
was; `digest` is what finds it again in a backup.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MOST = 100  # of one request
Text = Annotated[str, Meta(min_length=1, max_length=1024)]


class ToErase(Struct):
    """Who is meant: by `uid`, by `name`, or by both, which must then fit."""

    uid: Text | None = None
    name: Text | None = None


Several = Annotated[list[ToErase], Meta(min_length=1, max_length=MOST)]


class AskDevices(Struct):
    """Devices."""

    devices: Several


class AskUsers(Struct):
    """People, as the tables know them (`users`); not accounts of the portal."""

    users: Several


class ErasureAnswer(Struct):
    """What became of one of those that were named: `scheduled`, `done` (it was erased before, and nothing is known of
    it), `unknown`, `ambiguous` (several have this name), `invalid` (name and uid do not fit), `failed` (too many are
    under way)."""

    uid: str | None
    name: str | None
    status: str
    erasure: str | None = None


class ErasuresAsked(Struct):
    """What became of each, in the order of the request."""

    scheduled: int
    erasures: list[ErasureAnswer]


class WouldGo(Struct):
    """What would go of one: rows by table, rows of the control database by what they are. `words` are what other texts
    are searched for; `written` is what people wrote that has them, which stays until they change it."""

    uid: str | None
    name: str | None
    status: str
    rows: dict[str, int] = {}
    control: dict[str, int] = {}
    words: list[str] = []
    written: list[str] = []


class ErasurePreview(Struct):
    """What would go of each, in the order of the request."""

    erasures: list[WouldGo]


class ErasureView(Struct):
    """How far an erasure is: `asked`, `revoked`, `control_erased`, `tables_erased`, `done`. `left` says what is still
    to be done, `error` why it waits; `uid` is null once the tables have nothing of it."""

    id: str
    kind: str
    state: str
    left: list[str]
    error: str | None
    uid: str | None
    digest: str
    report: dict[str, int]
    written: list[str]
    asked_by: str
    asked_at: str
    done_at: str | None


class ErasureList(Struct):
    """Erasures, newest first."""

    erasures: list[ErasureView]


class ErasureOne(Struct):
    """One erasure."""

    erasure: ErasureView
