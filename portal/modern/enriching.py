"""What a field of an object may be set to by enrichment, and how its value is held.

In: the name of a field as the clients write it, a value, the catalog. Out: the column or the entry of the custom fields
that holds it, in stored form; or why it cannot be. Invariants: only the fields listed here and custom fields that are
declared can be set; an empty text clears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from nql.catalog.configured import CUSTOM
from nql.catalog.model import Catalog
from nql.datatypes import DataType, Kind, Physical

TABLES = {
    "device": "device.devices",
    "user": "user.users",
    "binary": "binary.binaries",
    "package": "package.packages",
}
VIRTUALIZATION = (
    "desktop_broker", "desktop_pool", "disk_image", "environment_name", "hostname", "hypervisor_name", "instance_size",
    "last_update", "region", "type",
)  # fmt: skip
DIRECTORY = (
    "city", "country_code", "department", "distinguished_name", "email_address", "full_name", "job_title",
    "last_update", "office", "organizational_unit", "username",
)  # fmt: skip
COLUMNS: Mapping[str, str] = {
    "device/device/configuration_tag": "configuration_tag",
    **{f"device/device/virtualization/{name}": f"virtualization.{name}" for name in VIRTUALIZATION},
    **{f"user/user/ad/{name}": f"ad.{name}" for name in DIRECTORY},
}
BROKERS = (
    "citrix_cvad", "citrix_daas", "azure_virtual_desktops", "windows_365", "horizon_on_prem", "aws_workspace",
    "aws_appstream",
)  # fmt: skip
NUMBERED: Mapping[str, Sequence[str]] = {  # the members that clients name by number, from 1
    "virtualization.desktop_broker": BROKERS,
    "virtualization.type": ("shared", "personal", "pooled"),
}
TRUTH = {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_NUMBER = 1 << 53
LATEST = 7_258_118_400_000_000  # the year 2200, in microseconds
SECOND = 1_000_000
Value = str | int


class UnfitError(ValueError):
    """Why a field cannot be set: a code for machines and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Put:
    """A value where it goes: a column, or an entry of the custom fields (then `column` is CUSTOM)."""

    column: str
    value: Any


def put(catalog: Catalog, table: str, name: str, value: Value) -> Put:
    """A field's value as it is stored. Raises UnfitError."""
    namespace = table.partition(".")[0]
    if not name.startswith(f"{namespace}/{namespace}/"):
        raise UnfitError("INVALID_FIELD", f"{_shown(name)} is no field of a {namespace}.")
    column = COLUMNS.get(name)
    if column is not None:
        return Put(column, _numbered(column, value, catalog.tables[table].fields[column].dtype))
    path = name.removeprefix(f"{namespace}/{namespace}/").replace("organization/#", "organization.#")
    found = _custom(catalog, table).get(path.lower())
    if found is None:
        raise UnfitError("INVALID_FIELD", f"There is no field {_shown(name)}, or it cannot be set.")
    entry, dtype = found
    held = _held(value, dtype)
    return Put(CUSTOM, {"name": entry} if held is None else {"name": entry, _slot(dtype): held})


@lru_cache(maxsize=16)
def _custom(catalog: Catalog, table: str) -> Mapping[str, tuple[str, DataType]]:
    """The entries and types of declared custom fields, by how a query names them, in lower case."""
    fields = catalog.tables[table].fields.values()
    return {item.name.lower(): (item.entry, item.dtype) for item in fields if item.within == CUSTOM and item.entry}


def _numbered(column: str, value: Value, dtype: DataType) -> Any:
    members = NUMBERED.get(column)
    if members is None:
        return _held(value, dtype)
    text = str(value).strip().lower()
    if text in ("", "0", "null"):
        return None
    if text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= len(members):
        return members[int(text) - 1]
    if text in members:
        return text
    raise UnfitError("INVALID_VALUE", f"{_shown(value)} is none of {', '.join(members)}, nor their number.")


def _held(value: Value, dtype: DataType) -> Any:
    """A value in stored form, None for an empty text. Raises UnfitError."""
    if value == "":
        return None
    if "\0" in str(value):
        raise UnfitError("INVALID_VALUE", "A value holds no NUL character.")
    try:
        return _typed(value, dtype)
    except (ValueError, OverflowError):
        kind = dtype.kind.value.replace("_", " ")
        raise UnfitError("INVALID_VALUE", f"{_shown(value)} is no {kind}.") from None


def _typed(value: Value, dtype: DataType) -> Any:
    match dtype.kind:
        case Kind.DATETIME:
            return _instant(value)
        case Kind.BOOLEAN:
            return TRUTH[str(value).strip().lower()] if str(value).strip().lower() in TRUTH else _none()
        case Kind.STRINGS:
            return [str(value)]
    match dtype.physical:
        case Physical.INT64:
            return _within(int(value))
        case Physical.FLOAT64:
            return _within(float(value))
        case _:
            return str(value)


def _within(number: float) -> float:
    return number if -MOST_NUMBER <= number <= MOST_NUMBER else _none()


def _none() -> Any:
    raise ValueError


def _instant(value: Value) -> int:
    """Microseconds UTC of an ISO 8601 text (UTC where it names no zone) or of seconds since 1970."""
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) <= 12 and len(text) != 8:
        found = int(text) * SECOND
    else:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        found = round((moment - EPOCH).total_seconds() * SECOND)
    return found if 0 <= found <= LATEST else _none()


def _slot(dtype: DataType) -> str:
    slots = {Physical.INT64: "number", Physical.BOOL: "number", Physical.FLOAT64: "real", Physical.LIST_UTF8: "texts"}
    return slots.get(dtype.physical, "text")


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 64 else f"{text[:61]}...")
