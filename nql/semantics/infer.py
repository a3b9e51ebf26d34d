"""Values of one row: names, scalar functions and arithmetic, with their types.

In: an expression of `where`, `list` or `sort`. Out: a `Value`. Invariant: nothing here looks at more than one row; an
aggregate is an error that says where it belongs. Comparisons are `nql.semantics.conditions`, aggregates
`nql.semantics.aggregates`.
"""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from nql.datatypes import BOOLEAN, DURATION, FLOAT, STRING, VERSION, DataType, Kind
from nql.diagnostics import Fix, Span
from nql.functions import FUNCTIONS, SCALARS, Role, function_named
from nql.plan.expressions import Arithmetic, Call, Expr, Literal, Now
from nql.plan.windows import Past
from nql.semantics.arithmetic import combine, negative
from nql.semantics.fields import Value, value_of
from nql.semantics.literals import number, parameter
from nql.semantics.names import label
from nql.semantics.problems import Problems, Reported, did_you_mean, replacements
from nql.semantics.rowwise import choice, of_value
from nql.semantics.scope import State
from nql.semantics.times import needs_clock
from nql.syntax import ast


def row_value(state: State, node: ast.Expr, clause: str) -> Value:
    """The value of an expression over one row. Raises Reported."""
    node = as_alias(state, node)
    match node:
        case ast.Path():
            return value_of(state, node)
        case ast.Call():
            return _call(state, node, clause)
        case ast.Binary(op, left, right):
            state.extension("row_arithmetic", node.span)
            one, two = _operands(state, left, right, clause)
            computed = one.computed or two.computed
            return _written(state, node, operation(state.problems, op, one.expr, two.expr, node.span), computed)
        case ast.Negative(operand):
            if not isinstance(operand, ast.Number):
                state.extension("row_arithmetic", node.span)
            value = row_value(state, operand, clause)
            turned = negative(value.expr)
            if turned is None:
                raise not_a_number(state.problems, value.expr, operand.span)
            return _written(state, node, turned, value.computed)
        case ast.Number():
            return _written(state, node, number(state.problems, node, state.rules))
        case ast.Text(text):
            return _written(state, node, Literal(text, STRING))
        case ast.Constant(value=bool(flag)):
            return _written(state, node, Literal(flag, BOOLEAN))
        case ast.Version(text):
            return _written(state, node, Literal(text, VERSION))
        case ast.Parameter():
            return given(state, node, STRING)
        case ast.Items():
            raise state.problems.error("NQL110", "A list can only stand after in.", node.span)
        case _:
            raise state.problems.error("NQL310", "A value is expected here, not a condition.", node.span)


def _operands(state: State, left: ast.Expr, right: ast.Expr, clause: str) -> tuple[Value, Value]:
    """Both sides of an operator; a parameter is of the type of what stands beside it."""
    if isinstance(left, ast.Parameter):
        other = row_value(state, right, clause) if not isinstance(right, ast.Parameter) else given(state, right, FLOAT)
        return given(state, left, _beside(other.dtype)), other
    one = row_value(state, left, clause)
    if isinstance(right, ast.Parameter):
        return one, given(state, right, _beside(one.dtype))
    return one, row_value(state, right, clause)


def _beside(dtype: DataType) -> DataType:
    """The type of a parameter beside a value: a number may have a fraction, and times are moved by durations."""
    if dtype.kind is Kind.DATETIME:
        return DURATION
    return FLOAT if dtype.kind is Kind.INT else dtype


def given(state: State, node: ast.Parameter, dtype: DataType) -> Value:
    """A parameter as a value of a type. Raises Reported under strict rules: there it is a value of where alone."""
    if state.rules.strict:
        message = f"${node.name} cannot stand here: parameters are for the values of where."
        raise state.problems.error("NQL407", message, node.span)
    return Value(parameter(state, node, dtype), f"${node.name}", f"${node.name}")


def as_alias(state: State, node: ast.Expr) -> ast.Expr:
    """The node; a version such as `v1` is a name where the query gave that name."""
    if isinstance(node, ast.Version) and f"v{node.text}".lower() in state.aliases:
        return ast.Path(f"v{node.text}", node.span)
    return node


def operation(problems: Problems, op: str, left: Expr, right: Expr, span: Span) -> Expr:
    """Typed arithmetic. Raises Reported."""
    result = combine(op, left, right)
    if result is None:
        one, two = left.dtype.kind.value.replace("_", " "), right.dtype.kind.value.replace("_", " ")
        raise problems.error("NQL309", f"{op} is not defined between {one} and {two}.", span)
    return result


def not_a_number(problems: Problems, expr: Expr, span: Span) -> Reported:
    """Records that arithmetic needs a number."""
    kind = expr.dtype.kind.value.replace("_", " ")
    return problems.error("NQL309", f"A number is needed here, not {kind}.", span)


