"""Names that a text gives to expressions with `let`: put in wherever they are used.

In: a query as written. Out: the same query without its `let` lines. A name may stand for any expression, a list or a
whole condition too, and may use the names before it. Invariant: what is put in is bounded, however often names use
each other; diagnostics about it point to the place where it was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nql.semantics.problems import Problems
from nql.syntax import ast
from nql.syntax.operators import bounded, depth

MOST_NODES = 20_000


def without_lets(query: ast.Query, problems: Problems) -> ast.Query:
    """The query with each name replaced by its expression. Raises Reported or QueryError if that grows too large."""
    if not query.lets:
        return query
    names = _Names(problems)
    for let in query.lets:
        names.define(let)
    return replace(query, clauses=tuple(map(names.clause, query.clauses)), lets=())


@dataclass(slots=True)
class _Names:
    """The names known so far, and how much they have put in."""

    problems: Problems
    values: dict[str, ast.Expr] = field(default_factory=dict)
    nodes: int = 0

    def define(self, let: ast.Assign) -> None:
        name = let.name.text.lower()
        if "." in name or name in self.values:
            message = f"{let.name.text} is named twice." if name in self.values else "A name has no dots."
            raise self.problems.error("NQL209", message, let.name.span, "Choose another name.")
        self.values[name] = self.expr(let.value)

    def clause(self, clause: ast.Clause) -> ast.Clause:
        match clause:
            case ast.Where(condition):
                return replace(clause, condition=self.expr(condition))
            case ast.Compute(items):
                return replace(clause, items=tuple(map(self._assign, items)))
            case ast.Summarize(items, by):
                return replace(clause, items=tuple(map(self._assign, items)), by=tuple(map(self._key, by)))
            case ast.ListClause(columns):
                return replace(clause, items=tuple(map(self._column, columns)))
            case ast.Sort(keys):
                return replace(clause, items=tuple(replace(key, value=self.expr(key.value)) for key in keys))
            case ast.Latest(by):
                return replace(clause, by=tuple(map(self._path, by)))
            case _:
                return clause

    def expr(self, expr: ast.Expr) -> ast.Expr:
        """The expression with all names replaced."""
        if isinstance(expr, ast.Path):
            found = self.values.get(expr.text.lower())
            if found is None:
                return expr
            self._count(found, expr)
            return found
        parts = ast.inside(expr)
        filled = tuple(map(self.expr, parts))
        if all(one is other for one, other in zip(parts, filled, strict=True)):
            return expr
        return ast.over(expr, filled, bounded(1 + max(map(depth, filled)), expr.span))

    def _assign(self, item: ast.Assign) -> ast.Assign:
        if item.name.text.lower() in self.values:  # its uses would be those of let, never of the clause
            message = f"{item.name.text} is named by let already."
            self.problems.error("NQL209", message, item.name.span, "Choose another name.")
        return replace(item, value=self.expr(item.value))

    def _column(self, item: ast.Expr | ast.Assign) -> ast.Expr | ast.Assign:
        return self._assign(item) if isinstance(item, ast.Assign) else self.expr(item)

    def _key(self, item: ast.Path | ast.Number) -> ast.Path | ast.Number:
        found = self.expr(item)
        return found if isinstance(found, ast.Path | ast.Number) else item

    def _path(self, item: ast.Path) -> ast.Path:
        found = self.expr(item)
        return found if isinstance(found, ast.Path) else item

    def _count(self, put_in: ast.Expr, place: ast.Path) -> None:
        self.nodes += _size(put_in)
        if self.nodes > MOST_NODES:
            message = "The names of let put in more than a query can hold."
            raise self.problems.error("NQL503", message, place.span, "Use fewer names inside names.")


def _size(expr: ast.Expr) -> int:
    return 1 + sum(map(_size, ast.inside(expr)))
