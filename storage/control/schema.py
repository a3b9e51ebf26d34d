"""The tables of the control database as SQLAlchemy Core objects; more stand in `schema_trust` and `schema_schedules`.
The migrations make them; a test compares the two.

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
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from storage.control.columns import Number, Serial, instant, metadata, only_where, text_column

# --- accounts.py -------------------------------------------------------------------------------
accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("name"),
    text_column("folded", unique=True),  # the name without regard to case
    text_column("password_hash"),
    text_column("permissions"),  # JSON array; what counts where there is no role
    text_column("zone"),
    instant("created_at", null=False),
    instant("disabled_at"),
    text_column("role", null=True),  # of a role, in lower case: then that says what counts
    Column("kind", Text, nullable=False, server_default="person"),  # person | program (a credential)
)

# --- roles.py ----------------------------------------------------------------------------------
roles = Table(
    "roles",
    metadata,
    Column("folded", Text, primary_key=True),  # the name without regard to case
    text_column("name"),
    text_column("permissions"),  # JSON array
    text_column("actions", null=True),  # JSON array of action ids that may be run; None: all
    text_column("domain", null=True),  # the view domain: an NQL condition on devices; None: everything
    text_column("sites", null=True),  # JSON array of the names of sites; None: all
    instant("updated_at", null=False),
    text_column("updated_by"),
)

# --- sessions.py -------------------------------------------------------------------------------
sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("account", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    text_column("csrf"),
    instant("created_at", null=False),
    instant("used_at", null=False),
    instant("expires_at", null=False),
)

# --- tokens.py ---------------------------------------------------------------------------------
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.id"), nullable=False, index=True),
    text_column("name"),
    Column("digest", LargeBinary, nullable=False),
    instant("created_at", null=False),
    instant("used_at"),
    instant("revoked_at"),
    instant("expires_at"),  # None: never
)

# --- api_credentials.py ------------------------------------------------------------------------
api_credentials = Table(
    "api_credentials",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("name"),
    text_column("folded", unique=True),  # the name without regard to case
    text_column("description"),
    Column("account", Text, ForeignKey("accounts.id"), nullable=False, index=True),  # for whom it acts
    text_column("apis"),  # JSON array
    text_column("limits"),  # JSON object: those that are not the portal's own
    Column("digest", LargeBinary, nullable=False),
    Column("old_digest", LargeBinary, nullable=True),  # of the secret before the last rotation
    instant("old_until"),  # it counts until then
    instant("created_at", null=False),
    text_column("created_by"),
    instant("rotated_at"),
    instant("expires_at"),  # None: never
    instant("used_at"),
    instant("revoked_at"),
)

# --- sites.py ----------------------------------------------------------------------------------
sites = Table(
    "sites",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("name", unique=True),
    Column("standard", Boolean, nullable=False),
    instant("created_at", null=False),
    text_column("address", null=True),  # where clients of the classic APIs reach it
    Column("port", Number, nullable=True),
    text_column("description", null=True),
    text_column("zone", null=True),  # None: the zone of the instance
    text_column("machine", null=True),
)
site_orders = Table(  # what the process that serves a site has to take; of no account after a day
    "site_orders",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("site", Text, ForeignKey("sites.id"), nullable=False),
    text_column("run"),
    instant("asked_at", null=False),
    instant("taken_at"),
    text_column("error", null=True),
    Index("ix_site_orders_waiting", "site", **only_where("taken_at IS NULL")),
    Index("ix_site_orders_run", "run"),
)

# --- enrolment.py ------------------------------------------------------------------------------
enrol_keys = Table(
    "enrol_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("site", Text, ForeignKey("sites.id"), nullable=False),
    Column("simulated", Boolean, nullable=False),
    text_column("device", null=True),  # the uid that the device of this key gets; None: a new one
    text_column("created_by"),
    instant("created_at", null=False),
    instant("expires_at", null=False),
    instant("used_at"),
    text_column("used_by", null=True),
)
devices = Table(
    "devices",
    metadata,
    Column("uid", Text, primary_key=True),
    text_column("collector_uid", unique=True),
    text_column("name"),
    Column("site", Text, ForeignKey("sites.id"), nullable=False, index=True),
    Column("generation", Number, nullable=False),
    Column("identity_key", LargeBinary, nullable=False, unique=True),
    Column("sealing_key", LargeBinary, nullable=False),
    Column("simulated", Boolean, nullable=False),
    instant("enrolled_at", null=False),
    instant("contact_at"),
    text_column("agent_version", null=True),
    instant("revoked_at"),
    text_column("step", null=True),  # the newest of its trail; None: it has none, or begins anew
    instant("cloned_at"),  # when two machines were seen to go by it; None: they are not, or somebody has decided
)

# --- presence.py -------------------------------------------------------------------------------
presence = Table(  # the open intervals; closed ones go to the tables
    "presence",
    metadata,
    Column("device", Text, primary_key=True),
    instant("since", null=False),
    instant("seen_at", null=False),
)

# --- actions.py --------------------------------------------------------------------------------
actions = Table(
    "actions",
    metadata,
    Column("nql_id", Text, primary_key=True),  # with its leading '#'
    text_column("uid", unique=True),
    text_column("name"),
    text_column("description"),
    text_column("purpose"),  # JSON array
    text_column("triggers"),  # JSON array
    text_column("origin"),
    text_column("version"),
    Column("number", Number, nullable=False),  # of the current version, counted from 1
    instant("created_at", null=False),
    instant("updated_at", null=False),
    text_column("updated_by"),
)
action_versions = Table(
    "action_versions",
    metadata,
    Column("nql_id", Text, ForeignKey("actions.nql_id"), nullable=False),
    Column("version", Text, nullable=False),  # SHA-256 of `content`
    Column("number", Number, nullable=False),
    text_column("content"),  # canonical JSON of what the hash covers
    instant("created_at", null=False),
    text_column("created_by"),
    PrimaryKeyConstraint("nql_id", "version"),
    UniqueConstraint("nql_id", "number", name="uq_action_versions_number"),
)
action_outputs = Table(  # every output name an action ever had, with the type it keeps
    "action_outputs",
    metadata,
    Column("nql_id", Text, ForeignKey("actions.nql_id"), nullable=False),
    text_column("name"),
    text_column("type"),
    PrimaryKeyConstraint("nql_id", "name"),
)

# --- saved_queries.py --------------------------------------------------------------------------
saved_queries = Table(
    "saved_queries",
    metadata,
    Column("nql_id", Text, primary_key=True),  # with its leading '#'
    text_column("name"),
    text_column("description"),
    text_column("text"),
    instant("created_at", null=False),
    instant("updated_at", null=False),
    text_column("updated_by"),
)

# --- configured.py -----------------------------------------------------------------------------
configured_items = Table(
    "configured_items",
    metadata,
    Column("kind", Text, nullable=False),  # campaign | trend | custom_field
    Column("name", Text, nullable=False),  # in lower case
    text_column("definition"),  # JSON object
    instant("updated_at", null=False),
    text_column("updated_by"),
    PrimaryKeyConstraint("kind", "name"),
)

# --- runs.py -----------------------------------------------------------------------------------
runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("action", Text, ForeignKey("actions.nql_id"), nullable=False, index=True),
    text_column("version"),
    text_column("parameters"),  # JSON object
    text_column("target_kind"),
    text_column("target_text", null=True),
    Column("device_count", Number, nullable=False),
    text_column("digest"),  # SHA-256 over the sorted device uids
    text_column("trigger_method"),
    Column("priority", Number, nullable=False),  # 0 before 1
    text_column("requested_by"),
    instant("requested_at", null=False),
    instant("expires_at", null=False),
    Column("timeout", BigInteger, nullable=False),  # microseconds a script may take
    text_column("purpose"),
    text_column("reason", null=True),
    text_column("internal_source", null=True),
    text_column("external_source", null=True),
    text_column("external_reference", null=True),
    text_column("idempotency_key", null=True),
    text_column("request_digest"),
    Column("state", Text, nullable=False, server_default="running"),  # running | halted | ended
    Column("plan", Text, nullable=False, server_default="{}"),  # JSON: waves, gate, guards, retries, window, ...
    Column("wave", Number, nullable=False, server_default="0"),  # the newest that was released, counted from 0
    instant("wave_at"),  # when it was released
    text_column("state_detail", null=True),  # why it was halted
    instant("ended_at"),
    text_column("schedule", null=True),  # the schedule whose firing made it
    text_column("retry_of", null=True),  # the run whose failed devices this one repeats
    Column("skipped", Number, nullable=False, server_default="0"),  # devices left out by `once_every`
    UniqueConstraint("requested_by", "idempotency_key", name="uq_runs_idempotency"),
    Index("ix_runs_state", "state"),
)

# --- executions.py -----------------------------------------------------------------------------
executions = Table(
    "executions",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("device", Text, nullable=False),
    text_column("id", unique=True),
    text_column("state"),
    text_column("detail", null=True),
    Column("attempt", Number, nullable=False),
    text_column("nonce"),
    Column("priority", Number, nullable=False),
    instant("changed_at", null=False),
    instant("expires_at", null=False),  # of the start
    instant("claimed_at"),
    instant("lease_until"),
    instant("started_at"),
    instant("deadline"),  # of the end, set at the start
    instant("finished_at"),
    instant("cancel_at"),  # when a cancel was asked of the device
    instant("settled_at"),  # when a lost contact was taken for the end
    Column("exit_code", Number, nullable=True),
    text_column("outputs", null=True),  # JSON object, physical values
    text_column("error", null=True),
    Column("duration", BigInteger, nullable=True),  # microseconds on the device
    Column("wave", Number, nullable=False, server_default="0"),
    Column("open_from", BigInteger, nullable=True, server_default="0"),  # may be fetched from then on; None: held back
    instant("progress_at"),  # the newest progress that was taken, by the device's clock
    PrimaryKeyConstraint("run", "device"),
    # The look-up of one device's work, and of what the ticks care for, does not grow with executions that have ended.
    Index("ix_executions_device", "device", "state"),
    Index("ix_executions_state", "state", "changed_at"),
    Index("ix_executions_started", "device", "started_at"),
    Index("ix_executions_open_from", "open_from", **only_where("open_from > 0")),
)
execution_history = Table(  # what was reported and did not become, or no longer is, the state of an execution
    "execution_history",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("run"),
    text_column("device"),
    Column("attempt", Number, nullable=False),
    text_column("kind"),  # replaced | retried | older_attempt | after_the_end
    text_column("state"),
    text_column("body"),  # JSON
    instant("received_at", null=False),
    Index("ix_execution_history_run", "run", "device"),
)

# --- outbox.py ---------------------------------------------------------------------------------
outbox = Table(
    "outbox",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=True),
    text_column("kind"),
    text_column("payload"),  # JSON
    instant("created_at", null=False),
    Column("batch", BigInteger, nullable=True),  # the greatest sequence of the group it is sent in
    instant("relayed_at"),
    Index("ix_outbox_waiting", "sequence", **only_where("relayed_at IS NULL")),
    sqlite_autoincrement=True,
)

# --- audit.py ----------------------------------------------------------------------------------
audit = Table(
    "audit",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=True),
    instant("time", null=False),
    text_column("actor"),
    text_column("action"),
    text_column("subject"),
    text_column("detail"),  # JSON object
    Column("hash", LargeBinary, nullable=True),  # over the entry and the hash before it; None before there were hashes
    Index("ix_audit_subject", "subject"),
    sqlite_autoincrement=True,
)
audit_relayed = Table(  # up to which entry the tables have the log
    "audit_relayed",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
