"""Statements that run thousands of times a second: built once, compiled once for a dialect, given to the driver.

In: a statement of SQLAlchemy made at import, with named parameters; then a connection and their values. Out: rows as
named tuples, or how many rows were changed. Invariants: the text comes from SQLAlchemy's compiler for the dialect in
use, and values go in and out by its types, so nothing here is SQLite's alone; what the driver raises is raised as
SQLAlchemy raises it; a transaction is begun as SQLAlchemy begins it. What is asked seldom needs none of this.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Dialect, Insert, Select, Text, Update, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

Statement = Select[Any] | Insert | Update | Delete
Convert = Callable[[Any], Any]


class Prepared:
    """One statement. `columns` are those that an INSERT or UPDATE sets, by parameters of the same names."""

    def __init__(self, statement: Statement, columns: Sequence[str] | None = None) -> None:
        self._statement, self._columns = statement, columns
        self._made: dict[str, _Made] = {}

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """The rows."""
        made = self._for(connection)
        return made.rows(made.execute(connection, values).fetchall())

    def first(self, connection: Connection, **values: Any) -> Any:
        """The first row, None if there is none."""
        made = self._for(connection)
        cursor = made.execute(connection, values)
        row = cursor.fetchone()
        cursor.close()  # what is not read to its end would hold its instant open
        return None if row is None else made.rows([row])[0]

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Do it; how many rows it changed."""
        return int(self._for(connection).execute(connection, values).rowcount)

    def many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Do it for each of these values."""
        self._for(connection).execute_many(connection, rows)

    def _for(self, connection: Connection) -> _Made:
        made = self._made.get(connection.dialect.name)
        if made is None:
            made = self._made[connection.dialect.name] = _Made(self._statement, self._columns, connection.dialect)
        return made


def among(column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Whether a column has one of a few values that never change."""
    return or_(*(column == value for value in values))


class _Texts(GenericFunction[str]):
    """The texts of a JSON array, as rows with the one column `value`."""

    type = Text()
    inherit_cache = True
    name = "muster_texts"


@compiles(_Texts, "sqlite")
def _each(element: _Texts, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Texts, "postgresql")
def _elements(element: _Texts, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS JSON))"


def texts(array: ColumnElement[str] | str) -> Select[tuple[str]]:
    """Any number of texts as rows, from one parameter: the JSON text of an array."""
    return select(_Texts(array).table_valued("value").c.value)


def say(connection: Connection, command: str) -> None:
    """A command without values, such as one about a savepoint."""
    try:
        connection.connection.cursor().execute(command)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _raised(connection, command, error) from error


def _raised(connection: Connection, text: str, error: Exception) -> BaseException:
    dialect = connection.dialect
    driver: Any = connection.connection.dbapi_connection
    if lost := dialect.is_disconnect(error, driver, None):  # type: ignore[arg-type]  # any error of the driver
        connection.invalidate(error)  # whoever begins with it next has a new one
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        text, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    )


class _Made:
    """A statement as one dialect has it."""

    def __init__(self, statement: Statement, columns: Sequence[str] | None, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=None if columns is None else list(columns))
        self._dialect, self._text = dialect, compiled.string
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._order: list[str] | None = compiled.positiontup
        kinds = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
        self._in = {name: found for name, kind in kinds.items() if (found := kind.bind_processor(dialect))}
        out = list(statement.selected_columns) if isinstance(statement, Select) else []
        self._row: Any = namedtuple("Row", [column.key for column in out]) if out else tuple  # type: ignore[misc]
        self._out = [
            (place, found)
            for place, column in enumerate(out)
            if (found := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        cursor = self._cursor(connection)
        try:
            cursor.execute(self._text, self._given(values))
        except self._dialect.loaded_dbapi.Error as error:
            raise _raised(connection, self._text, error) from error
        return cursor

    def execute_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        cursor = self._cursor(connection)
        try:
            cursor.executemany(self._text, [self._given(values) for values in rows])
        except self._dialect.loaded_dbapi.Error as error:
            raise _raised(connection, self._text, error) from error

    def rows(self, found: list[Any]) -> list[Any]:
        make = self._row._make
        if not self._out:
            return [make(row) for row in found]
        made = []
        for row in found:
            values = list(row)
            for place, convert in self._out:
                values[place] = convert(values[place])
            made.append(make(values))
        return made

    def _cursor(self, connection: Connection) -> Any:
        if not connection.in_transaction():
            connection.begin()
        return connection.connection.cursor()

    def _given(self, values: Mapping[str, Any]) -> Any:
        if self._fixed:
            values = {**self._fixed, **values}
        if self._in:
            values = {name: self._in[name](value) if name in self._in else value for name, value in values.items()}
        return values if self._order is None else [values[name] for name in self._order]
