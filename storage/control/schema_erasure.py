"""The table of erasures: what is to be forgotten, how far that is, and what was, as far as that may be known.

The rules of `schema` hold here. Only `erasure.py` writes it.
"""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from storage.control.columns import instant, metadata, text_column

erasures = Table(
    "erasures",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("kind"),  # device | person
    Column("digest", Text, nullable=False, index=True),  # of whom: stays for ever
    Column("identity", Text, nullable=True, index=True),  # digest of a device's identity key: stays for ever
    text_column("subject", null=True),  # the uid, until the tables have nothing of it
    text_column("words", null=True),  # JSON: by which texts name it, as long as the uid
    text_column("state"),  # asked | revoked | control_erased | tables_erased | done
    text_column("report"),  # JSON object: what went, by what it was
    text_column("error", null=True),  # why it waits
    text_column("asked_by"),
    instant("asked_at", null=False),
    instant("changed_at", null=False),
    instant("done_at"),
)
