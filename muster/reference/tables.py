"""The pages of the catalog: every table and field, with its type, whether it is documented, and who fills it today.

In: the catalog. Out: a page a namespace, and their index. Invariant: nothing about a table or field is said here; it
comes from the catalog's files, and who fills a table from the collectors themselves (`muster.estate.coverage`).
"""

from __future__ import annotations

from itertools import groupby

from muster.estate.coverage import filled_by
from muster.reference.markdown import code, link, plain, table
from nql.catalog.load import builtin
from nql.catalog.model import COMPONENTS, Field, Table, TableKind

KINDS = {
    TableKind.OBJECT: "objects",
    TableKind.PUNCTUAL: "events, each at one instant",
    TableKind.SAMPLED: "samples, each of a span of time",
}
WRITERS = {"agent": "the agent", "portal": "the portal", "import": "imports"}


def pages() -> dict[str, str]:
    """All pages of the catalog, by file name."""
    found = {"tables.md": _index()}
    for namespace, tables in _namespaces().items():
        body = [f"# {namespace}", "", f"{link('All tables', 'tables.md')}", ""]
        for item in tables:
            body += [_table(item), ""]
        found[f"tables-{namespace}.md"] = "\n".join(body).rstrip("\n") + "\n"
    return found


def _namespaces() -> dict[str, list[Table]]:
    ordered = sorted(builtin().tables.values(), key=lambda item: (item.namespace, item.name))
    return {namespace: list(tables) for namespace, tables in groupby(ordered, key=lambda item: item.namespace)}


def _index() -> str:
    rows = [
        (
            link(code(item.name), f"tables-{namespace}.md", item.name),
            code(item.shortcut) if item.shortcut else "",
            KINDS[item.kind].split(",")[0],
            str(len(item.fields)),
            filled_by(item.name),
        )
        for namespace, tables in _namespaces().items()
        for item in tables
    ]
    fields = [field for item in builtin().tables.values() for field in item.fields.values()]
    guesses = sum(field.guess for field in fields)
    ours = sum(field.ours for field in fields)
    text = (
        f"The model has {len(rows)} tables with {len(fields):,} fields. "
        f"{len(fields) - guesses - ours:,} fields are documented by Nexthink or seen in its examples, "
        f"{guesses} are our guess of what a table of that kind has, and {ours} are ours.\n\n"
        "Objects have current properties. Events happen at one instant (`time`), or are samples of a span of time "
        "(`start_time`, `end_time`, `bucket_duration`). The last column says who fills a table in Muster today."
    )
    return f"# Tables\n\n{text}\n\n{table(('table', 'short name', 'holds', 'fields', 'filled by'), rows)}\n"


def _table(item: Table) -> str:
    facts = [f"- Holds {KINDS[item.kind]}. Paths start with {code(item.header('...').removesuffix('....'))}."]
    if item.shortcut:
        facts.append(f"- Short name: {code(item.shortcut)}.")
    if item.time:
        facts.append(f"- A time selection is about {code(item.time)}.")
    if item.activity:
        facts.append(f"- With a time selection: those with a row in {_to(item.activity)} in that time.")
    if item.links:
        facts.append(f"- Linked objects: {', '.join(f'{code(n)} ({_to(t)})' for n, t in item.links.items())}.")
    if item.default:
        facts.append(f"- Shown where a query lists nothing: {', '.join(map(code, item.default))}.")
    if item.resolution:
        facts.append(f"- Resolution: {', '.join(item.resolution)}.")
    kept = "without end" if item.retention_days is None else f"for {item.retention_days} days"
    facts.append(f"- Kept {kept}.")
    facts.append(f"- Written by {WRITERS[item.writer]}. Filled today by: {filled_by(item.name)}.")
    rows = [(code(field.name), _type(field, item), _known(field), _doc(field)) for field in item.fields.values()]
    listed = table(("field", "type", "known", "meaning"), rows)
    return f"## {plain(item.name)}\n\n{plain(item.doc)}\n\n" + "\n".join(facts) + f"\n\n{listed}"


def _type(field: Field, item: Table) -> str:
    dtype = field.dtype
    said = dtype.kind.value + (f", {dtype.unit}" if dtype.unit else "")
    if dtype.members:
        said += f": {', '.join(map(code, dtype.members))}" + ("" if dtype.closed else ", perhaps more")
    if field.metric == "gauge" and item.kind is TableKind.SAMPLED:
        parts = ", ".join(code(f".{part}") for part in ("avg", *COMPONENTS))
        said += f"; as {parts}"
    elif field.metric:
        said += f"; {field.metric}"
    return said


def _known(field: Field) -> str:
    if field.ours:
        return "ours"
    if field.guess:
        return "guess"
    return "yes" if field.confidence == "high" else f"yes, {field.confidence} confidence"


def _doc(field: Field) -> str:
    said = [plain(field.doc)]
    if field.template:
        said.append("Stands for the names that are configured.")
    if field.same_as:
        said.append(f"The same as {code(field.same_as)}.")
    if field.days_since:
        said.append(f"Computed from {code(field.days_since)}.")
    if field.server:
        said.append("Set by the portal.")
    return " ".join(filter(None, said))


def _to(name: str) -> str:
    return link(code(name), f"tables-{name.split('.', 1)[0]}.md", name)
