"""Metrics: the expressions of `compute` and `summarize`, as measures over rows and arithmetic over measures.

In: one expression a name. Out: an expression over measure columns; the measures themselves collect in `Metrics`.
Invariant: every path stands inside an aggregate, so that an expression has one value a group. How sampled metrics are
weighed is decided in `nql.semantics.metrics`.
"""

from __future__ import annotations

from nql.datatypes import STRING, Kind
from nql.functions import FUNCTIONS, Role, result_type
from nql.plan.expressions import Column, Expr, Literal
from nql.plan.relations import Measure
from nql.semantics.arithmetic import negative
from nql.semantics.conditions import condition
from nql.semantics.fields import Value, field_value, meaning, value_of
from nql.semantics.infer import not_a_number, operation, scalar, unknown_function
from nql.semantics.literals import number
from nql.semantics.metrics import smart
from nql.semantics.names import FieldRef, ObjectRef
from nql.semantics.problems import Reported, replacements
from nql.semantics.scope import Alias, Rows, State
from nql.syntax import ast


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
                message = f"${node.name} cannot stand here: parameters are for the values of where."
                raise problems.error("NQL407", message, node.span)
            case _:
                raise problems.error(
                    "NQL411", f"{self.clause} takes numbers and aggregates, such as count().", node.span
                )

    def _bare(self, node: ast.Path) -> Reported:
        problems = self.state.problems
        if node.text.lower() in self.defined and node.text.lower() not in self.state.aliases:
            message = f"{node.text} is defined by this same {self.clause} and cannot be used in it."
            return problems.error(
                "NQL423", message, node.span, "Repeat its expression, or use the name in a later clause."
            )
        value = value_of(self.state, node)
        functions = ["sum", "avg", "max"] if value.dtype.numeric else ["last", "count"]
        fixes = replacements(node.span, [f"{node.text}.{name}()" for name in functions])
        return problems.error(
            "NQL424", f"{node.text} has many values here: say how to sum them up.", node.span, fixes=fixes
        )

    def _call(self, node: ast.Call) -> Expr:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise unknown_function(self.state, node)
        if function.role is Role.AGGREGATE:
            if isinstance(node.target, ast.Call):
                message = "An aggregate cannot stand on another aggregate."
                raise self.state.problems.error("NQL412", message, node.span, "Only time_elapsed() may follow one.")
            return self._aggregate(node)
        if function.name == "time_elapsed" and isinstance(node.target, ast.Call):
            self._direct = ""
            inner = self._call(node.target)
            return scalar(self.state, node, Value(inner, "", "")).expr
        message = f"{node.function}() cannot stand in {self.clause}."
        hint = "Use it in list or where." if function.role is Role.SCALAR else "Use it in list."
        if function.name == "time_elapsed" and isinstance(node.target, ast.Path):
            message, hint = "time_elapsed() needs one moment here.", f"Write {node.target.text}.last().time_elapsed()."
        raise self.state.problems.error("NQL413", message, node.span, hint)

    def _aggregate(self, node: ast.Call) -> Expr:
        state, function = self.state, FUNCTIONS[node.function]
        where = self._condition(node, needed=function.condition)
        if node.target is None:
            if not function.alone:
                message = f"{node.function}() needs a field before it: field.{node.function}()."
                raise state.problems.error("NQL312", message, node.span)
            return self._measure("rows", None, where)
        assert isinstance(node.target, ast.Path)
        target = meaning(state, node.target)
        if isinstance(target, ObjectRef):
            return self._objects(node, target, where)
        if node.function == "countif":
            message = "countif() counts rows or objects: countif(...) or device.countif(...)."
            raise state.problems.error("NQL414", message, node.span)
        return self._values(node, node.target, target, where)

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
        if node.function not in ("count", "countif"):
            fields = " or ".join(f"{target.table.record}.{name}" for name in target.table.default[:2])
            message = f"{node.function}() needs a field, not an object."
            raise self.state.problems.error("NQL414", message, node.span, f"Such as {fields}.")
        if target.link is None and self.rows.events:
            return self._measure("rows", None, where)
        key = self.rows.hidden(target.link.key) if target.link is not None else self.rows.identity()
        return self._measure("distinct", key, where)

    def _values(self, node: ast.Call, path: ast.Path, target: Alias | FieldRef, where: Expr | None) -> Expr:
        name = node.function
        if isinstance(target, FieldRef) and target.sampled_gauge and target.component is None:
            self._direct = self._direct if name != "avg" else ""
            result = smart(self.rows, target, name, lambda function, part: self._measure(function, part, where))
            if result is not None:
                return result
            message = f"{name}() of a sampled metric is not supported yet."
            fixes = replacements(path.span, [f"{path.text}.avg"])
            raise self.state.problems.error("NQL415", message, node.span, "Use it on the mean of each sample.", fixes)
        if isinstance(target, Alias) or self.state.summary is not None:
            value = value_of(self.state, path)
        else:
            value = field_value(self.state, self.rows, target, path)
        if value.dtype.kind not in FUNCTIONS[name].operands:
            kind = value.dtype.kind.value.replace("_", " ")
            raise self.state.problems.error("NQL414", f"{name}() is not defined for {kind}.", node.span)
        if name == "count":
            counts = isinstance(target, Alias) or target.field.metric is not None
            return self._measure("count" if counts else "distinct", value.expr, where)
        return self._measure(name, value.expr, where)

    def _measure(self, function: str, operand: Expr | None, where: Expr | None = None) -> Column:
        """The column of a measure; the same measure is computed once."""
        dtype = result_type(function, operand.dtype if operand is not None else None)
        order = self._latest() if function == "last" else ()
        for known in self.measures:
            if (known.function, known.operand, known.where, known.order) == (function, operand, where, order):
                return Column(known.name, known.dtype)
        name = self._direct or f"@{self.state.measures}"
        self.state.measures += not self._direct
        self._direct = ""
        self.measures.append(Measure(name, function, operand, dtype, where, order))
        return Column(name, dtype)

    def _latest(self) -> tuple[str, ...]:
        """What tells which row is the latest: its time, then its arrival."""
        rows = self.rows
        names = [rows.identity().name]
        item = rows.table.fields.get(rows.table.time or "last_seen")
        if item is not None and item.dtype.kind is Kind.DATETIME:
            names.insert(0, rows.stored(item.name, item.dtype).name)
        return tuple(names)
