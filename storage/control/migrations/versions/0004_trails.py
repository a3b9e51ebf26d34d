"""Trails of devices, by which two machines with one identity are told apart.

In: a database of the third schema. Out: two columns more. Devices that were enrolled before have no trail yet, and
begin one when they next come.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.add_column("devices", sa.Column("step", sa.Text(), nullable=True))
    op.add_column("devices", sa.Column("cloned_at", sa.BigInteger(), nullable=True))
