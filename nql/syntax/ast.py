"""A query as written: one node for each thing the author said, in the author's order, with its place in the text.

Names keep the author's spelling; nothing here knows a table, a field or a type. Invariant: spans take no part in
equality, so that two texts that say the same give equal trees. Literals hold what their shape alone tells (a number,
a number with a unit, a date, even one that no calendar has); what they mean beside a field is decided in
`nql.semantics`. `depth` is the height of an expression, so that whoever walks it knows how deep it must go.
"""

from __future__ import annotations

from dataclasses import field, replace

from nql.diagnostics import NOWHERE, Span
from nql.value import value

# --- expressions ------------------------------------------------------------------------------


@value
class Word:
    """A word of the language that is there or is not, such as `distinct`."""

    span: Span = field(default=NOWHERE, compare=False)


@value
class Path:
    """Names joined by dots, as written but for space around the dots."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@value
class Constant:
    """`true`, `false` or `null`."""

    value: bool | None
    span: Span = field(default=NOWHERE, compare=False)


@value
class Text:
    """A quoted text, without its quotes."""

    value: str
    span: Span = field(default=NOWHERE, compare=False)


@value
class Number:
    """A number, with its unit as written in lower case: one of durations or sizes, or empty."""

    value: int | float
    unit: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@value
class Version:
    """`v24.4.1`, without the v."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@value
class Address:
    """An address or a network of addresses."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@value
class Date:
    """A date, with a clock time if `hour` is set. `year` is None where it was left out; `zone` is how many
    minutes ahead of UTC the time was written, 0 for a Z."""

    year: int | None
    month: int
    day: int
    hour: int | None = None
    minute: int = 0
    second: int = 0
    zone: int | None = None
    span: Span = field(default=NOWHERE, compare=False)


@value
class Parameter:
    """`$name`, without the sign."""

    name: str
    span: Span = field(default=NOWHERE, compare=False)


@value
class Items:
    """`[a, b]`; not `square` where round brackets stand in the place of a list."""

    items: tuple[Expr, ...]
    square: bool = True
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@value
class Call:
    """`target.function(arguments)`; no target for `count()`. `name_span` is the function's name alone. A target that is
    neither a path nor a call stood in round brackets."""

    target: Expr | None
    function: str
    arguments: tuple[Expr, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@value
class Negative:
    """`-operand`."""

    operand: Expr
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@value
class Binary:
    """`left op right` of arithmetic: one of `+ - * / ^`."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@value
class Comparison:
    """`left op right`: one of `== != < > <= >= in !in contains !contains`, a single `=` read as `==`; or one of ours:
    `is`, `is not` and, each also with a `!` before it, `matches`, `like`, `starts with`, `ends with`, `between`, whose
    right side is a list of two. `op_span` has the operator as written."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(default=NOWHERE, compare=False)
    op_span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@value
class Not:
    """`not operand`, of a condition."""

    operand: Expr
    span: Span = field(default=NOWHERE, compare=False)
    depth: int = field(default=1, compare=False, repr=False)


@value
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
    | Not
    | Logic
)

# --- tables and time --------------------------------------------------------------------------


@value
class Past:
    """`past <length>`, with or without `during`."""

    length: Number | Parameter
    span: Span = field(default=NOWHERE, compare=False)


@value
class Ago:
    """`<length> ago`."""

    length: Number
    span: Span = field(default=NOWHERE, compare=False)


@value
class Between:
    """`from <start> to <end>`."""

    start: Date | Ago
    end: Date | Ago
    span: Span = field(default=NOWHERE, compare=False)


@value
class OnDay:
    """`on <date>`."""

    day: Date
    span: Span = field(default=NOWHERE, compare=False)


Selection = Past | Between | OnDay


@value
class TableRef:
    """A table with its time selection; `resolution` is the length after `by` (`by 30s`), `shift` how far back the whole
    selection is moved."""

    name: Path
    selection: Selection | None = None
    resolution: Number | None = None
    span: Span = field(default=NOWHERE, compare=False)
    shift: Number | None = None


# --- clauses ----------------------------------------------------------------------------------


@value
class Where:
    """`where <condition>`."""

    condition: Expr
    span: Span = field(default=NOWHERE, compare=False)


@value
class Join:
    """`with <table>`, or `include <table>` if `keep_all`."""

    table: TableRef
    keep_all: bool
    span: Span = field(default=NOWHERE, compare=False)


@value
class Assign:
    """`name = value`. `op` is `==` where that was written by mistake."""

    name: Path
    value: Expr
    op: str = "="
    span: Span = field(default=NOWHERE, compare=False)


@value
class Compute:
    """`compute <name = value>, ...`."""

    items: tuple[Assign, ...]
    span: Span = field(default=NOWHERE, compare=False)


@value
class Summarize:
    """`summarize <name = value>, ... by <fields and a period>`. A period is a `Number` with a unit. `fill` is the word
    that asks for empty buckets too."""

    items: tuple[Assign, ...]
    by: tuple[Path | Number, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    fill: Word | None = None


@value
class ListClause:
    """`list <columns>`; a column may be given a name. `distinct` is the word."""

    items: tuple[Expr | Assign, ...]
    span: Span = field(default=NOWHERE, compare=False)
    distinct: Word | None = None


@value
class SortItem:
    """One key of `sort`."""

    value: Expr
    descending: bool = False
    span: Span = field(default=NOWHERE, compare=False)


@value
class Sort:
    """`sort <keys>`."""

    items: tuple[SortItem, ...]
    span: Span = field(default=NOWHERE, compare=False)


@value
class Limit:
    """`limit <count>`, perhaps after the first `offset` rows."""

    count: Number | Parameter
    span: Span = field(default=NOWHERE, compare=False)
    offset: Number | Parameter | None = None


@value
class Latest:
    """`latest by <objects or fields>`."""

    by: tuple[Path, ...]
    span: Span = field(default=NOWHERE, compare=False)


Clause = Where | Join | Compute | Summarize | ListClause | Sort | Limit | Latest


@value
class Query:
    """A table and the clauses after it. This is the `Ast` of a text. `lets` are the names given before the table."""

    table: TableRef
    clauses: tuple[Clause, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    lets: tuple[Assign, ...] = ()


def inside(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of an expression."""
    match expr:
        case Call():
            return expr.arguments if expr.target is None else (expr.target, *expr.arguments)
        case Negative() | Not():
            return (expr.operand,)
        case Binary() | Comparison():
            return (expr.left, expr.right)
        case Logic():
            return expr.operands
        case Items():
            return expr.items
        case _:
            return ()


def over(expr: Expr, operands: tuple[Expr, ...], height: int) -> Expr:
    """The same expression over other operands, as many as `inside` gives; `height` is its depth then."""
    match expr:
        case Call(target=None):
            return replace(expr, arguments=operands, depth=height)
        case Call():
            return replace(expr, target=operands[0], arguments=operands[1:], depth=height)
        case Negative() | Not():
            return replace(expr, operand=operands[0], depth=height)
        case Binary() | Comparison():
            return replace(expr, left=operands[0], right=operands[1], depth=height)
        case Logic():
            return replace(expr, operands=operands, depth=height)
        case Items():
            return replace(expr, items=operands, depth=height)
        case _:
            return expr
