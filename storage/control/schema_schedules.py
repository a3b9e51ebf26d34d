"""The tables of schedules: what fires when, what fired, who may fire, and what devices run on their own clock.

The rules of `schema` hold here. Each table is written by the one module named above it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from storage.control.columns import Number, instant, metadata, text_column

# --- schedules.py ------------------------------------------------------------------------------
schedules = Table(
    "schedules",
    metadata,
    Column("nql_id", Text, primary_key=True),  # with its leading '#'
    text_column("name"),
    text_column("definition"),  # JSON: action, parameters, target, cadence, zone, jitter, missed, ends_at, plan
    Column("local", Boolean, nullable=False),  # runs on the device's clock
    Column("owner", Text, ForeignKey("accounts.id"), nullable=False),
    Column("revision", Number, nullable=False),
    Column("enabled", Boolean, nullable=False),
    instant("next_at"),  # None: never again
    instant("created_at", null=False),
    instant("updated_at", null=False),
    text_column("updated_by"),
    Index("ix_schedules_next", "next_at"),
)
firings = Table(
    "firings",
    metadata,
    Column("schedule", Text, ForeignKey("schedules.nql_id"), nullable=False),
    instant("due_at", null=False),
    instant("fired_at", null=False),
    Column("token", BigInteger, nullable=False),  # of the lease under which it fired
    text_column("outcome"),  # run | empty | skipped | stopped | failed
    text_column("run", null=True),
    text_column("detail", null=True),
    PrimaryKeyConstraint("schedule", "due_at"),
)
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    text_column("holder"),
    Column("token", BigInteger, nullable=False),  # grows with each holder: a fencing token
    instant("until", null=False),
)
local_schedules = Table(  # which device follows which local schedule, and how it goes there
    "local_schedules",
    metadata,
    Column("schedule", Text, ForeignKey("schedules.nql_id"), nullable=False),
    Column("device", Text, nullable=False),
    Column("assigned", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),  # of the last result that was taken
    text_column("status"),  # active | failing | silent | removed
    text_column("detail", null=True),
    instant("changed_at", null=False),
    Column("failures", Number, nullable=False, server_default="0"),  # in a row, up to now
    PrimaryKeyConstraint("schedule", "device"),
    Index("ix_local_schedules_device", "device"),
)
