"""The tables of workflows: what they are, version by version, who asked for them, and how they go on devices.

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
    UniqueConstraint,
)

from storage.control.columns import Number, instant, metadata, only_where, text_column

# --- workflows.py ------------------------------------------------------------------------------
workflows = Table(
    "workflows",
    metadata,
    Column("nql_id", Text, primary_key=True),  # with its leading '#'
    text_column("uid", unique=True),
    text_column("name"),
    text_column("description"),
    text_column("triggers"),  # JSON array
    Column("active", Boolean, nullable=False),
    text_column("version"),
    Column("number", Number, nullable=False),  # of the current version, counted from 1
    instant("created_at", null=False),
    instant("updated_at", null=False),
    text_column("updated_by"),
)
workflow_versions = Table(
    "workflow_versions",
    metadata,
    Column("nql_id", Text, ForeignKey("workflows.nql_id"), nullable=False),
    Column("version", Text, nullable=False),  # SHA-256 of `content`
    Column("number", Number, nullable=False),
    text_column("content"),  # canonical JSON of what the hash covers
    instant("created_at", null=False),
    text_column("created_by"),
    PrimaryKeyConstraint("nql_id", "version"),
    UniqueConstraint("nql_id", "number", name="uq_workflow_versions_number"),
)

# --- workflow_executions.py --------------------------------------------------------------------
workflow_requests = Table(
    "workflow_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow", Text, ForeignKey("workflows.nql_id"), nullable=False, index=True),
    text_column("version"),
    text_column("parameters"),  # JSON object
    text_column("trigger_method"),
    text_column("requested_by"),
    instant("requested_at", null=False),
    text_column("reason", null=True),
    text_column("external_source", null=True),
    text_column("external_reference", null=True),
    text_column("idempotency_key", null=True),
    text_column("request_digest"),
    UniqueConstraint("requested_by", "idempotency_key", name="uq_workflow_requests_idempotency"),
)
workflow_executions = Table(
    "workflow_executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request", Text, ForeignKey("workflow_requests.id"), nullable=False, index=True),
    Column("device", Text, nullable=False, index=True),
    text_column("state"),  # in_progress | waiting | success | failure | cancelled | expired
    text_column("detail", null=True),
    text_column("outcome", null=True),  # action_taken | no_action_taken | failed
    text_column("outcome_detail", null=True),
    text_column("step"),  # the id of the step it is at
    Column("begun", Boolean, nullable=False),  # whether that step has begun, and something is waited for
    Column("moves", Number, nullable=False),  # how often it went on: a decision counts at the number it was made for
    text_column("run", null=True),  # the run of the step it is at
    Column("until", BigInteger, nullable=True),  # from when a lost contact counts as the end of that run
    text_column("campaign", null=True),  # the request of the campaign of the step it is at
    instant("due_at"),  # when it is looked at; None: it has ended
    instant("expires_at", null=False),
    text_column("outputs"),  # JSON object: what steps have answered, by their ids
    instant("changed_at", null=False),
    instant("ended_at"),
    Index("ix_workflow_executions_due", "due_at", **only_where("due_at IS NOT NULL")),
    Index("ix_workflow_executions_run", "run", **only_where("run IS NOT NULL")),
)
