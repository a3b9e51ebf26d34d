"""The JSON of the query routes: what comes in with its bounds, and what goes out.

Data only. The answer to a query is written by `engine.formats`, so that every surface gives the same; its form here
is for the OpenAPI document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Text = Annotated[str, Meta(max_length=20_000)]
ParameterName = Annotated[str, Meta(min_length=1, max_length=64)]
ParameterValue = Annotated[str, Meta(max_length=4096)]
Zone = Annotated[str, Meta(max_length=64)]
Offset = Annotated[int, Meta(ge=0, le=20_000)]
Instant = Annotated[datetime, Meta(tz=True)]
Strict = Literal["nexthink"]  # refuse all that is not in NQL itself
QueryId = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{8,64}$")]


class Ask(Struct, forbid_unknown_fields=True):
    """A query. Parameter values are texts, a list for `in $names`; `zone` is the reader's, by default the account's.
    `id` is a name of the asker's choice under which the query can be cancelled, new for each. `now` is the instant that
    windows are counted from, by default this one. With `page`, so many rows and a cursor for those that follow,
    whatever `limit` and `offset` say."""

    text: Text
    id: QueryId | None = None
    parameters: Annotated[
        dict[ParameterName, ParameterValue | Annotated[list[ParameterValue], Meta(max_length=1000)]],
        Meta(max_length=100),
    ] = {}
    zone: Zone | None = None
    limit: Annotated[int, Meta(ge=0, le=100_000)] = 10_000
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    page: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    now: Instant | None = None
    strict: Strict | None = None


class AskNext(Struct, forbid_unknown_fields=True):
    """The cursor that came with the page before. It counts for 15 minutes, for who asked alone."""

    cursor: Annotated[str, Meta(min_length=1, max_length=400)]


class AskLive(Struct, forbid_unknown_fields=True):
    """A query to be kept up, as `Ask`; its answers have no more than 10,000 rows."""

    text: Text
    id: QueryId | None = None
    parameters: Annotated[
        dict[ParameterName, ParameterValue | Annotated[list[ParameterValue], Meta(max_length=1000)]],
        Meta(max_length=100),
    ] = {}
    zone: Zone | None = None
    limit: Annotated[int, Meta(ge=0, le=10_000)] = 10_000
    strict: Strict | None = None


class AskDiagnose(Struct, forbid_unknown_fields=True):
    """A text to look at."""

    text: Text
    strict: Strict | None = None


class AskComplete(Struct, forbid_unknown_fields=True):
    """A text and the place of the cursor in it, in characters."""

    text: Text
    offset: Offset


class AskHover(Struct, forbid_unknown_fields=True):
    """A text and the place of the pointer in it, in characters."""

    text: Text
    offset: Offset


class AskFormat(Struct, forbid_unknown_fields=True):
    """A text to lay out."""

    text: Text


class AskExplain(Struct, forbid_unknown_fields=True):
    """A text to say in words. `zone` is the reader's, by default the account's."""

    text: Text
    zone: Zone | None = None
    strict: Strict | None = None


class SpanInfo(Struct):
    """A half-open range of characters."""

    start: int
    end: int


class FixInfo(Struct):
    """An edit that mends something."""

    title: str
    span: SpanInfo
    replacement: str


class DiagnosticInfo(Struct):
    """One finding about a text."""

    code: str
    severity: str
    message: str
    hint: str
    span: SpanInfo
    fixes: list[FixInfo]


class Diagnostics(Struct):
    """Everything there is to say about a text, in its order."""

    diagnostics: list[DiagnosticInfo]


class CompletionItem(Struct):
    """One thing that may stand here; `ours` where NQL itself lacks it."""

    label: str
    kind: str
    detail: str
    doc: str
    insert: str
    ours: bool


class CompletionInfo(Struct):
    """What may take the place of `span`."""

    span: SpanInfo
    items: list[CompletionItem]


class HoverInfo(Struct):
    """What the thing at the pointer is."""

    span: SpanInfo
    title: str
    detail: str
    doc: str


class Hovering(Struct):
    """What the thing at the pointer is; nothing where there is nothing to say."""

    hover: HoverInfo | None


class Formatted(Struct):
    """The text laid out; as it is where it cannot be read."""

    text: str


class ExplanationInfo(Struct):
    """What a text asks, in sentences, and its plan for those who want to know exactly."""

    sentences: list[str]
    plan: str


class FormatInfo(Struct):
    """How a column wants to be shown."""

    name: str
    code: str | None


class ColumnInfo(Struct):
    """A column of a result."""

    name: str
    label: str
    type: str
    unit: str | None
    format: FormatInfo | None
    members: list[str]


class DeviceInfo(Struct):
    """The device a row is about."""

    uid: str
    name: str | None
    simulated: bool | None


class WindowInfo(Struct):
    """The time that was really asked for."""

    start: str
    end: str
    precision: str
    zone: str
    text: str


class CostInfo(Struct):
    """What a query reads: rows and bytes of columns, at most; and where it runs: `portal`, `worker`, or `kept` for an
    answer of before that still holds. Null for who does not see the whole estate."""

    rows: int | None
    bytes: int | None
    where: str | None


class RunningInfo(Struct):
    """A query that runs: its id, whose it is, what it asks, what for, since when."""

    id: str
    account: str
    text: str
    purpose: str
    since: str


class RunningList(Struct):
    """Queries that run, the oldest first."""

    queries: list[RunningInfo]


class QueryResult(Struct):
    """The answer to a query, or a page of it; `next` is the cursor of the page that follows, if there is one."""

    id: str
    cost: CostInfo
    next: str | None

    columns: list[ColumnInfo]
    rows: list[list[Any]]
    devices: list[DeviceInfo | None] | None
    row_count: int
    truncated: bool
    window: WindowInfo | None
    complete_until: str
    now: str
    zone: str
    warnings: list[DiagnosticInfo]
    elapsed_ms: float | None


class FieldInfo(Struct):
    """A field of a table."""

    name: str
    type: str
    unit: str | None
    doc: str
    members: list[str]
    metric: str | None
    guess: bool
    ours: bool


class TableInfo(Struct):
    """A table of the catalog."""

    name: str
    shortcut: str | None
    kind: str
    record: str
    doc: str
    links: dict[str, str]
    fields: list[FieldInfo]


class FunctionInfo(Struct):
    """A function of the language."""

    name: str
    kind: str
    doc: str
    example: str


class CatalogInfo(Struct):
    """The catalog in force."""

    version: str
    tables: list[TableInfo]
    functions: list[FunctionInfo]
