"""Reads the facts of the made-up company that lie in `data/` beside this module.

In: the name of a JSON file and the class of its rows. Out: a tuple of that class. Invariant: a key that the class
does not know is an error, and lists become tuples, so that every record is a value that can be compared and hashed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")


def records(name: str, kind: type[Row]) -> tuple[Row, ...]:
    """All rows of `data/<name>.json`, in order."""
    return tuple(kind(**{key: _frozen(value) for key, value in row.items()}) for row in json.loads(_text(name)))


def names(kind: str) -> tuple[str, ...]:
    """The given or the family names of people."""
    return tuple(json.loads(_text("names"))[kind])


def _text(name: str) -> str:
    return (Path(__file__).parent / "data" / f"{name}.json").read_text(encoding="utf-8")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
