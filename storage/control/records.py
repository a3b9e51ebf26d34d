"""How values lie in the control database beside plain columns: canonical JSON and digests.

In: plain values. Out: text or bytes, always the same for equal values. Invariant: canonical JSON has sorted keys and
no spaces, so that its SHA-256 names the content.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")


def to_json(value: object) -> str:
    """Canonical JSON text."""
    return _encoder.encode(value).decode()


def from_json(text: str | None) -> Any:
    """The value of a JSON text; None for none."""
    return None if text is None else msgspec.json.decode(text)


def digest_of_json(value: object) -> str:
    """SHA-256 of the canonical JSON, as hexadecimal text."""
    return sha256(_encoder.encode(value)).hexdigest()


def digest_of_devices(uids: Iterable[str]) -> str:
    """SHA-256 over the sorted device uids, one a line: what a frozen target is known by."""
    return sha256("".join(f"{uid}\n" for uid in sorted(set(uids))).encode()).hexdigest()
