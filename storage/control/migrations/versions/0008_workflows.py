"""Workflows: what they are, version by version, who asked for them, and how they go on devices.

In: a database of the seventh schema. Out: four tables more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.control.columns import Number, only_where

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "workflows",
        sa.Column("nql_id", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("triggers", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("number", Number, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("nql_id", name=op.f("pk_workflows")),
        sa.UniqueConstraint("uid", name=op.f("uq_workflows_uid")),
    )
    op.create_table(
        "workflow_versions",
        sa.Column("nql_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("number", Number, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["nql_id"], ["workflows.nql_id"], name=op.f("fk_workflow_versions_nql_id")),
        sa.PrimaryKeyConstraint("nql_id", "version", name=op.f("pk_workflow_versions")),
        sa.UniqueConstraint("nql_id", "number", name=op.f("uq_workflow_versions_number")),
    )
    _requests()
    _executions()


def _requests() -> None:
    op.create_table(
        "workflow_requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("trigger_method", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("external_source", sa.Text(), nullable=True),
        sa.Column("external_reference", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workflow"], ["workflows.nql_id"], name=op.f("fk_workflow_requests_workflow")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_requests")),
        sa.UniqueConstraint("requested_by", "idempotency_key", name=op.f("uq_workflow_requests_idempotency")),
    )
    op.create_index("ix_workflow_requests_workflow", "workflow_requests", ["workflow"], unique=False)


def _executions() -> None:
    op.create_table(
        "workflow_executions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_detail", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("moves", Number, nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["request"], ["workflow_requests.id"], name=op.f("fk_workflow_executions_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_executions")),
    )
    op.create_index("ix_workflow_executions_request", "workflow_executions", ["request"], unique=False)
    op.create_index("ix_workflow_executions_device", "workflow_executions", ["device"], unique=False)
    due, run = only_where("due_at IS NOT NULL"), only_where("run IS NOT NULL")
    op.create_index("ix_workflow_executions_due", "workflow_executions", ["due_at"], unique=False, **due)
    op.create_index("ix_workflow_executions_run", "workflow_executions", ["run"], unique=False, **run)
