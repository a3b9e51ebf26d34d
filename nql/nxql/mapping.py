"""The mapping from the classic data model to the tables of NQL, read from `mapping.json` once.

In: data: each classic object, event, field and aggregate with its type and what it is in NQL, or the reason why it has
no counterpart. Out: frozen `ObjectMap`, `EventMap`, `FieldMap`. `nql` is an expression of NQL over the rows of the
table; members of enums stand in quotes there, so that every bare word is a path. Invariant: a field has either `nql`
or a `reason`. An event has one variant for each NQL table that holds a part of it, in order of preference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class TypeMap:
    """A type of literals. `family` says with which fields it goes; `unit` is the unit in NQL, `part` the share of one
    that a ratio of 1 stands for, `digits` the length of a hash."""

    name: str
    family: str
    doc: str
    example: str
    unit: str = ""
    part: float = 1
    whole: bool = False
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """What a word of an enum means: a `stored` value, a condition of NQL (`when`), or nothing that NQL has."""

    stored: str | None = None
    when: str | None = None


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A field or an aggregate. `join` names a table of NQL whose rows are summed up into the field, those that satisfy
    `where`; `group` is how a group of objects sums it up; `scale` what a classic value is multiplied with; `needs` the
    link without which it does not exist; `all_rows` says that it looks at rows which are no events too."""

    name: str
    type: str
    nql: str = ""
    reason: str = ""
    doc: str = ""
    join: str = ""
    where: str = ""
    group: str = "last"
    scale: float = 1
    needs: str = ""
    all_rows: bool = False
    platforms: tuple[str, ...] = ()
    words: Mapping[str, Word] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectMap:
    """A table of objects. `key` identifies one of them; where `group` is set, the rows of one value of it are one
    object. `platform` is the field that tells the platform."""

    name: str
    table: str
    doc: str
    fields: Mapping[str, FieldMap]
    key: str = ""
    group: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """The rows of one NQL table that hold an event, or one kind of it. `links` gives the path to each linked object;
    where the mapping lists fields of its own for one, those stand in `linked`."""

    event: str
    table: str
    fields: Mapping[str, FieldMap]
    aggregates: Mapping[str, FieldMap]
    links: Mapping[str, str]
    linked: Mapping[str, Mapping[str, FieldMap]]
    where: str = ""
    kind: str = ""
    words: tuple[str, ...] = ()
    timed: bool = True


@dataclass(frozen=True, slots=True)
class EventMap:
    """A table of events. `absent` are kinds of it that NQL lacks, with the reason."""

    name: str
    doc: str
    variants: tuple[Variant, ...]
    absent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scores:
    """Leaves of scores: the table, its field for each leaf, and what is said about the explanation of a score."""

    table: str
    fields: Mapping[str, str]
    payload: str
    doc: str


@dataclass(frozen=True, slots=True)
class Note:
    """A decision about what a classic query means here, for the reference."""

    title: str
    doc: str
    example: str


@dataclass(frozen=True, slots=True)
class Classic:
    """The whole mapping. `absent` are tables without counterpart, with the reason in words."""

    types: Mapping[str, TypeMap]
    objects: Mapping[str, ObjectMap]
    events: Mapping[str, EventMap]
    absent: Mapping[str, str]
    scores: Scores
    notes: tuple[Note, ...]


def folded(word: str) -> str:
    """A word as the mapping spells it: lower case, with _ for whatever is neither letter nor digit."""
    return re.sub(r"[^0-9a-z]+", "_", word.lower()).strip("_")


def aggregate_events(name: str) -> list[str]:
    """The events that have an aggregate of this name."""
    events = classic().events.values()
    return [event.name for event in events if any(name in variant.aggregates for variant in event.variants)]


@cache
def classic() -> Classic:
    """The mapping as shipped."""
    data = json.loads((Path(__file__).parent / "mapping.json").read_text(encoding="utf-8"))
    types = {name: TypeMap(name, **item) for name, item in data["types"].items()}
    objects = {name: _object(name, item) for name, item in data["objects"].items()}
    events = {name: _event(name, item, data["common"]) for name, item in data["events"].items()}
    notes = tuple(Note(**item) for item in data["notes"])
    return Classic(types, objects, events, data["absent"], Scores(**data["scores"]), notes)


def _object(name: str, item: Mapping[str, Any]) -> ObjectMap:
    rest = {key: value for key, value in item.items() if key != "fields"}
    return ObjectMap(name, fields=_fields(item["fields"]), **rest)


def _event(name: str, item: Mapping[str, Any], common: Mapping[str, Any]) -> EventMap:
    variants = tuple(_variant(name, variant, common) for variant in item["variants"])
    return EventMap(name, item["doc"], variants, item.get("absent", {}))


def _variant(event: str, item: Mapping[str, Any], common: Mapping[str, Any]) -> Variant:
    links = item["links"]
    times = item.get("time")
    shared: dict[str, Any] = {}
    for name, entry in common.items():
        needs = entry.get("needs", "")
        if (needs and isinstance(links.get(needs), str)) or (not needs and "time" not in entry):
            shared[name] = entry
        elif times and "time" in entry:
            first = entry["time"] == "first"
            shared[name] = {"type": entry["type"], "nql": f"{times[0]}.min()" if first else f"{times[1]}.max()"}
    return Variant(
        event,
        item["table"],
        _fields(item["fields"]),
        _fields({**shared, **item["aggregates"]}),
        MappingProxyType({name: link if isinstance(link, str) else "" for name, link in links.items()}),
        MappingProxyType({name: _fields(link) for name, link in links.items() if not isinstance(link, str)}),
        item.get("where", ""),
        item.get("kind", ""),
        tuple(item.get("words", ())),
        times is not None,
    )


def _fields(items: Mapping[str, Any]) -> Mapping[str, FieldMap]:
    return MappingProxyType({name: _field(name, item) for name, item in items.items()})


def _field(name: str, item: Mapping[str, Any]) -> FieldMap:
    words = {word: _word(meaning) for word, meaning in item.get("values", {}).items()}
    return FieldMap(
        name,
        item["type"],
        nql=item.get("nql", ""),
        reason=item.get("none", ""),
        doc=item.get("doc", ""),
        join=item.get("join", ""),
        where=item.get("where", ""),
        group=item.get("group", "last"),
        scale=item.get("scale", 1),
        needs=item.get("needs", ""),
        all_rows=item.get("all", False),
        platforms=tuple(item.get("platforms", ())),
        words=MappingProxyType(words),
    )


def _word(meaning: Any) -> Word:
    return Word(when=meaning["when"]) if isinstance(meaning, dict) else Word(stored=meaning)
