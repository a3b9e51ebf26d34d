"""Takes secrets out of what a script writes, however it comes in pieces.

In: values with their names, bytes as they are read. Out: the bytes with each value replaced by its name in brackets.
Invariant: a value that is written as it is never leaves here, split over reads or not; what a script encodes or takes
apart first is beyond this. At most the length of the longest value is held back, until the stream ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


class Redactor:
    """One stream."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        longest_first = sorted(secrets.items(), key=lambda item: (-len(item[1]), item[0]))
        self._marks = {value: f"[secret {name}]".encode() for name, value in reversed(longest_first)}
        self._values = [value for _, value in longest_first]
        self._pattern = re.compile(b"|".join(map(re.escape, self._values))) if self._values else None
        self._firsts = frozenset(value[0] for value in self._values)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be shown so far, of all that was read."""
        if self._pattern is None:
            return data
        whole = self._held + data
        return self._shown(whole, len(whole) - self._open(whole))

    def rest(self) -> bytes:
        """What was held back; the stream is at its end."""
        whole, self._held = self._held, b""
        return whole if self._pattern is None else self._shown(whole, len(whole))

    def _shown(self, whole: bytes, end: int) -> bytes:
        """Everything before `end`, redacted; what follows is held back. A value that begins before `end` counts."""
        assert self._pattern is not None
        pieces, at = [], 0
        for match in self._pattern.finditer(whole):
            if match.start() >= end:
                break
            pieces += [whole[at : match.start()], self._marks[match.group()]]
            at = match.end()
        pieces.append(whole[at:end])
        self._held = whole[max(at, end) :]
        return b"".join(pieces)

    def _open(self, whole: bytes) -> int:
        """How many bytes at the end may be the beginning of a value."""
        most = min(len(whole), max(map(len, self._values)) - 1)
        for length in range(most, 0, -1):
            if whole[-length] not in self._firsts:
                continue
            tail = whole[-length:]
            if any(len(value) > length and value.startswith(tail) for value in self._values):
                return length
        return 0
