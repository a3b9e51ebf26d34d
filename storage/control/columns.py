"""What all tables of the control database are made of: the one metadata, and columns of the kinds there are.

In: names. Out: SQLAlchemy columns. Invariant: an instant is microseconds since 1970 in UTC; every table belongs to the
one `metadata`, whichever of the `schema` files it stands in.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Number = Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's INTEGER has 64 bits, PostgreSQL's 32


def only_where(condition: str) -> dict[str, Any]:
    """What an index is given that holds only the rows of which this is true."""
    return {f"{dialect}_where": text(condition) for dialect in ("sqlite", "postgresql")}


def instant(name: str, *, null: bool = True) -> Column[int]:
    """A time."""
    return Column(name, BigInteger, nullable=null)


def text_column(name: str, *, null: bool = False, unique: bool | None = None) -> Column[str]:
    """A text."""
    return Column(name, Text, nullable=null, unique=unique)
