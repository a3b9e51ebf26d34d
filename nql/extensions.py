"""Everything the language has beyond NQL, as data. `strict=nexthink` turns all of it off.

The reference, hover and the strict errors read this table. Invariant: a query without any of these means the same
with and without them; whoever accepts one says so by `State.extension` or, while reading, in `Query.extensions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Extension:
    """One thing NQL lacks: what it is called, what it does, a query that shows it, and how NQL itself says it."""

    name: str
    title: str
    doc: str
    example: str
    instead: str = ""


_D = "devices | "
_C = "execution.crashes during past 7d | "

_TABLE = (
    Extension(
        "comment", "A comment to the end of the line", "`//` hides the rest of its line.",
        "devices // all of them\n| list name", "Write /* ... */.",
    ),
    Extension(
        "iso_time", "A time as ISO 8601 writes it", "`T` between day and time, `Z` or an offset behind it.",
        "execution.crashes from 2024-11-08T10:00:00Z to 2024-11-08T12:00:00+01:00", "Write 2024-11-08 10:00:00.",
    ),
    Extension(
        "let", "A name for an expression", "`let` lines before the query name what is used several times.",
        "let big = 8GB;\ndevices | where hardware.memory > big", "Write the expression where it is used.",
    ),
    Extension(
        "trailing_comma", "A comma at the end", "The last item of a list may have a comma behind it.",
        _D + "list name, entity,", "Leave the last comma out.",
    ),
)  # fmt: skip

EXTENSIONS: Mapping[str, Extension] = MappingProxyType({item.name: item for item in _TABLE})
