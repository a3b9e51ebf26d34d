"""The coverage table of the language, from the records: `.venv/bin/python -m tests.logic.coverage`.

In: every `.nqltest` record that expects rows. Out: function by operand by nulls by clause; operator by type; form of a
time selection by zone. What can be written but is in no record needs a reason in `coverage_reasons.toml`, else the
cell is missing, and `test_coverage` fails. Invariant: the cells that can be are computed from the
function table and the types, never listed by hand, so that whatever is new is missing until it has records.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path

from nql.datatypes import NUMERIC, DataType, Kind
from nql.editing.offers import operators
from nql.functions import FUNCTIONS, Function, Role
from tests.logic.covered import NOTHING, ONLY, SOME, WHOLE, Cell, Covered, written
from tests.logic.records import Record, parse

FOLDER = Path(__file__).parent
NULLS = (NOTHING, WHOLE, SOME, ONLY)
CLAUSES = ("include", "with", "summarize", "summarize by")
ZONES = ("one zone", "two zones", "clock change")
FORMS = (
    "past min", "past h", "past d", "on day", "from day to day", "from clock to clock", "from d ago to d ago",
    "from h ago to h ago", "from day to clock", "from d ago to h ago", "past d shift", "past h shift", "past h by s",
    "no selection, events", "no selection, objects",
)  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """Why some cells are empty. Each part of `cells` is `*` or words parted by `|`."""

    cells: tuple[frozenset[str] | None, ...]
    reason: str

    def holds(self, cell: Cell) -> bool:
        """Whether it is about a cell."""
        return len(cell) == len(self.cells) and all(
            words is None or word in words for words, word in zip(self.cells, cell, strict=True)
        )


@dataclass(frozen=True)
class Table:
    """One table: the cells that can be, those that some record covers, and reasons for empty ones."""

    name: str
    possible: tuple[Cell, ...]
    covered: frozenset[Cell]
    reasons: tuple[Reason, ...]

    @property
    def missing(self) -> tuple[Cell, ...]:
        """The empty cells without a reason."""
        return tuple(cell for cell in self.possible if cell not in self.covered and not self.excused(cell))

    @property
    def stale(self) -> tuple[Reason, ...]:
        """The reasons that are about no empty cell."""
        empty = [cell for cell in self.possible if cell not in self.covered]
        return tuple(reason for reason in self.reasons if not any(map(reason.holds, empty)))

    def excused(self, cell: Cell) -> bool:
        """Whether a reason is about a cell."""
        return any(reason.holds(cell) for reason in self.reasons)

    def mark(self, cell: Cell) -> str:
        """One character for a cell: covered, excused, missing, or not possible."""
        if cell in self.covered:
            return "x"
        if cell not in self.possible:
            return " "
        return "-" if self.excused(cell) else "?"


def records() -> Iterator[Record]:
    """All records that expect rows of a query in NQL."""
    for path in sorted(FOLDER.rglob("*.nqltest")):
        for record in parse(path.read_text("utf-8")):
            if record.expected is not None and "language" not in record.settings:
                yield record


def tables() -> tuple[Table, Table, Table]:
    """Functions, operators and time selections."""
    functions: set[Cell] = set()
    signs: set[Cell] = set()
    times: set[Cell] = set()
    for record in records():
        covered = Covered(record)
        functions.update(covered.functions())
        signs.update(covered.operators())
        times.update(covered.times())
    said = tomllib.loads((FOLDER / "coverage_reasons.toml").read_text("utf-8"))

    def reasons(name: str) -> tuple[Reason, ...]:
        return tuple(Reason(tuple(map(_words, item["cells"])), item["reason"]) for item in said.get(name, []))

    return (
        Table("function", function_cells(), frozenset(functions), reasons("function")),
        Table("operator", operator_cells(), frozenset(signs), reasons("operator")),
        Table("time", tuple(product(FORMS, ZONES)), frozenset(times), reasons("time")),
    )


def function_cells() -> tuple[Cell, ...]:
    """Every aggregate over every operand it takes, in each pattern of nulls and each clause."""
    pairs = [
        (written(function.name), operand)
        for function in FUNCTIONS.values()
        if function.role is Role.AGGREGATE
        for operand in _operands(function)
    ]
    return tuple((*pair, nulls, clause) for pair, nulls, clause in product(pairs, NULLS, CLAUSES))


def operator_cells() -> tuple[Cell, ...]:
    """Every comparison of every type."""
    kinds = [kind for kind in Kind if kind is not Kind.NULL]
    own = [(item.label, kind.value) for kind in kinds for item in operators(DataType(kind))]
    return (*own, *product(("== null", "!= null"), [kind.value for kind in kinds]))


def _operands(function: Function) -> Iterator[str]:
    if function.alone:
        yield from ("rows", "objects")
    yield from sorted(kind.value for kind in function.operands)
    if function.operands & NUMERIC:
        yield from ("component", "computed name")
        if function.name != "stddev":  # samples do not hold it
            yield "sampled metric"


def _words(text: str) -> frozenset[str] | None:
    return None if text == "*" else frozenset(text.split("|"))


def shown(table: Table) -> Iterator[str]:
    """A table as text."""
    yield f"{table.name}: {len(table.covered & set(table.possible))} of {len(table.possible)} cells covered, "
    if table.name != "function":
        columns = list(dict.fromkeys(cell[-1] for cell in table.possible))
        rows = list(dict.fromkeys(cell[0] for cell in table.possible))
        for row in rows:
            yield f"  {row:24}" + " ".join(f"{column}:{table.mark((row, column))}" for column in columns)
        return
    yield f"  {'':30}" + " ".join(f"{clause:14}" for clause in CLAUSES) + f"  each: {', '.join(NULLS)}"
    for (function, operand), _ in groupby(table.possible, key=lambda cell: cell[:2]):
        cells = ("".join(table.mark((function, operand, nulls, clause)) for nulls in NULLS) for clause in CLAUSES)
        yield f"  {function:10}{operand:20}" + " ".join(f"{cell:14}" for cell in cells)


def main() -> int:
    """Prints the tables; 1 if a cell is missing."""
    found = tables()
    for table in found:
        print("\n".join(shown(table)))
        print(f"  missing: {len(table.missing)}  (x covered, - with a reason, ? missing)\n")
    return 1 if any(table.missing for table in found) else 0


if __name__ == "__main__":
    sys.exit(main())
