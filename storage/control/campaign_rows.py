"""Responses as the tables have them: rows of `campaign.responses`.

In: wide rows of responses (with the columns of their request). Out: rows by stored columns and links, in physical
values. Invariant: an answer stands there by the label of its question, as the label of what was chosen (several with
commas). Nothing is written here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from storage.control.outcomes import texts
from storage.control.records import from_json

ROWS = "campaign.responses"


def table_row(row: Row[Any]) -> dict[str, Any]:
    """A wide row as a row of `campaign.responses`: stored columns and links, by key text."""
    answers, comments = from_json(row.answers) or {}, from_json(row.comments) or {}
    return {
        "@user": row.person,
        "@device": row.device,
        "@campaign": row.campaign,
        "time": row.changed_at,
        "first_targeted": row.targeted_at,
        "first_displayed": row.shown_at,
        "state": row.state,
        "state_details": row.detail,
        "trigger_method": row.trigger_method,
        "request_id": row.id,
        "number_answered_questions": len(answers.keys() | comments.keys()),
        "answers": texts(answers),
        "comments": texts(comments),
        "parameters": texts(from_json(row.parameters) or {}),
    }
