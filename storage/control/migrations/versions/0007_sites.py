"""Sites as clients of the classic APIs see them: where they answer, which roles may use them, what they have to take.

In: a database of the sixth schema. Out: columns and a table more. Devices that were enrolled before belong to the
standard site, as they did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    for name in ("address", "description", "zone", "machine"):
        op.add_column("sites", sa.Column(name, sa.Text(), nullable=True))
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("sites", sa.Column("port", number, nullable=True))
    op.add_column("roles", sa.Column("sites", sa.Text(), nullable=True))
    op.create_table(
        "site_orders",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_site_orders_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_orders")),
    )
    waiting = sa.text("taken_at IS NULL")
    op.create_index("ix_site_orders_waiting", "site_orders", ["site"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index("ix_site_orders_run", "site_orders", ["run"])
