"""A PowerShell text with its comments and the insides of its strings blanked, so that what is left is code.

In: the text. Out: `Masked`: code of the same length and lines, the comments, and the literal texts by where they begin.
Invariant: any text gives an answer, in time that grows with its length; a text in double quotes with `$` or a
backquote in it is not literal.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

PIECE = re.compile(
    r"""(?P<block><\#.*?(?:\#>|\Z))
      | (?P<here>@(?P<sign>["'])[ \t]*\r?\n(?P<lines>.*?)(?:\r?\n(?P=sign)@|\Z))
      | (?P<single>'(?P<plain>(?:[^']|'')*)(?:'|\Z))
      | (?P<double>"(?P<rich>(?:[^"`]|`.|"")*)(?:"|\Z))
      | (?P<escape>`.)
      | (?P<line>(?:(?<=[\s(){};,|&=\[])|\A)\#[^\n]*)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Masked:
    """The code; comments as (where they begin, their text); texts by where they begin, None if not literal, with
    where they end."""

    code: str
    comments: tuple[tuple[int, str], ...]
    texts: dict[int, tuple[str | None, int]]
    places: tuple[int, ...]  # of the texts
    breaks: tuple[int, ...]  # where lines end

    def line(self, place: int) -> int:
        """The line of a place, counted from 1."""
        return bisect_left(self.breaks, place) + 1

    def inside(self, start: int, stop: int) -> list[str | None]:
        """The texts that begin between two places."""
        found = self.places[bisect_right(self.places, start) : bisect_left(self.places, stop)]
        return [self.texts[place][0] for place in found]


def masked(text: str) -> Masked:
    """The text without what is no code."""
    code: list[str] = []
    comments: list[tuple[int, str]] = []
    texts: dict[int, tuple[str | None, int]] = {}
    place = 0
    for piece in PIECE.finditer(text):
        code.append(text[place : piece.start()])
        place = piece.end()
        code.append(_blank(piece[0]))
        match piece.lastgroup:
            case "block" | "line":
                comments.append((piece.start(), piece[0]))
            case "single":
                texts[piece.start()] = (piece["plain"].replace("''", "'"), place)
            case "double":
                rich = piece["rich"]
                texts[piece.start()] = (None if "$" in rich or "`" in rich else rich.replace('""', '"'), place)
            case "here":
                dynamic = piece["sign"] == '"' and ("$" in piece["lines"] or "`" in piece["lines"])
                texts[piece.start()] = (None if dynamic else piece["lines"], place)
    code.append(text[place:])
    breaks = tuple(found.start() for found in re.finditer("\n", text))
    return Masked("".join(code), tuple(comments), texts, tuple(texts), breaks)


def _blank(text: str) -> str:
    return "".join(char if char == "\n" else " " for char in text)
