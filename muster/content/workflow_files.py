"""A workflow's file, or a campaign's: JSON with what is not as it would be anyway.

In: a body of a form, or what a file says. Out: the short form, the whole body. Invariant: reading what was written
gives the same body again; the id is the file's name and does not stand in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from storage.control.workflow_definition import Workflow

NAME = "nql_id"


def short(body: Mapping[str, Any], form: type[msgspec.Struct] = Workflow) -> dict[str, Any]:
    """What the file says."""
    said: dict[str, Any] = _without_defaults(msgspec.convert(body, form))
    said.pop(NAME)
    return said


def whole(nql_id: str, said: Mapping[str, Any], form: type[msgspec.Struct] = Workflow) -> dict[str, Any]:
    """The body of what a file says this of. Raises msgspec.ValidationError."""
    body: dict[str, Any] = msgspec.to_builtins(msgspec.convert({**said, NAME: nql_id}, form))
    return body


def _without_defaults(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_without_defaults(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return value
    said: dict[str, Any] = {}
    if (kind := value.__struct_config__.tag) is not None:
        said["kind"] = kind
    for field in msgspec.structs.fields(value):
        one = getattr(value, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if default is msgspec.NODEFAULT or one != default:
            said[field.encode_name] = _without_defaults(one)
    return said
