"""Every table of the control database, as SQLAlchemy Core objects. The migrations make them; a test compares the two.

Invariants: times are microseconds since 1970 in UTC; ids are UUIDv7 text; secrets are stored only as SHA-256 digests
of 256 random bits (passwords as argon2 text); JSON is canonical text. Each table is written by the one module named
above it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Serial = BigInteger().with_variant(Integer(), "sqlite")


def _time(name: str, *, null: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _text(name: str, *, null: bool = False, unique: bool | None = None) -> Column[str]:
    return Column(name, Text, nullable=null, unique=unique)


# --- accounts.py -------------------------------------------------------------------------------
accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    _text("name"),
    _text("folded", unique=True),  # the name without regard to case
    _text("password_hash"),
    _text("permissions"),  # JSON array
    _text("zone"),
    _time("created_at", null=False),
    _time("disabled_at"),
)

# --- sessions.py -------------------------------------------------------------------------------
sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("account", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    _text("csrf"),
    _time("created_at", null=False),
    _time("used_at", null=False),
    _time("expires_at", null=False),
)

# --- tokens.py ---------------------------------------------------------------------------------
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    _text("name"),
    Column("digest", LargeBinary, nullable=False),
    _time("created_at", null=False),
    _time("used_at"),
    _time("revoked_at"),
)

# --- sites.py ----------------------------------------------------------------------------------
sites = Table(
    "sites",
    metadata,
    Column("id", Text, primary_key=True),
    _text("name", unique=True),
    Column("standard", Boolean, nullable=False),
    _time("created_at", null=False),
)

# --- enrolment.py ------------------------------------------------------------------------------
enrol_keys = Table(
    "enrol_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("site", Text, ForeignKey("sites.id"), nullable=False),
    Column("simulated", Boolean, nullable=False),
    _text("device", null=True),  # the uid that the device of this key gets; None: a new one
    _text("created_by"),
    _time("created_at", null=False),
    _time("expires_at", null=False),
    _time("used_at"),
    _text("used_by", null=True),
)
devices = Table(
    "devices",
    metadata,
    Column("uid", Text, primary_key=True),
    _text("collector_uid", unique=True),
    _text("name"),
    Column("site", Text, ForeignKey("sites.id"), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("identity_key", LargeBinary, nullable=False, unique=True),
    Column("sealing_key", LargeBinary, nullable=False),
    Column("simulated", Boolean, nullable=False),
    _time("enrolled_at", null=False),
    _time("contact_at"),
    _text("agent_version", null=True),
    _time("revoked_at"),
)

# --- actions.py --------------------------------------------------------------------------------
actions = Table(
    "actions",
    metadata,
    Column("nql_id", Text, primary_key=True),  # with its leading '#'
    _text("uid", unique=True),
    _text("name"),
    _text("description"),
    _text("purpose"),  # JSON array
    _text("triggers"),  # JSON array
    _text("origin"),
    _text("version"),
    Column("number", Integer, nullable=False),  # of the current version, counted from 1
    _time("created_at", null=False),
    _time("updated_at", null=False),
    _text("updated_by"),
)
action_versions = Table(
    "action_versions",
    metadata,
    Column("nql_id", Text, ForeignKey("actions.nql_id"), nullable=False),
    Column("version", Text, nullable=False),  # SHA-256 of `content`
    Column("number", Integer, nullable=False),
    _text("content"),  # canonical JSON of what the hash covers
    _time("created_at", null=False),
    _text("created_by"),
    PrimaryKeyConstraint("nql_id", "version"),
    UniqueConstraint("nql_id", "number", name="uq_action_versions_number"),
)
action_outputs = Table(  # every output name an action ever had, with the type it keeps
    "action_outputs",
    metadata,
    Column("nql_id", Text, ForeignKey("actions.nql_id"), nullable=False),
    _text("name"),
    _text("type"),
    PrimaryKeyConstraint("nql_id", "name"),
)

# --- configured.py -----------------------------------------------------------------------------
configured_items = Table(
    "configured_items",
    metadata,
    Column("kind", Text, nullable=False),  # campaign | trend | custom_field
    Column("name", Text, nullable=False),  # in lower case
    _text("definition"),  # JSON object
    _time("updated_at", null=False),
    _text("updated_by"),
    PrimaryKeyConstraint("kind", "name"),
)

# --- runs.py -----------------------------------------------------------------------------------
runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("action", Text, ForeignKey("actions.nql_id"), nullable=False, index=True),
    _text("version"),
    _text("parameters"),  # JSON object
    _text("target_kind"),
    _text("target_text", null=True),
    Column("device_count", Integer, nullable=False),
    _text("digest"),  # SHA-256 over the sorted device uids
    _text("trigger_method"),
    Column("priority", Integer, nullable=False),  # 0 before 1
    _text("requested_by"),
    _time("requested_at", null=False),
    _time("expires_at", null=False),
    Column("timeout", BigInteger, nullable=False),  # microseconds a script may take
    _text("purpose"),
    _text("reason", null=True),
    _text("internal_source", null=True),
    _text("external_source", null=True),
    _text("external_reference", null=True),
    _text("idempotency_key", null=True),
    _text("request_digest"),
    UniqueConstraint("requested_by", "idempotency_key", name="uq_runs_idempotency"),
)

# --- executions.py -----------------------------------------------------------------------------
executions = Table(
    "executions",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("device", Text, nullable=False),
    _text("id", unique=True),
    _text("state"),
    _text("detail", null=True),
    Column("attempt", Integer, nullable=False),
    _text("nonce"),
    Column("priority", Integer, nullable=False),
    _time("changed_at", null=False),
    _time("expires_at", null=False),  # of the start
    _time("claimed_at"),
    _time("lease_until"),
    _time("started_at"),
    _time("deadline"),  # of the end, set at the start
    _time("finished_at"),
    _time("cancel_at"),  # when a cancel was asked of the device
    _time("settled_at"),  # when a lost contact was taken for the end
    Column("exit_code", Integer, nullable=True),
    _text("outputs", null=True),  # JSON object, physical values
    _text("error", null=True),
    Column("duration", BigInteger, nullable=True),  # microseconds on the device
    PrimaryKeyConstraint("run", "device"),
    # The look-up of one device's work, and of what the ticks care for, does not grow with executions that have ended.
    Index("ix_executions_device", "device", "state"),
    Index("ix_executions_state", "state", "changed_at"),
)
execution_history = Table(  # what was reported and did not become, or no longer is, the state of an execution
    "execution_history",
    metadata,
    Column("id", Text, primary_key=True),
    _text("run"),
    _text("device"),
    Column("attempt", Integer, nullable=False),
    _text("kind"),  # replaced | older_attempt | after_the_end
    _text("state"),
    _text("body"),  # JSON
    _time("received_at", null=False),
    Index("ix_execution_history_run", "run", "device"),
)

# --- outbox.py ---------------------------------------------------------------------------------
outbox = Table(
    "outbox",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=True),
    _text("kind"),
    _text("payload"),  # JSON
    _time("created_at", null=False),
    Column("batch", BigInteger, nullable=True),  # the greatest sequence of the group it is sent in
    _time("relayed_at"),
    Index("ix_outbox_waiting", "sequence", sqlite_where=text("relayed_at IS NULL")),
    sqlite_autoincrement=True,
)

# --- audit.py ----------------------------------------------------------------------------------
audit = Table(
    "audit",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=True),
    _time("time", null=False),
    _text("actor"),
    _text("action"),
    _text("subject"),
    _text("detail"),  # JSON object
    Index("ix_audit_subject", "subject"),
    sqlite_autoincrement=True,
)
