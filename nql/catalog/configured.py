"""Items that somebody configured: campaigns, custom trends and custom fields, and the tables and fields they give.

In: items, as values or in their JSON form. Out: tables for `Catalog.overlay`. Remote actions are configured too; their
tables are `nql.catalog.model.executions_of`. Invariant: an item adds names alone and no stored column: the rows of a
campaign are rows of `campaign.responses`, those of a trend rows of `custom_trend.snapshots`, and all custom fields of
an object are one typed map, so that data and definitions may come in any order. Names keep the spelling they are
declared in and are found in any case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from nql.catalog.model import Catalog, Field, Table, entry_field
from nql.datatypes import STRING, DataType, Kind

CUSTOM = "custom_fields"  # the stored map of custom fields
CUSTOMIZED = ("device.devices", "user.users", "binary.binaries", "package.packages")
RESPONSES, SNAPSHOTS = "campaign.responses", "custom_trend.snapshots"
_NAME = re.compile(r"\w{1,255}", re.ASCII)
_LEVEL = "organization."
_LEVELS = ("device.devices", "user.users")
_NOT_HELD = frozenset({Kind.OBJECTS, Kind.MAP, Kind.NULL})


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign. `questions` maps the id of each question to its wording; `nql_id` has no `#`. Raises ValueError for
    ids that are none."""

    nql_id: str
    questions: Mapping[str, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_names("campaign", self.nql_id, *self.questions, *self.parameters)


@dataclass(frozen=True, slots=True)
class Trend:
    """A custom trend and the fields each snapshot freezes. Raises ValueError for ids that are none."""

    nql_id: str
    fields: Mapping[str, DataType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_names("custom trend", self.nql_id, *self.fields)
        if taken := {"start_time", "end_time", "bucket_duration", "values"} & {name.lower() for name in self.fields}:
            raise ValueError(f"a snapshot has its own {min(taken)}")
        _check_types(self.fields)


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of an object table (CUSTOMIZED), or a custom level of its organisation (`organization.level`).
    `name` has no `#`. Only a `manual` one may be compared with another field. Raises ValueError."""

    table: str
    name: str
    dtype: DataType = STRING
    manual: bool = True

    def __post_init__(self) -> None:
        level = self.name.startswith(_LEVEL)
        if self.table not in (_LEVELS if level else CUSTOMIZED):
            raise ValueError(f"{self.table} has no custom fields")
        _check_names("custom field", self.name.removeprefix(_LEVEL))
        _check_types({self.name: self.dtype})

    @property
    def path(self) -> str:
        """How a query names it: `#name`, `organization.#name`."""
        head, dot, last = self.name.rpartition(".")
        return f"{head}{dot}#{last}"


Item = Campaign | Trend | CustomField


def configured(catalog: Catalog, items: Iterable[Item]) -> Catalog:
    """The catalog with these items. The same items give the same version."""
    known = {key_of(item): item for item in items}
    if not known:
        return catalog
    ordered = [known[key] for key in sorted(known)]
    version = sha256(json.dumps([written(item) for item in ordered], sort_keys=True).encode()).hexdigest()[:16]
    return catalog.overlay(tables_of(catalog, ordered), version)


def tables_of(catalog: Catalog, items: Iterable[Item]) -> list[Table]:
    """The tables that these items add or change."""
    custom: dict[str, list[CustomField]] = {}
    tables: list[Table] = []
    for item in items:
        match item:
            case Campaign():
                tables.append(responses_of(catalog, item))
            case Trend():
                tables.append(snapshots_of(catalog, item))
            case CustomField():
                custom.setdefault(item.table, []).append(item)
    return tables + [with_custom_fields(catalog.tables[name], fields) for name, fields in custom.items()]


def responses_of(catalog: Catalog, campaign: Campaign) -> Table:
    """The table `campaign.#<id>.responses`. A question has its answer under `answers.q.label` or `answers.q`, and what
    was written beside it under `answers.q.comment` or `comments.q`."""
    own: list[Field] = []
    for name, wording in campaign.questions.items():
        label, comment = f"answers.{name}.label", f"answers.{name}.comment"
        asked = f"Answer to {name}: {wording}" if wording else f"Answer to {name}."
        own += [
            entry_field(label, STRING, "answers", name, asked),
            Field(f"answers.{name}", STRING, asked, same_as=label),
            entry_field(comment, STRING, "comments", name, f"Free text beside the answer to {name}."),
            Field(f"comments.{name}", STRING, f"Free text beside the answer to {name}.", same_as=comment),
        ]
    own += [
        entry_field(f"parameters.{name}", STRING, "parameters", name, f"Parameter {name}.")
        for name in campaign.parameters
    ]
    labels = [f"answers.{name}.label" for name in campaign.questions]
    return _item_table(catalog, "campaign.#<nql_id>.responses", RESPONSES, campaign.nql_id, own, labels)


def snapshots_of(catalog: Catalog, trend: Trend) -> Table:
    """The table `custom_trend.#<id>.snapshots`."""
    own = [
        entry_field(name, dtype, "values", name, f"{name} as it was that day.") for name, dtype in trend.fields.items()
    ]
    return _item_table(catalog, "custom_trend.#<nql_id>.snapshots", SNAPSHOTS, trend.nql_id, own, trend.fields)


def with_custom_fields(table: Table, fields: Iterable[CustomField]) -> Table:
    """An object table with custom fields added."""
    added = {
        item.path: Field(
            item.path,
            item.dtype,
            f"Custom field, {'manual' if item.manual else 'computed'}.",
            server=True,
            within=CUSTOM,
            entry=item.name,
            comparable=item.manual,
        )
        for item in fields
    }
    return replace(table, fields=MappingProxyType({**table.fields, **added}))


def open_entry(item: Field, name: str) -> Field | None:
    """The field under a name in a typed map that any name may be asked of, such as `answers` of all campaigns; None if
    names of this map have to be configured."""
    if item.entries is None:
        return None
    within, path = item.name, f"{item.name}.{name}"
    if within == "answers":
        within = "comments" if name.endswith(".comment") else within
        name = name.removesuffix(".label").removesuffix(".comment")
    return entry_field(path, item.entries, within, name, f"Entry {name} of {within}.")


def key_of(item: Item) -> tuple[str, str]:
    """What an item is known by: its kind, and its name in lower case."""
    match item:
        case Campaign():
            return "campaign", item.nql_id.lower()
        case Trend():
            return "trend", item.nql_id.lower()
        case CustomField():
            return "custom_field", f"{item.table}.{item.path}".lower()


def written(item: Item) -> dict[str, Any]:
    """The JSON form of an item, with its `kind`."""
    match item:
        case Campaign():
            own: dict[str, Any] = {"questions": dict(item.questions), "parameters": list(item.parameters)}
            return {"kind": "campaign", "nql_id": item.nql_id, **own}
        case Trend():
            fields = {name: type_written(dtype) for name, dtype in item.fields.items()}
            return {"kind": "trend", "nql_id": item.nql_id, "fields": fields}
        case CustomField():
            own = {"table": item.table, "name": item.name, "type": type_written(item.dtype), "manual": item.manual}
            return {"kind": "custom_field", **own}


def item_of(form: Mapping[str, Any]) -> Item:
    """The item of a JSON form. Raises ValueError if it is none."""
    try:
        match form["kind"]:
            case "campaign":
                return Campaign(form["nql_id"], dict(form["questions"]), tuple(form["parameters"]))
            case "trend":
                return Trend(form["nql_id"], {name: type_of(dtype) for name, dtype in form["fields"].items()})
            case "custom_field":
                return CustomField(form["table"], form["name"], type_of(form["type"]), form["manual"])
    except (KeyError, TypeError, AttributeError):
        raise ValueError("not the form of a configured item") from None
    raise ValueError(f"there is no kind {form['kind']!r} of configured items")


def type_written(dtype: DataType) -> dict[str, Any]:
    """The JSON form of a type."""
    return {
        "kind": dtype.kind.value,
        "unit": dtype.unit,
        "members": list(dtype.members),
        "closed": dtype.closed,
        "real": dtype.real,
    }


def type_of(form: Mapping[str, Any]) -> DataType:
    """The type of a JSON form. Raises ValueError, KeyError, TypeError."""
    kind = next((kind for kind in Kind if kind.value == form["kind"]), None)
    if kind is None:
        raise ValueError(f"no configured item has values of kind {form['kind']!r}")
    return DataType(kind, form["unit"], tuple(form["members"]), form["closed"], form["real"])


def _item_table(
    catalog: Catalog, pattern: str, base: str, nql_id: str, own: Iterable[Field], shown: Iterable[str]
) -> Table:
    """The table of one item: the rows of `base` that are its own, with its fields beside the general ones. `shown` are
    those that are shown where a query lists nothing."""
    general, stored = catalog.tables[pattern], catalog.tables[base]
    fields = {**stored.fields, **{name: item for name, item in general.fields.items() if not item.template}}
    fields |= {name: replace(item, entries=None) for name, item in fields.items() if item.entries is not None}
    return replace(
        general,
        name=pattern.replace("<nql_id>", nql_id),
        fields=MappingProxyType({**fields, **{item.name: item for item in own}}),
        links=stored.links,
        default=(*general.default, *shown),
        base=base,
        nql_id=nql_id,
    )


def _check_names(kind: str, *names: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"a {kind} has names of letters, digits and underscores, not {name!r}")


def _check_types(fields: Mapping[str, DataType]) -> None:
    for name, dtype in fields.items():
        if dtype.kind in _NOT_HELD:
            raise ValueError(f"{name} cannot be of kind {dtype.kind.value}")
