"""Runs migrations on the connection that `storage.control.database` hands over; Alembic loads this file by its path.

In: a connection inside a transaction. Out: the newest schema. Invariant: all steps to the newest schema commit
together or not at all.
"""

from __future__ import annotations

from alembic import context

from storage.control import schema, schema_campaigns, schema_erasure, schema_schedules, schema_trust, schema_workflows
from storage.control.columns import metadata

# Each adds its tables to the metadata.
ALL = (schema, schema_trust, schema_schedules, schema_erasure, schema_workflows, schema_campaigns)

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
