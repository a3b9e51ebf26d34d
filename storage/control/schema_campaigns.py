"""The tables of campaigns: what is asked, whom, and what they said; who sits at which device.

The rules of `schema` hold here. Each table is written by the one module named above it.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from storage.control.columns import Number, instant, metadata, text_column

# --- campaigns.py ------------------------------------------------------------------------------
campaigns = Table(
    "campaigns",
    metadata,
    Column("nql_id", Text, primary_key=True),  # with its leading '#'
    text_column("definition"),  # JSON object
    text_column("version"),  # SHA-256 of the definition
    Column("number", Number, nullable=False),  # of the version, counted from 1
    instant("created_at", null=False),
    instant("updated_at", null=False),
    text_column("updated_by"),
)

# --- campaign_responses.py ---------------------------------------------------------------------
requests = Table(
    "campaign_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("campaign", Text, ForeignKey("campaigns.nql_id"), nullable=False),
    text_column("version"),
    text_column("content"),  # JSON: the questions as people read them, with the values of the parameters in place
    text_column("parameters"),  # JSON object
    text_column("trigger_method"),
    text_column("requested_by"),
    instant("requested_at", null=False),
    instant("expires_at", null=False),
    text_column("cause", null=True),  # what asked, such as a step of a workflow
)
responses = Table(
    "campaign_responses",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request", Text, ForeignKey("campaign_requests.id"), nullable=False, index=True),
    text_column("campaign"),
    text_column("person"),  # the key of user.users
    text_column("named"),  # how whoever asked named the person
    text_column("state"),  # targeted | delivered | opened | answered | declined | expired
    text_column("detail", null=True),
    text_column("device", null=True),  # that it was handed to last
    Column("attempt", Number, nullable=False),  # how often it was handed out
    text_column("nonce", null=True),
    instant("open_from", null=False),  # may be handed out from then on
    instant("held_until"),  # the device has it until then at the most; None: no device has it
    instant("targeted_at", null=False),
    instant("shown_at"),
    instant("changed_at", null=False),
    instant("expires_at", null=False),
    text_column("answers", null=True),  # JSON object: labels of choices by question
    text_column("comments", null=True),  # JSON object: what was written, by question
    Index("ix_campaign_responses_person", "person", "state"),
    Index("ix_campaign_responses_state", "state", "expires_at"),
    Index("ix_campaign_responses_device", "device", "held_until"),
    Index("ix_campaign_responses_held", "held_until"),
)

# --- people_present.py -------------------------------------------------------------------------
people_present = Table(  # who is logged in where, as devices tell
    "people_present",
    metadata,
    Column("device", Text, nullable=False),
    Column("person", Text, nullable=False),  # the key of user.users
    instant("since", null=False),
    PrimaryKeyConstraint("device", "person"),
    Index("ix_people_present_person", "person"),
)
