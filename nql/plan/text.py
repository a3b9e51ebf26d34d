"""A plan as stable text, for snapshots and `explain`.

In: a `Plan` or `ResolvedPlan`. Out: one line a relation, inputs indented below, in our own words. Invariant: equal
plans give equal texts; the text never depends on a library or on the order of a hash.
"""

from __future__ import annotations

from nql.plan.expressions import (
    And,
    Arithmetic,
    Call,
    Coalesce,
    Column,
    Compare,
    DateLiteral,
    Expr,
    If,
    IsNull,
    Literal,
    Match,
    Matches,
    MemberOf,
    Not,
    Now,
    Or,
    Parameter,
    SameDay,
)
from nql.plan.plan import Plan, ResolvedPlan
from nql.plan.relations import (
    Active,
    Aggregate,
    Attach,
    Extend,
    Filter,
    Latest,
    Limit,
    Measure,
    Relation,
    Scan,
    ScanColumn,
    Select,
    SemiJoin,
    Sort,
    inputs,
)
from nql.plan.windows import (
    Absolute,
    Ago,
    Between,
    Buckets,
    Given,
    Moment,
    OnDay,
    Past,
    Period,
    Point,
    Retention,
    Shifted,
    Weeks,
    Window,
)


def show(plan: Plan | ResolvedPlan) -> str:
    """The plan as text: its outputs, then its relations, the outermost first."""
    shown = [f"{one.header}: {_type(one.dtype.kind.value, one.dtype.real)} = {one.column}" for one in plan.outputs]
    lines = ["output " + ", ".join(shown)]
    if plan.device is not None:
        lines.append(f"device {plan.device}")
    if plan.window is not None:
        lines.append(f"window {window_text(plan.window)}")
    return "\n".join(lines + _lines(plan.relation, 0)) + "\n"


def window_text(window: Window) -> str:
    """A window as it was said, or its instants."""
    match window:
        case Past(count, unit):
            return f"past {count}{unit}"
        case Given(name):
            return f"past ${name}"
        case Between(start, end):
            return f"from {_point(start)} to {_point(end)}"
        case OnDay(day):
            return f"on {_point(day)}"
        case Retention(days):
            return f"kept {days}d"
        case Shifted(inner, count, unit):
            return f"{window_text(inner)} shifted {count}{unit}"
        case Weeks(inner):
            return f"weeks of {window_text(inner)}"
        case Absolute(start, end, precision, zone):
            return f"[{start}, {end}) {precision.value} {zone}"


def expr_text(expr: Expr) -> str:
    """An expression in one line."""
    match expr:
        case Column(name):
            return f"`{name}`"
        case Literal(value, dtype):
            return f"{value!r}:{dtype.kind.value}"
        case Parameter(name, dtype):
            return f"${name}:{dtype.kind.value}"
        case DateLiteral(moment):
            return f"date({_point(moment)})"
        case Now():
            return "now"
        case Arithmetic(op, left, right):
            return f"({expr_text(left)} {op} {expr_text(right)})"
        case Call(function, operand, _, zone):
            more = f", {zone}" if zone else f", {expr.digits}" if function == "round" else ""
            return f"{function}({expr_text(operand)}{more})"
        case If(condition, then, otherwise):
            return f"if({expr_text(condition)}, {expr_text(then)}, {expr_text(otherwise)})"
        case Coalesce(operand, other):
            return f"coalesce({expr_text(operand)}, {expr_text(other)})"
        case Compare(op, left, right, nulls):
            return f"{expr_text(left)} {op} {expr_text(right)}{_nulls(nulls)}"
        case SameDay(operand, moment, negated, nulls):
            return f"{expr_text(operand)} {'not ' if negated else ''}on {_point(moment)}{_nulls(nulls)}"
        case Match(operand, pattern, negated, nulls):
            return f"{expr_text(operand)} {'not ' if negated else ''}like {expr_text(pattern)}{_nulls(nulls)}"
        case Matches(operand, pattern, negated, nulls):
            return f"{expr_text(operand)} {'not ' if negated else ''}matches {pattern!r}{_nulls(nulls)}"
        case Not(operand):
            return f"not ({expr_text(operand)})"
        case IsNull(operand, negated):
            return f"{expr_text(operand)} is {'not ' if negated else ''}null"
        case MemberOf(operand, values, negated, nulls):
            listed = ", ".join(map(expr_text, values)) if isinstance(values, tuple) else expr_text(values)
            return f"{expr_text(operand)} {'not ' if negated else ''}in [{listed}]{_nulls(nulls)}"
        case And(operands):
            return "(" + " and ".join(map(expr_text, operands)) + ")"
        case Or(operands):
            return "(" + " or ".join(map(expr_text, operands)) + ")"