def scalar(state: State, node: ast.Call, value: Value) -> Value:
    """A scalar function of a value. Raises Reported for a wrong operand, argument or precision of time."""
    if value.dtype.kind is not Kind.DATETIME:
        kind = value.dtype.kind.value.replace("_", " ")
        message = f"{node.function}() works on date and time, not on {kind}."
        raise state.problems.error("NQL311", message, node.name_span)
    shown = f"{value.header}.{node.function}()"
    if node.function == "time_elapsed":
        if node.arguments:
            raise state.problems.error("NQL312", "time_elapsed() takes nothing in its brackets.", node.span)
        elapsed = Arithmetic("-", Now(), value.expr, DURATION)
        return Value(elapsed, shown, f"{value.label} → {label(node.function)}", value.computed)
    if node.function == "hour":
        _clock_precise(state, node)
    zone = named(state, node).get("timezone")
    if zone is not None and not known_zone(zone[0]):
        raise state.problems.error("NQL313", f"There is no time zone {zone[0]}.", zone[1], "Write 'Europe/Zurich'.")
    expr = Call(node.function, value.expr, SCALARS[node.function].dtype, zone[0] if zone else None)
    return Value(expr, shown, f"{value.label} → {label(node.function)}", value.computed)


def named(state: State, node: ast.Call) -> dict[str, tuple[str, Span]]:
    """The named arguments of a call as text, with their places. Raises Reported for one that is not known."""
    allowed = FUNCTIONS[node.function].named
    found: dict[str, tuple[str, Span]] = {}
    for argument in node.arguments:
        match argument:
            case ast.Comparison("==", ast.Path(name), ast.Text(value) | ast.Path(value)) if name.lower() in allowed:
                found[name.lower()] = (value, argument.right.span)
            case _:
                usage = FUNCTIONS[node.function].signature
                raise state.problems.error("NQL312", f"{node.function}() does not take this.", argument.span, usage)
    return found


@lru_cache(maxsize=1024)
def known_zone(name: str) -> bool:
    """Whether a time zone of this name exists."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def unknown_function(state: State, node: ast.Call) -> Reported:
    """Records that there is no such function."""
    words = state.problems.close(node.function, FUNCTIONS)
    message = f"There is no function {node.function}()."
    return state.problems.error(
        "NQL207", message, node.name_span, did_you_mean(words), replacements(node.name_span, words)
    )


def _call(state: State, node: ast.Call, clause: str) -> Value:
    function = function_named(node.function)
    if function is None:
        raise unknown_function(state, node)
    if function.role is Role.AGGREGATE:
        raise _aggregate_here(state, node, clause)
    if function.role is Role.FORMAT:
        raise state.problems.error(
            "NQL408", "as() can only stand at the end of a column of list or sort.", node.name_span
        )
    if function.extension:
        state.extension(function.extension, node.name_span)
    if node.function == "if":
        return _choice(state, node, clause)
    if node.target is None:
        message = f"{node.function}() needs a value before it: {function.signature}."
        raise state.problems.error("NQL312", message, node.name_span)
    value = row_value(state, node.target, clause)
    return of_value(state, node, value) if function.extension else scalar(state, node, value)


def _choice(state: State, node: ast.Call, clause: str) -> Value:
    if node.target is not None or len(node.arguments) != 3:
        message = "if() takes a condition and two values."
        raise state.problems.error("NQL312", message, node.span, FUNCTIONS["if"].signature)
    test, *values = node.arguments
    predicate = state.condition(state, test, clause)
    null = ast.Constant(None)
    return choice(
        state, node, predicate, *(None if value == null else row_value(state, value, clause) for value in values)
    )


def _aggregate_here(state: State, node: ast.Call, clause: str) -> Reported:
    fixes: tuple[Fix, ...] = ()
    hint = "Give it a name in compute or summarize first, then use that name."
    if (
        isinstance(node.target, ast.Path)
        and node.function in ("avg", "sum", "count", "min", "max")
        and not node.arguments
    ):
        found = state.names.find(state.current.table, f"{node.target.text}.{node.function}")
        if found is not None:
            plain = f"{node.target.text}.{node.function}"
            fixes = (Fix(f"Use {plain} of each sample", node.span, plain),)
    message = f"{node.function}() looks at many rows and cannot stand in {clause}."
    return state.problems.error("NQL401", message, node.span, hint, fixes)


def _clock_precise(state: State, node: ast.Call) -> None:
    rows = state.current
    if rows.events:
        needs_clock(state, rows)
    if not (rows.events and rows.day_precise):
        return
    fixes: tuple[Fix, ...] = ()
    window = rows.window
    if isinstance(window, Past):
        written = state.written(rows.span)
        hours = f"{window.count * 24}h"
        past = written.rfind("past")
        fixes = (
            (Fix(f"Use past {hours}", Span(rows.span.start + past, rows.span.end), f"past {hours}"),)
            if past >= 0
            else ()
        )
    message = "hour() needs a time selection in hours or minutes."
    raise state.problems.error("NQL404", message, node.name_span, "Selections in days read whole days.", fixes)


def _written(state: State, node: ast.Expr, expr: Expr, computed: bool = False) -> Value:
    text = " ".join(state.written(node.span).split())
    return Value(expr, text, text, computed)
