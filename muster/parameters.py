"""Python values as parameters of a query: `$name` stands for the text that NQL would write for the value.

In: a value. Out: its text, or a list of texts for `in $names`. Invariant: what has no clear text in NQL is refused,
never guessed; texts are handed to the portal beside the query and are no part of it, so that no value can change what
is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from muster.errors import UsageError

Parameter = str | list[str]
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_SKIPPED = re.compile(r"""/\*.*?\*/|"[^"\r\n]*"|'[^'\r\n]*'""", re.DOTALL)


def as_parameters(values: Mapping[str, Any], zone: Callable[[], str]) -> dict[str, Parameter]:
    """All parameters of a query. `zone` tells the zone in which the query is read, for moments that have one of their
    own. Raises UsageError for a value that has no text."""
    return {name: _parameter(name, value, zone) for name, value in values.items()}


def _parameter(name: str, value: Any, zone: Callable[[], str]) -> Parameter:
    """One parameter. Lists, tuples, sets and columns of values become lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        return [_text(name, item, zone) for item in value]
    return _text(name, value, zone)


def names_in(text: str) -> list[str]:
    """The parameters that a query text speaks of, in order, each once."""
    return list(dict.fromkeys(_NAME.findall(_SKIPPED.sub(" ", text))))


def _text(name: str, value: Any, zone: Callable[[], str]) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime():
            moment = value.astimezone(ZoneInfo(zone())) if value.tzinfo else value
            return moment.strftime("%Y-%m-%d %H:%M:%S")
        case date():
            return value.isoformat()
        case timedelta():
            return f"{round(value.total_seconds() * 1000)}ms"
    raise UsageError(
        f"${name} is {type(value).__name__}, which has no text in NQL.",
        "Give a text, number, date or list.",
        "bad_parameter",
    )
