"""A call of the Act API as it is sent: read, and held to its form.

In: the bytes of a body. Out: a `Call`. Raises ActError with the code that fits. Invariants: keys are those of the
documents in any case, each at most once; identifiers leave here in one spelling; what is not known is left out, and
nothing that is of the wrong kind is guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from portal.classic.errors import ActError, Code
from portal.settings import ACT_SECONDS

GUID = re.compile(r"(?:\{[0-9a-f-]{36}\}|[0-9a-f-]{36}|[0-9a-f]{32})", re.ASCII)
DASHED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
EXPORTED = "action_"  # before the uid of an action in what the other product exports
MOST_ENGINES, MOST_PARAMETERS = 1000, 1000
LONGEST = 255  # characters of an identifier
KEYS = ("requestUid", "remoteActionUid", "deviceUids", "engineDatabaseUids", "timeoutSeconds", "params")
CONTENT: Code = "INVALID_REQUEST_CONTENT"


@dataclass(frozen=True, slots=True)
class Call:
    """A call. `engines` are as they were written, None for all; `seconds` is None where nothing is said."""

    action: str
    devices: tuple[str, ...]
    request: str | None = None
    engines: tuple[str, ...] | None = None
    seconds: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def read(data: bytes, most: int) -> Call:
    """The call of a body, for at most so many devices."""
    said = _object(_json(data))
    action = _text(said.get("remoteActionUid"), "remoteActionUid")
    if not action:
        raise ActError("NO_REMOTE_ACTION_UID", "remoteActionUid is missing.")
    devices = _texts(said.get("deviceUids"), "deviceUids", None)
    if not devices:
        raise ActError("NO_DEVICES", "deviceUids names no device.")
    if len(devices) > most:
        raise ActError("TOO_MANY_DEVICES", f"deviceUids names {len(devices)} devices, {most} are the most.")
    return Call(
        action=_uid(action.lower().removeprefix(EXPORTED), "INVALID_ACTION_UID", "remoteActionUid is no GUID."),
        devices=tuple(dict.fromkeys(_device(at, text) for at, text in enumerate(devices))),
        request=_text(said.get("requestUid"), "requestUid") or None,
        engines=_texts(said.get("engineDatabaseUids"), "engineDatabaseUids", MOST_ENGINES),
        seconds=_seconds(said.get("timeoutSeconds")),
        parameters=_parameters(said.get("params")),
    )


def guid(text: str) -> str | None:
    """A GUID in the one spelling that is stored (lower case, dashes), None for any other text."""
    low = text.strip().lower()
    if GUID.fullmatch(low) is None:
        return None
    bare = low.strip("{}")
    dashed = bare if "-" in bare else f"{bare[:8]}-{bare[8:12]}-{bare[12:16]}-{bare[16:20]}-{bare[20:]}"
    return dashed if DASHED.fullmatch(dashed) else None


def _json(data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ActError("ENCODING", "The body is not UTF-8.") from None
    try:
        return json.loads(text, object_pairs_hook=_Pairs, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ActError("INVALID_REQUEST_JSON", f"The body is no JSON: {error}.") from None


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value")


def _object(value: Any) -> dict[str, Any]:
    """The known keys of the whole body, in the spelling of the documents."""
    if not isinstance(value, _Pairs):
        raise ActError(CONTENT, "The body is a JSON object.")
    names, said = {name.lower(): name for name in KEYS}, dict[str, Any]()
    for key, item in value:
        name = names.get(key.lower())
        if name in said:
            raise ActError(CONTENT, f"{name} is given twice.")
        if name is not None:
            said[name] = item
    return said


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST or not _storable(value):
        raise ActError(CONTENT, f"{name} is a text of at most {LONGEST} characters.")
    return value.strip()


def _texts(value: Any, name: str, most: int | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, _Pairs) or not isinstance(value, list) or (most is not None and len(value) > most):
        raise ActError(CONTENT, f"{name} is a list of texts" + ("." if most is None else f", at most {most}."))
    return tuple(_text(item if item is not None else 0, f"Each of {name}") for item in value)


def _uid(text: str, code: Code, message: str) -> str:
    found = guid(text)
    if found is None:
        raise ActError(code, message)
    return found


def _device(at: int, text: str) -> str:
    return _uid(text, "INVALID_DEVICE_UID", f"Number {at + 1} of deviceUids is no GUID.")


def _seconds(value: Any) -> int | None:
    least, most = ACT_SECONDS
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ActError(CONTENT, f"timeoutSeconds is a whole number from {least} to {most}.")
    return value


def _parameters(value: Any) -> dict[str, str]:
    """Names and values: an object, or a list of objects with a name and a value."""
    if value is None:
        return {}
    pairs = (
        value if isinstance(value, _Pairs) else [_named(item) for item in value] if isinstance(value, list) else None
    )
    if pairs is None or len(pairs) > MOST_PARAMETERS:
        raise ActError(CONTENT, "params is an object of names and values, or a list of objects with name and value.")
    said: dict[str, str] = {}
    for name, item in pairs:
        if name in said:
            raise ActError(CONTENT, f"The parameter {name[:64]} is given twice.")
        said[name] = _value(name, item)
    return said


def _named(item: Any) -> tuple[str, Any]:
    keys = {key.lower(): value for key, value in item} if isinstance(item, _Pairs) else {}
    if len(keys) != 2 or not isinstance(keys.get("name"), str) or "value" not in keys:
        raise ActError(CONTENT, "Each of a list of params is an object with name and value.")
    return keys["name"], keys["value"]


def _value(name: str, value: Any) -> str:
    if isinstance(value, str) and _storable(value):
        return value
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise ActError(CONTENT, f"The value of the parameter {name[:64]} is a text or a number.")


def _storable(text: str) -> bool:
    """Whether a text can be written down: half a character, which JSON can say, cannot."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
