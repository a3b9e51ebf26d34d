"""Runs that can be trusted: authors, secrets, roles, waves, schedules, webhooks, presence, a chained audit log.

In: a database of the second schema. Out: tables and columns more. What was there keeps its meaning: executions may be
fetched at once, runs are running (those that are over are closed by the next tick), accounts are people without a
role.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.control.columns import only_where

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "audit_relayed",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_audit_relayed")),
    )
    op.create_table(
        "authors",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("endorsed_by", sa.Text(), nullable=True),
        sa.Column("endorsement", sa.LargeBinary(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authors")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "presence",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_presence")),
    )
    op.create_table(
        "roles",
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("folded", name=op.f("pk_roles")),
    )
    op.create_table(
        "saved_queries",
        sa.Column("nql_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("nql_id", name=op.f("pk_saved_queries")),
    )
    op.create_table(
        "vault",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_vault")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "action_signatures",
        sa.Column("nql_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("received_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["author"], ["authors.id"], name=op.f("fk_action_signatures_author")),
        sa.PrimaryKeyConstraint("nql_id", "version", "author", name=op.f("pk_action_signatures")),
    )
    op.create_table(
        "schedules",
        sa.Column("nql_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["accounts.id"], name=op.f("fk_schedules_owner")),
        sa.PrimaryKeyConstraint("nql_id", name=op.f("pk_schedules")),
    )
    op.create_index("ix_schedules_next", "schedules", ["next_at"], unique=False)
    op.create_table(
        "vault_grants",
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["secret"], ["vault.name"], name=op.f("fk_vault_grants_secret")),
        sa.PrimaryKeyConstraint("secret", "action", name=op.f("pk_vault_grants")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["webhook"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index("ix_webhook_deliveries_next", "webhook_deliveries", ["next_at"], unique=False)
    op.create_table(
        "firings",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("fired_at", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["schedule"], ["schedules.nql_id"], name=op.f("fk_firings_schedule")),
        sa.PrimaryKeyConstraint("schedule", "due_at", name=op.f("pk_firings")),
    )
    op.create_table(
        "local_schedules",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("assigned", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["schedule"], ["schedules.nql_id"], name=op.f("fk_local_schedules_schedule")),
        sa.PrimaryKeyConstraint("schedule", "device", name=op.f("pk_local_schedules")),
    )
    op.create_index("ix_local_schedules_device", "local_schedules", ["device"], unique=False)
    op.add_column("accounts", sa.Column("role", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("kind", sa.Text(), server_default="person", nullable=False))
    op.add_column("audit", sa.Column("hash", sa.LargeBinary(), nullable=True))
    op.add_column("executions", sa.Column("wave", sa.Integer(), server_default="0", nullable=False))
    op.add_column("executions", sa.Column("open_from", sa.BigInteger(), server_default="0", nullable=True))
    op.add_column("runs", sa.Column("state", sa.Text(), server_default="running", nullable=False))
    op.add_column("runs", sa.Column("plan", sa.Text(), server_default="{}", nullable=False))
    op.add_column("runs", sa.Column("wave", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("wave_at", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("state_detail", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("ended_at", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("schedule", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("retry_of", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("skipped", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_runs_state", "runs", ["state"], unique=False)
    op.add_column("executions", sa.Column("progress_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_executions_started", "executions", ["device", "started_at"], unique=False)
    op.create_index(
        "ix_executions_open_from",
        "executions",
        ["open_from"],
        unique=False,
        **only_where("open_from > 0"),
    )
    op.add_column("tokens", sa.Column("expires_at", sa.BigInteger(), nullable=True))
