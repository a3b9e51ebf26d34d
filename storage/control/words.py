"""Rows of the control database whose texts may hold words of an erasure.

In: words and columns. Out: a condition. Invariant: it is a quick look that finds too much rather than too little;
`Naming.blanked` decides.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, false, func, or_

from storage.naming import Naming


def mentions(words: Naming, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether any of these columns may hold any of the words."""
    needles = words.needles()
    return or_(false(), *(func.lower(column).contains(one, autoescape=True) for column in columns for one in needles))
