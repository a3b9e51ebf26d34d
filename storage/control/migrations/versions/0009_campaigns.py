"""Campaigns that the portal sends: what is asked, whom, what they said, and who sits at which device.

In: a database of the eighth schema. Out: four tables more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "campaigns",
        sa.Column("nql_id", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("nql_id", name=op.f("pk_campaigns")),
    )
    op.create_table(
        "campaign_requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("trigger_method", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["campaign"], ["campaigns.nql_id"], name=op.f("fk_campaign_requests_campaign")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_requests")),
    )
    op.create_table(
        "campaign_responses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("campaign", "person", "named", "state")),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("attempt", number, nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("open_from", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.Column("targeted_at", sa.BigInteger(), nullable=False),
        sa.Column("shown_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("answers", sa.Text(), nullable=True),
        sa.Column("comments", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["request"], ["campaign_requests.id"], name=op.f("fk_campaign_responses_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_responses")),
    )
    op.create_index("ix_campaign_responses_request", "campaign_responses", ["request"])
    op.create_index("ix_campaign_responses_person", "campaign_responses", ["person", "state"])
    op.create_index("ix_campaign_responses_state", "campaign_responses", ["state", "expires_at"])
    op.create_index("ix_campaign_responses_device", "campaign_responses", ["device", "held_until"])
    op.create_index("ix_campaign_responses_held", "campaign_responses", ["held_until"])
    op.create_table(
        "people_present",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "person", name=op.f("pk_people_present")),
    )
    op.create_index("ix_people_present_person", "people_present", ["person"])
