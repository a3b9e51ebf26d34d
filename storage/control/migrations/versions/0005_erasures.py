"""Erasures, for which texts of the audit log may be blanked while one is under way, and at no other time.

In: a database of the fourth schema. Out: a table more; an audit log that refuses every change but that of texts for an
erasure that has come to it, and of these keeps number, time, action and hash.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
STAYS = ("sequence", "time", "action", "hash")
UNDER_WAY = "EXISTS (SELECT 1 FROM erasures WHERE state = 'revoked')"
REFUSAL = "the audit log is append only"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "erasures",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_digest", "erasures", ["digest"], unique=False)
    op.create_index("ix_erasures_identity", "erasures", ["identity"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in STAYS)
        op.execute(
            "CREATE FUNCTION audit_blanks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {changed} OR NOT {UNDER_WAY} THEN "
            f"RAISE integrity_constraint_violation USING MESSAGE = '{REFUSAL}'; END IF; RETURN NEW; END $$"
        )
        op.execute("DROP TRIGGER audit_append_only ON audit")
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_refuses()"
        )
        op.execute("CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_blanks()")
        return
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in STAYS)
    op.execute("DROP TRIGGER audit_no_update")
    op.execute(
        f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit WHEN {changed} OR NOT {UNDER_WAY} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )
