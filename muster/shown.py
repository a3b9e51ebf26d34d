"""Values and tables as a person reads them in a terminal: sizes, durations, local times, aligned columns.

In: the JSON of a result or plain rows. Out: text. Invariants: nothing in a value can move the cursor or change
colours (control characters are shown as escapes); numbers stand to the right; a table fits the width it is given by
cutting long texts, never by dropping a column. Exports never pass here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
SCALES = {
    "energy": ("Wh", "kWh", "MWh", "GWh"),
    "weight": ("g", "kg", "t", "kt"),
    "bitrate": ("bps", "Kbps", "Mbps", "Gbps"),
}
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CAD": "CA$", "CHF": "CHF "}
NUMBERS = frozenset({"int", "float", "percentage", "duration", "bytes"})
NARROWEST = 6
GAP = "  "


def result_table(result: Mapping[str, Any], width: int | None) -> str:
    """A result of a query as a table, `width` characters wide at most (None: as wide as it needs)."""
    columns = result["columns"]
    rows = [
        [value_text(value, column, result["zone"]) for value, column in zip(row, columns, strict=True)]
        for row in result["rows"]
    ]
    right = [column["type"] in NUMBERS for column in columns]
    return table([column["name"] for column in columns], rows, right, width)


def value_text(value: Any, column: Mapping[str, Any], zone: str) -> str:
    """One value of a result."""
    if column.get("format") and isinstance(value, int | float):
        return formatted_text(value, **column["format"])
    match column["type"], value:
        case _, None:
            return "-"
        case "datetime", str():
            moment = datetime.fromisoformat(value).astimezone(ZoneInfo(zone))
            return moment.strftime("%Y-%m-%d %H:%M:%S")
        case "duration", int() | float():
            return duration_text(value * SECONDS.get(column["unit"] or "s", 1.0))
        case "bytes", int() | float():
            return size_text(value)
        case "percentage", int() | float():
            return f"{value:.1f} %"
        case _, bool():
            return "yes" if value else "no"
        case _, int():
            return f"{value:,}"
        case _, float():
            return f"{value:,.2f}"
        case _, list():
            return ", ".join(map(str, value))
    return str(value)


def formatted_text(value: float, name: str, code: str | None) -> str:
    """A number in the format that the query asked for with `as()`; at most two decimals."""
    if name == "percent":
        return f"{_short(value * 100)} %"
    if name == "currency":
        return f"{'-' if value < 0 else ''}{SIGNS.get((code or '').upper(), '')}{_short(abs(value))}"
    power, units = 0, SCALES.get(name, ("",))
    while abs(value) >= 1000 and power + 1 < len(units):
        value, power = value / 1000, power + 1
    return f"{_short(value)} {units[power]}".rstrip()


def moment_text(text: str) -> str:
    """An instant of the portal's JSON to the second, in UTC."""
    return f"{text[:19].replace('T', ' ')} UTC"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 device`, `1,204 devices`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size_text(size: float) -> str:
    """A size in the largest unit that leaves a number of at least 1."""
    unit = 0
    while abs(size) >= 1024 and unit + 1 < len(UNITS):
        size, unit = size / 1024, unit + 1
    return f"{size:,.0f} {UNITS[unit]}" if unit == 0 else f"{size:,.1f} {UNITS[unit]}"


def duration_text(seconds: float) -> str:
    """A duration in its two largest units: `2h 5min`, `340ms`."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 1:
        return f"{sign}{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{sign}{seconds:.1f}s"
    whole = round(seconds)
    for size, name, smaller, small_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            first, rest = divmod(whole, size)
            return f"{sign}{first}{name} {rest // smaller}{small_name}"
    return f"{sign}{whole}s"


def table(names: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], width: int | None) -> str:
    """Aligned columns under their names."""
    shown = [[printable(cell) for cell in row] for row in [names, *rows]]
    widths = [max(map(text_width, column)) for column in zip(*shown, strict=True)]
    widths = fitted(widths, width)
    lines = [
        GAP.join(_cell(cell, size, to_right) for cell, size, to_right in zip(row, widths, right, strict=True)).rstrip()
        for row in shown
    ]
    lines.insert(1, GAP.join("-" * size for size in widths))
    return "\n".join(lines)


def fitted(widths: Sequence[int], most: int | None) -> list[int]:
    """The widths of columns, the widest made narrower until all fit."""
    found = list(widths)
    while most is not None and sum(found) + len(GAP) * (len(found) - 1) > most and max(found) > NARROWEST:
        found[found.index(max(found))] -= 1
    return found


def printable(text: str) -> str:
    """The text with control and other invisible characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def text_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _short(value: float) -> str:
    """A number with at most two decimals."""
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def _cell(text: str, size: int, right: bool) -> str:
    if text_width(text) > size:
        kept = ""
        for character in text:
            if text_width(kept + character) > size - 1:
                break
            kept += character
        text = kept + "…"
    space = " " * (size - text_width(text))
    return space + text if right else text + space
