"""A query as written: one node for each thing the author said, in the author's order, with its place in the text.

Names keep the author's spelling; nothing here knows a table, a field or a type. Invariant: spans take no part in
equality, so that two texts that say the same give equal trees. Literals hold what their shape alone tells (a number,
a number with a unit, a date, even one that no calendar has); what they mean beside a field is decided in
`nql.semantics`. `depth` is the height of an expression, so that whoever walks it knows how deep it must go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nql.diagnostics import NOWHERE, Span

# --- expressions ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Path:
    """Names joined by dots, as written but for space around the dots."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """`true`, `false` or `null`."""

    value: bool | None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, without its quotes."""

    value: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number, with its unit as written in lower case: one of durations or sizes, or empty."""

    value: int | float
    unit: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Version:
    """`v24.4.1`, without the v."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Address:
    """An address or a network of addresses."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Date:
    """A date, with a clock time if `hour` is set. `year` is None where it was left out; `utc` where a Z was written."""

    year: int | None
    month: int
    day: int
    hour: int | None = None
    minute: int = 0
    second: int = 0
    utc: bool = False
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name`, without the sign."""

    name: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Items:
    """`[a, b]`; not `square` where round brackets stand in the place of a list."""

    items: tuple[Expr, ...]
    square: bool = True
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`target.function(arguments)`; no target for `count()`. `name_span` is the function's name alone."""

    target: Path | Call | None
    function: str
    arguments: tuple[Expr, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """`-operand`."""

    operand: Expr
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right` of arithmetic: one of `+ - * / ^`."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left op right`: one of `== != < > <= >= in !in contains !contains`; a single `=` is read as `==`, and what is no
    operator here but one elsewhere (`<>`) stays as written."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(default=NOWHERE, compare=False)
    op_span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """Two or more conditions joined by `and`, or by `or`."""

    op: str
    operands: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


Expr = (
    Path
    | Constant
    | Text
    | Number
    | Version
    | Address
    | Date
    | Parameter
    | Items
    | Call
    | Negative
    | Binary
    | Comparison
    | Logic
)

# --- tables and time --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Past:
    """`past <length>`, with or without `during`."""

    length: Number
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Ago:
    """`<length> ago`."""

    length: Number
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    """`from <start> to <end>`."""

    start: Date | Ago
    end: Date | Ago
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class OnDay:
    """`on <date>`."""

    day: Date
    span: Span = field(default=NOWHERE, compare=False)


Selection = Past | Between | OnDay


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table with its time selection; `resolution` is the length after `by` (`by 30s`)."""

    name: Path
    selection: Selection | None = None
    resolution: Number | None = None
    span: Span = field(default=NOWHERE, compare=False)


# --- clauses ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Where:
    """`where <condition>`."""

    condition: Expr
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Join:
    """`with <table>`, or `include <table>` if `keep_all`."""

    table: TableRef
    keep_all: bool
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = value`. `op` is `==` where that was written by mistake."""

    name: Path
    value: Expr
    op: str = "="
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Compute:
    """`compute <name = value>, ...`."""

    items: tuple[Assign, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Summarize:
    """`summarize <name = value>, ... by <fields and a period>`. A period is a `Number` with a unit."""

    items: tuple[Assign, ...]
    by: tuple[Path | Number, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ListClause:
    """`list <columns>`."""

    items: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SortItem:
    """One key of `sort`."""

    value: Expr
    descending: bool = False
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Sort:
    """`sort <keys>`."""

    items: tuple[SortItem, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Limit:
    """`limit <count>`."""

    count: Number
    span: Span = field(default=NOWHERE, compare=False)


Clause = Where | Join | Compute | Summarize | ListClause | Sort | Limit


@dataclass(frozen=True, slots=True)
class Query:
    """A table and the clauses after it. This is the `Ast` of a text. `extensions` are the things beyond NQL that are
    gone once the text is read (`nql.extensions`), with their places."""

    table: TableRef
    clauses: tuple[Clause, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    extensions: tuple[tuple[str, Span], ...] = field(default=(), compare=False)


def inside(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of an expression."""
    match expr:
        case Call():
            return expr.arguments if expr.target is None else (expr.target, *expr.arguments)
        case Negative():
            return (expr.operand,)
        case Binary() | Comparison():
            return (expr.left, expr.right)
        case Logic():
            return expr.operands
        case Items():
            return expr.items
        case _:
            return ()
