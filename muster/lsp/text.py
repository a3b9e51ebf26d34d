"""A document of an editor: its text, and the way between characters and the editor's positions.

In: a text, changes of parts of it. Out: offsets in characters for positions (line, code units) and the reverse. Lines
end at `\\n`, `\\r\\n` and `\\r`, as the protocol says, and nowhere else. Invariant: any position gives an offset inside
the text (past a line's end is its end, past the last line is the end of the text), so that a confused editor gets poor
answers, never an exception; a position never lies between the two characters of `\\r\\n`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

_LINE_END = re.compile(r"\r\n|\n|\r")
_ASTRAL = re.compile(r"[^\u0000-\uffff]")


class Units(Enum):
    """What an editor counts within a line."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


@dataclass(frozen=True)
class Document:
    """A text at one version."""

    text: str
    units: Units = Units.UTF16
    version: int | None = None

    @cached_property
    def _lines(self) -> list[tuple[int, int]]:
        """Where each line begins, and where it ends without its line end."""
        ends = [(found.start(), found.end()) for found in _LINE_END.finditer(self.text)]
        starts = [0, *(end for _, end in ends)]
        return list(zip(starts, [*(start for start, _ in ends), len(self.text)], strict=True))

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _ in self._lines]

    def offset(self, line: int, unit: int) -> int:
        """The character at a position."""
        if line >= len(self._lines):
            return len(self.text)
        start, end = self._lines[max(0, line)]
        return start + self._characters(self.text[start:end], max(0, unit))

    def position(self, offset: int) -> tuple[int, int]:
        """The position of a character: line and code unit, both from 0."""
        line = bisect_right(self._starts, max(0, offset)) - 1
        start, end = self._lines[line]
        return line, self._size(self.text[start : min(offset, end)])

    def changed(self, start: int, end: int, text: str, version: int | None) -> Document:
        """The document with a text in place of the characters `[start, end)`."""
        start, end = min(start, end), max(start, end)
        return Document(self.text[:start] + text + self.text[end:], self.units, version)

    @property
    def line_end(self) -> str:
        """How its lines end, by the first of them."""
        found = _LINE_END.search(self.text)
        return found[0] if found is not None else "\n"

    def _size(self, part: str) -> int:
        match self.units:
            case Units.UTF32:
                return len(part)
            case Units.UTF16:
                return len(part) + len(_ASTRAL.findall(part))
        return len(part.encode(errors="surrogatepass"))

    def _characters(self, line: str, unit: int) -> int:
        """How many characters of a line come before a unit; one that the unit would cut comes after it."""
        if self.units is Units.UTF32 or line.isascii():
            return min(unit, len(line))
        for number, character in enumerate(line):
            unit -= self._size(character)
            if unit < 0:
                return number
        return len(line)
