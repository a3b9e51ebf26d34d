"""Metrics: the expressions of `compute` and `summarize`, as measures over rows and arithmetic over measures.

In: one expression a name. Out: an expression over measure columns; the measures themselves collect in `Metrics`.
Invariant: every path stands inside an aggregate, so that an expression has one value a group. How sampled metrics are
weighed is decided in `nql.semantics.metrics`.
"""

from __future__ import annotations

from nql.datatypes import FLOAT, STRING, Kind
from nql.functions import FUNCTIONS, MEASURES, Function, Role, function_named, percentile_rank, result_type
from nql.plan.expressions import Column, Expr, Literal
from nql.plan.relations import Measure
from nql.semantics.arithmetic import negative
from nql.semantics.conditions import condition
from nql.semantics.fields import Value, field_value, meaning, value_of
from nql.semantics.infer import given, not_a_number, operation, row_value, scalar, unknown_function
from nql.semantics.literals import number
from nql.semantics.metrics import smart
from nql.semantics.names import FieldRef, ObjectRef
from nql.semantics.problems import Reported, replacements
from nql.semantics.rowwise import of_value
from nql.semantics.scope import Alias, Rows, State
from nql.syntax import ast

_MEASURED = frozenset({Kind.FLOAT, Kind.PERCENTAGE, Kind.DURATION, Kind.BYTES})  # kinds of values that events measure


def sums_up(node: ast.Expr) -> bool:
    """Whether an aggregate stands in an expression."""
    if isinstance(node, ast.Call):
        function = function_named(node.function)
        if function is not None and function.role is Role.AGGREGATE:
            return True
    return any(map(sums_up, ast.inside(node)))


