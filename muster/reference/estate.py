"""The estate whose answers the reference shows: few devices, a fixed seed and a fixed clock, in a store of its own.

In: nothing. Out: `Answers`, which runs a query through the real engine and gives its table as text. Invariant: the
same checkout gives the same texts on every machine: no wall clock, no locale, no order that a hash decides. It lives
in a temporary folder for as long as pages are made.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from engine.execute import run
from engine.formats import to_json
from engine.result import Result
from engine.source import Source
from muster.estate.configured import items
from muster.estate.load import planned, store
from muster.manifests import manifests
from muster.reference.markdown import block
from muster.shown import result_table
from nql.api import Compiled, Context, compile_query, explain, resolve
from nql.catalog.configured import configured
from nql.catalog.load import builtin
from nql.catalog.model import Catalog, executions_of
from nql.diagnostics import Diagnostic, render
from nql.nxql.api import NxqlPlan, compile_nxql
from nql.rules import DEFAULT, Rules
from portal.queries.catalogs import TYPES
from storage.tables.api import Snapshot, SnapshotSource, open_tables

SEED, DEVICES, DAYS, CONNECTED = 1, 60, 7, 8
NOW = int(datetime(2026, 11, 26, 13, 20, 30, tzinfo=UTC).timestamp()) * 1_000_000  # a Thursday
ZONE = "Europe/Zurich"
CONTEXT = Context(NOW, ZONE, ZONE, {})
ROWS = 6  # of an answer are shown, unless a page asks for more
WIDTH = 118
CONTENT = ("content", "../content")  # beside the package where it is installed, else beside it in a checkout


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers queries. The catalog has what the estate configures, and the starter actions."""

    catalog: Catalog
    source: Source

    def compiled(self, text: str, rules: Rules = DEFAULT) -> Compiled:
        """The query understood. Raises QueryError."""
        return compile_query(text, self.catalog, rules=rules)

    def result(self, text: str, rules: Rules = DEFAULT) -> tuple[Compiled, Result]:
        """The query understood, and all rows of its answer. Raises QueryError."""
        compiled = self.compiled(text, rules)
        return compiled, run(resolve(compiled.plan, CONTEXT), self.source)

    def shown(self, text: str, *, rows: int = ROWS, rules: Rules = DEFAULT) -> str:
        """The answer as a terminal shows it: the table, how many rows more there are, the window, warnings. Raises
        QueryError."""
        compiled, result = self.result(text, rules)
        return _shown(text, result, compiled.warnings, rows)

    def explained(self, text: str) -> str:
        """What a query asks, in words, as the command line says it."""
        said = explain(text, self.catalog, CONTEXT)
        return block("\n".join([f"$ muster nql explain '{text}'", *said.sentences]))

    def classic(self, text: str, *, rows: int = ROWS) -> str:
        """The answer to a query of NXQL in the same form. Raises QueryError."""
        found = compile_nxql(text, self.catalog)
        warnings = found.warnings if isinstance(found, NxqlPlan) else ()
        return _shown(text, run(resolve(found.plan, CONTEXT), self.source), warnings, rows)


def _shown(text: str, result: Result, warnings: Sequence[Diagnostic], rows: int) -> str:
    count = result.table.num_rows
    form = to_json(replace(result, table=result.table.slice(0, rows)))
    lines = [result_table(form, WIDTH), ""]
    more = f"{rows} of {count:,} rows" if count > rows else f"{count:,} row" + ("" if count == 1 else "s")
    lines.append(" · ".join([more, form["window"]["text"]] if form["window"] else [more]))
    if warnings:
        lines += ["", render(text, warnings)]
    return "\n".join(lines)


@contextmanager
def answers() -> Iterator[Answers]:
    """The estate, ready to be asked."""
    catalog = known()
    with tempfile.TemporaryDirectory(prefix="muster-reference-") as folder:
        snapshot = asyncio.run(_stored(Path(folder), catalog))
        yield Answers(catalog, SnapshotSource(snapshot, catalog))


def known() -> Catalog:
    """The shipped catalog with what the estate configures and the starter actions."""
    base = builtin()
    tables, facts = [], []
    for manifest in manifests(_actions()):
        outputs = {item["name"]: TYPES[item["type"]] for item in manifest.get("outputs", ())}
        inputs = [item["name"] for item in manifest.get("inputs", ())]
        tables.append(executions_of(base, manifest["nql_id"].removeprefix("#"), outputs, inputs))
        facts.append(f"{manifest['nql_id']} {sorted(outputs)} {inputs}")
    return configured(base.overlay(tables, sha256("\n".join(facts).encode()).hexdigest()[:16]), items())


async def _stored(folder: Path, catalog: Catalog) -> Snapshot:
    tables = await open_tables(folder, catalog, zone=ZONE, clock=lambda: NOW)
    try:
        await store(tables, catalog, planned(DEVICES, DAYS, SEED, NOW, CONNECTED), lambda _: None)
        return await tables.snapshot()
    finally:
        await asyncio.to_thread(tables.abandon)


def _actions() -> Path:
    here = Path(__file__).parents[1]
    return next(path for place in CONTENT if (path := (here / place / "actions").resolve()).is_dir())
