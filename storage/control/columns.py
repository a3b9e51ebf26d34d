"""What all tables of the control database are made of: the one metadata, and columns of the kinds there are.

In: names. Out: SQLAlchemy columns. Invariant: an instant is microseconds since 1970 in UTC; every table belongs to the
one `metadata`, whichever of the `schema` files it stands in.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Serial = BigInteger().with_variant(Integer(), "sqlite")


def instant(name: str, *, null: bool = True) -> Column[int]:
    """A time."""
    return Column(name, BigInteger, nullable=null)


def text_column(name: str, *, null: bool = False, unique: bool | None = None) -> Column[str]:
    """A text."""
    return Column(name, Text, nullable=null, unique=unique)