class Metrics:
    """The measures of one `compute` or `summarize`, and the expressions over them."""

    __slots__ = ("_direct", "clause", "defined", "measures", "rows", "state")

    def __init__(self, state: State, clause: str, defined: frozenset[str]) -> None:
        self.state = state
        self.clause = clause
        self.defined = defined
        self.rows: Rows = state.current
        self.measures: list[Measure] = []
        self._direct = ""

    def item(self, node: ast.Expr, column: str) -> Expr:
        """The value of one name; a lone measure is called `column` itself. Raises Reported."""
        self._direct = column if isinstance(node, ast.Call) else ""
        expr = self._metric(node)
        self._direct = ""
        return expr

    def _metric(self, node: ast.Expr) -> Expr:
        problems = self.state.problems
        match node:
            case ast.Call():
                return self._call(node)
            case ast.Binary(op, left, right):
                return operation(problems, op, self._metric(left), self._metric(right), node.span)
            case ast.Negative(operand):
                value = self._metric(operand)
                turned = negative(value)
                if turned is None:
                    raise not_a_number(problems, value, operand.span)
                return turned
            case ast.Number():
                return number(problems, node, self.state.rules)
            case ast.Text(text):
                return Literal(text, STRING)
            case ast.Path():
                raise self._bare(node)
            case ast.Parameter():
                return given(self.state, node, FLOAT).expr
            case _:
                raise problems.error(
                    "NQL411", f"{self.clause} takes numbers and aggregates, such as count().", node.span
                )

    def _known(self, node: ast.Path) -> None:
        """A name is known in later clauses only. Raises Reported for one of this very clause, unless a field has it."""
        name, state = node.text.lower(), self.state
        tables = (state.current.table, state.root.table)
        if name in self.defined and name not in state.aliases and not any(state.names.find(t, name) for t in tables):
            message = f"{node.text} is defined by this same {self.clause} and cannot be used in it."
            hint = "Repeat its expression, or use the name in a later clause."
            raise state.problems.error("NQL423", message, node.span, hint)

    def _bare(self, node: ast.Path) -> Reported:
        problems = self.state.problems
        self._known(node)
        value = value_of(self.state, node)
        functions = ["sum", "avg", "max"] if value.dtype.numeric else ["last", "count"]
        words, hint = [f"{node.text}.{name}()" for name in functions], ""
        if value.ref is not None and value.ref.component is not None:
            words.insert(0, f"{node.text}()")
            hint = f"Without brackets it is the {value.ref.component} of one sample, with them that of all."
        message = f"{node.text} has many values here: say how to sum them up."
        return problems.error("NQL424", message, node.span, hint, replacements(node.span, words))

    def _call(self, node: ast.Call) -> Expr:
        function = function_named(node.function)
        if function is None:
            raise unknown_function(self.state, node)
        if function.extension:
            self.state.extension(function.extension, node.name_span)
        if function.role is Role.AGGREGATE:
            if node.target is not None and sums_up(node.target):
                message = "An aggregate cannot stand on another aggregate."
                raise self.state.problems.error("NQL412", message, node.span, "Only time_elapsed() may follow one.")
            return self._aggregate(node, function)
        if function.extension and function.role is Role.SCALAR and node.target is not None:
            self._direct = ""
            return of_value(self.state, node, Value(self._metric(node.target), "", "")).expr
        if function.name == "time_elapsed" and isinstance(node.target, ast.Call):
            self._direct = ""
            inner = self._call(node.target)
            return scalar(self.state, node, Value(inner, "", "")).expr
        message = f"{node.function}() cannot stand in {self.clause}."
        hint = "Use it in list or where." if function.role is Role.SCALAR else "Use it in list."
        if function.name == "time_elapsed" and isinstance(node.target, ast.Path):
            message, hint = "time_elapsed() needs one moment here.", f"Write {node.target.text}.last().time_elapsed()."
        raise self.state.problems.error("NQL413", message, node.span, hint)

    def _aggregate(self, node: ast.Call, function: Function) -> Expr:
        state = self.state
        where = self._condition(node, needed=function.condition)
        if node.target is None:
            if not function.alone:
                message = f"{node.function}() needs a field before it: field.{node.function}()."
                raise state.problems.error("NQL312", message, node.span)
            return self._measure("rows", None, where)
        if not isinstance(node.target, ast.Path):
            return self._of_rows(node, node.target, where, function)
        self._known(node.target)
        target = meaning(state, node.target)
        if isinstance(target, ObjectRef):
            return self._objects(node, target, where)
        if node.function == "countif":
            message = "countif() counts rows or objects: countif(...) or device.countif(...)."
            raise state.problems.error("NQL414", message, node.span)
        if isinstance(target, FieldRef) and state.summary is None and _held_in_parts(target):
            return self._smart(node, node.target, target, where)
        return self._values(node, node.target, target, where, function)

    def _condition(self, node: ast.Call, *, needed: bool) -> Expr | None:
        if not needed and not node.arguments:
            return None
        if not needed:
            hint = "Use countif() or sumif()." if node.function in ("count", "sum") else ""
            message = f"{node.function}() takes nothing in its brackets."
            raise self.state.problems.error("NQL312", message, node.span, hint)
        if len(node.arguments) != 1:
            message = f"{node.function}() takes one condition."
            raise self.state.problems.error("NQL312", message, node.span, FUNCTIONS[node.function].example)
        direct, self._direct = self._direct, ""
        predicate = condition(self.state, node.arguments[0], self.clause)
        self._direct = direct
        return predicate

    def _objects(self, node: ast.Call, target: ObjectRef, where: Expr | None) -> Expr:
        if self.state.summary is not None:
            message = f"The rows of a summary are no {target.table.name.rpartition('.')[2]}."
            raise self.state.problems.error("NQL208", message, node.span, "count() counts the rows of the summary.")
        if node.function not in ("count", "countif"):
            fields = " or ".join(f"{target.table.record}.{name}" for name in target.table.default[:2])
            message = f"{node.function}() needs a field, not an object."
            raise self.state.problems.error("NQL414", message, node.span, f"Such as {fields}.")
        if target.link is None and self.rows.events:
            return self._measure("rows", None, where)
        key = self.rows.hidden(target.link.key) if target.link is not None else self.rows.identity()
        return self._measure("distinct", key, where)

    def _smart(self, node: ast.Call, path: ast.Path, target: FieldRef, where: Expr | None) -> Expr:
        """An aggregate of a sampled metric."""
        name = node.function
        self._direct = self._direct if name != "avg" else ""

        def measure(function: str, operand: Expr, *, weight: Expr | None = None) -> Expr:
            return self._measure(function, operand, where, weight)

        result = smart(self.rows, target, name, measure)
        if result is not None:
            return result
        message = f"{name}() of a sampled metric is not known: samples hold sum, count, min and max."
        fixes = replacements(path.span, [f"{path.text}.avg"])
        raise self.state.problems.error("NQL415", message, node.span, "Use it on the mean of each sample.", fixes)

    def _of_rows(self, node: ast.Call, target: ast.Expr, where: Expr | None, function: Function) -> Expr:
        """An aggregate of what is computed from each row."""
        value = row_value(self.state, target, self.clause)
        self._check_kind(node, value.dtype.kind, function)
        return self._measure("distinct" if function.name == "count" else function.name, value.expr, where)

    def _check_kind(self, node: ast.Call, kind: Kind, function: Function) -> None:
        if kind not in function.operands:
            strict = self.state.rules.strict
            known = [one for one in FUNCTIONS.values() if _stands_on(one, kind) and not (strict and one.extension)]
            others = ", ".join(f"{one.name}()" for one in known)
            message = f"{function.name}() is not defined for {kind.value.replace('_', ' ')}."
            raise self.state.problems.error("NQL414", message, node.span, f"There are {others}.")
        if self.state.summary is not None and MEASURES.get(function.name, MEASURES["count"]).ordered:
            self._needs_periods(node)

    def _values(
        self, node: ast.Call, path: ast.Path, target: Alias | FieldRef, where: Expr | None, function: Function
    ) -> Expr:
        """An aggregate of an alias, a component or a plain field."""
        if isinstance(target, Alias) or self.state.summary is not None:
            value = value_of(self.state, path)
        else:
            value = field_value(self.state, self.rows, target, path)
        kind = value.dtype.kind
        self._check_kind(node, kind, function)
        if function.name == "count":
            return self._measure("distinct" if self._distinct(target, kind) else "count", value.expr, where)
        return self._measure(function.name, value.expr, where)

    def _distinct(self, target: Alias | FieldRef, kind: Kind) -> bool:
        """Whether count() counts different values: of properties, but not of metrics or of names the query gave."""
        if isinstance(target, Alias) or kind in (Kind.MAP, Kind.OBJECTS):
            return False
        return target.field.metric is None and not (self.rows.events and kind in _MEASURED and target.link is None)

    def _measure(
        self, function: str, operand: Expr | None, where: Expr | None = None, weight: Expr | None = None
    ) -> Column:
        """The column of a measure; the same measure is computed once."""
        rank = percentile_rank(function)
        name = "percentile" if rank is not None else function
        dtype = result_type(name, operand.dtype if operand is not None else None)
        order = self._order(function) if MEASURES[name].ordered else ()
        column = self._direct or f"@{self.state.measures}"
        measure = Measure(column, name, operand, dtype, where, order, weight, rank)
        for known in self.measures:
            if known.value == measure.value:
                return Column(known.name, dtype)
        self.state.measures += not self._direct
        self._direct = ""
        self.measures.append(measure)
        return Column(column, dtype)

    def _needs_periods(self, node: ast.Call) -> None:
        """Rows of a summary have an order in time only where each is a period of its own. Raises Reported."""
        summary = self.state.summary
        if summary is None or summary.keys or all(shown.column.name != "start_time" for shown in summary.shown):
            message = f"{node.function}() needs rows with a time of their own."
            hint = "After summarize it works where only a period stands after by."
            raise self.state.problems.error("NQL414", message, node.span, hint)

    def _order(self, function: str) -> tuple[str, ...]:
        """What tells which row is the latest or oldest: its time, then its arrival."""
        if self.state.summary is not None:
            return ("start_time",)
        rows = self.rows
        names = [rows.identity().name]
        item = rows.table.fields.get(rows.table.time or ("last_seen" if function == "last" else "first_seen"))
        if item is not None and item.dtype.kind is Kind.DATETIME:
            names.insert(0, rows.stored(item.name, item.dtype).name)
        return tuple(names)


def _held_in_parts(ref: FieldRef) -> bool:
    return ref.sampled_gauge and ref.component is None


def _stands_on(function: Function, kind: Kind) -> bool:
    return function.role is Role.AGGREGATE and kind in function.operands
