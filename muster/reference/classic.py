"""The tables of the page of NXQL: what every name of the classic model is here, or why there is none.

In: the mapping file of `nql.nxql`. Out: Markdown. Invariant: nothing about the mapping is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from muster.reference.markdown import code, link, table
from nql.nxql.mapping import Classic, EventMap, FieldMap, ObjectMap, Variant, classic


def names() -> str:
    """Types of literals, tables, fields and aggregates."""
    known = classic()
    parts = ["## Typed literals", _types(known), "## Tables without a counterpart", _reasons(known.absent)]
    parts.append("## Names of objects")
    parts += [_object(item) for item in known.objects.values()]
    parts.append("## Names of events")
    parts += [_event(item) for item in known.events.values()]
    leaves = ((code(name), code(path)) for name, path in known.scores.fields.items())
    parts += ["## Scores", f"{known.scores.doc} {known.scores.payload}", table(("leaf", "in dex.scores"), leaves)]
    return "\n\n".join(parts)


def _types(known: Classic) -> str:
    rows = [(code(item.name), item.family, code(item.example), item.doc) for item in known.types.values()]
    return table(("type", "goes with", "example", "means"), rows)


def _reasons(absent: Mapping[str, str]) -> str:
    return table(("name", "why"), ((code(name), reason) for name, reason in absent.items()))


def _object(item: ObjectMap) -> str:
    one = f", one row a value of {code(item.group)}" if item.group else ""
    return f"### {item.name}\n\n{item.doc} In NQL {_to(item.table)}{one}.\n\n{_fields(item.fields)}"


def _event(item: EventMap) -> str:
    parts = [f"### {item.name}\n\n{item.doc}"]
    if item.absent:
        parts += ["Kinds without a counterpart:", _reasons(item.absent)]
    parts += [_variant(variant) for variant in item.variants]
    return "\n\n".join(parts)


def _variant(variant: Variant) -> str:
    told = f"**{_to(variant.table)}**"
    if variant.kind:
        told += f", the kind {code(variant.kind)}"
    if variant.where:
        told += f", rows where {code(variant.where)}"
    links = ", ".join(code(name) for name in variant.links)
    parts = [f"{told}. Linked to {links}." if links else f"{told}."]
    if variant.fields:
        parts.append(_fields(variant.fields))
    parts.append(_fields(variant.aggregates, "aggregate"))
    for name, fields in variant.linked.items():
        parts += [f"Of {code(name)} here:", _fields(fields)]
    return "\n\n".join(parts)


def _fields(fields: Mapping[str, FieldMap], what: str = "field") -> str:
    return table((what, "type", "in NQL", "remark"), (_row(item) for item in fields.values()))


def _row(item: FieldMap) -> tuple[str, str, str, str]:
    if not item.nql:
        return code(item.name), item.type, "none", item.reason
    remarks = [item.doc]
    if item.join:
        rows = f"Over the rows of {code(item.join)}"
        remarks.append(f"{rows} where {code(item.where)}." if item.where else f"{rows}.")
    if item.scale != 1:
        remarks.append(f"Values times {item.scale:g}.")
    if item.platforms:
        remarks.append(f"Only on {', '.join(item.platforms)}.")
    remarks += _words(item)
    return code(item.name), item.type, code(item.nql), " ".join(filter(None, remarks))


def _words(item: FieldMap) -> Iterable[str]:
    """What words of an enum mean where it is not the same word."""
    for word, meaning in item.words.items():
        if meaning.when is not None:
            yield f"{code(word)} is {code(meaning.when)}."
        elif meaning.stored is None:
            yield f"{code(word)} has no counterpart."
        elif meaning.stored != word:
            yield f"{code(word)} is {code(meaning.stored)}."


def _to(name: str) -> str:
    return link(code(name), f"tables-{name.split('.', 1)[0]}.md", name)
