"""The tables of what is trusted with what: authors and their signatures, the vault of secrets, webhooks.

The rules of `schema` hold here. Each table is written by the one module named above it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from storage.control.columns import Number, instant, metadata, text_column

# --- authors.py --------------------------------------------------------------------------------
authors = Table(
    "authors",
    metadata,
    Column("id", Text, primary_key=True),  # SHA-256 of the public key, in hexadecimal
    text_column("name"),
    Column("key", LargeBinary, nullable=False),  # Ed25519, raw
    text_column("endorsed_by", null=True),  # the author who vouches for this one to devices that are enrolled already
    Column("endorsement", LargeBinary, nullable=True),
    instant("added_at", null=False),
    text_column("added_by"),
    instant("removed_at"),
)
action_signatures = Table(
    "action_signatures",
    metadata,
    Column("nql_id", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("author", Text, ForeignKey("authors.id"), nullable=False),
    Column("serial", BigInteger, nullable=False),  # grows with each signature; a device never goes back
    Column("signature", LargeBinary, nullable=False),
    instant("received_at", null=False),
    text_column("received_by"),
    PrimaryKeyConstraint("nql_id", "version", "author"),
)

# --- vault.py ----------------------------------------------------------------------------------
vault = Table(
    "vault",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # the value under the vault's key, which is not in the database
    instant("created_at", null=False),
    instant("updated_at", null=False),
    text_column("updated_by"),
)
vault_grants = Table(
    "vault_grants",
    metadata,
    Column("secret", Text, ForeignKey("vault.name"), nullable=False),
    Column("action", Text, nullable=False),
    instant("granted_at", null=False),
    text_column("granted_by"),
    PrimaryKeyConstraint("secret", "action"),
)

# --- webhooks.py -------------------------------------------------------------------------------
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("url"),
    text_column("events"),  # JSON array
    Column("secret", LargeBinary, nullable=False),  # sealed with the vault's key; signs what is sent
    instant("created_at", null=False),
    text_column("created_by"),
    instant("disabled_at"),
)
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("webhook", Text, ForeignKey("webhooks.id"), nullable=False),
    text_column("event"),
    text_column("body"),  # JSON, as it is sent
    instant("created_at", null=False),
    Column("tries", Number, nullable=False),
    instant("next_at"),  # None: delivered, or given up
    instant("delivered_at"),
    text_column("error", null=True),
    Index("ix_webhook_deliveries_next", "next_at"),
)