def _lines(relation: Relation, depth: int) -> list[str]:
    lines = ["  " * depth + _line(relation)]
    for child in inputs(relation):
        lines += _lines(child, depth + 1)
    return lines


def _line(relation: Relation) -> str:
    match relation:
        case Scan():
            window = f" {window_text(relation.window)} by {relation.time}" if relation.window is not None else ""
            daily = {True: " daily", None: " daily if in days", False: ""}[relation.daily]
            return f"scan {relation.table}{window}{daily}: {', '.join(map(_column, relation.columns))}"
        case Active():
            return f"active by {relation.key}"
        case Filter():
            return f"filter {expr_text(relation.predicate)}"
        case SemiJoin():
            return f"semijoin by {relation.key}"
        case Attach():
            keep = "all" if relation.keep_all else "matching"
            return f"attach by {relation.key}, keep {keep}: {', '.join(map(_measure, relation.measures))}"
        case Aggregate():
            keys = [f"`{key}`" for key in relation.keys]
            if relation.period is not None:
                keys.append(f"{_period(relation.period)} of {relation.time}")
            by = f" by {', '.join(keys)}" if keys else ""
            return f"aggregate {', '.join(map(_measure, relation.measures)) or 'nothing'}{by}"
        case Extend():
            return f"extend {', '.join(f'`{name}` = {expr_text(expr)}' for name, expr in relation.items)}"
        case Select():
            return f"select {', '.join(relation.names)}"
        case Sort():
            keys = [f"{key.column.name}{' desc' if key.descending else ''}" for key in relation.keys]
            return f"sort {', '.join(keys)}"
        case Limit():
            skipped = f" offset {_number(relation.offset)}" if relation.offset != 0 else ""
            return f"limit {_number(relation.count)}{skipped}"
        case Latest():
            return f"latest by {', '.join(relation.keys)} of {', '.join(relation.order)}"


def _column(column: ScanColumn) -> str:
    source = f"{column.link.key}->{column.stored}" if column.link is not None else column.stored
    source += f"[{column.entry}]" if column.entry is not None else ""
    return column.name if source == column.name else f"{column.name} = {source}"


def _measure(measure: Measure) -> str:
    inner = expr_text(measure.operand) if measure.operand is not None else ""
    where = f" where {expr_text(measure.where)}" if measure.where is not None else ""
    word = "earliest" if measure.function == "first" else "latest"
    order = f" {word} by {', '.join(measure.order)}" if measure.order else ""
    weight = f" weighed by {expr_text(measure.weight)}" if measure.weight is not None else ""
    rank = f"{measure.rank}% of " if measure.rank is not None else ""
    return f"`{measure.name}` = {measure.function}({rank}{inner}){where}{order}{weight}"


def _period(period: Period | Buckets) -> str:
    match period:
        case Period(count, unit, fill):
            return f"{count}{unit}{' filled' if fill else ''}"
        case Buckets(edges, filled):
            more = f", {filled} filled" if filled else ""
            return f"{len(edges) - 1} buckets from {edges[0]} to {edges[-1]}{more}"


def _number(number: int | Parameter) -> str:
    return expr_text(number) if isinstance(number, Parameter) else str(number)


def _point(point: Point) -> str:
    match point:
        case Ago(count, unit):
            return f"{count}{unit} ago"
        case Moment():
            day = f"{point.year or '????'}-{point.month:02}-{point.day:02}"
            clock = f" {point.hour:02}:{point.minute:02}:{point.second:02}" if point.hour is not None else ""
            return day + clock + ("" if point.zone is None else "Z" if point.zone == 0 else f"{point.zone:+}min")


def _nulls(null_is_value: bool) -> str:
    return " (null is a value)" if null_is_value else ""


def _type(kind: str, real: bool) -> str:
    return f"real {kind}" if real else kind
