"""A text as pieces: its terminals in order, each with the comments beside it and the blank line before it.

In: a text that can be read. Out: `Piece`s, their texts tidied (words of the language in lower case, no needless space
inside), and the comments after the last one. Invariant: every comment of the text is in exactly one piece; one on the
line of what precedes it belongs to that, any other to what follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nql.diagnostics import Span
from nql.syntax.parse import terminals

VALUES = frozenset({"PATH", "TEXT", "NUMBER", "DATE", "ADDRESS", "VERSION", "PARAMETER", "CHAIN"})
_GAP = re.compile(r"(?P<comment>/\*(?:[^*]|\*(?!/))*\*/|//[^\r\n]*)|\s+|.", re.DOTALL)
_SPACES = re.compile(r"\s+")
_PLAIN = re.compile(r"[\w.#-]*")
_BLANK = re.compile(r"\n[^\S\n]*\r?\n")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: whether it begins its line, has a blank line before it, and has a line end behind it."""

    text: str
    first: bool
    blank: bool
    last: bool


@dataclass(slots=True)
class Piece:
    """One terminal with its tidied text, its place in the text and the comments around it."""

    kind: str
    text: str
    span: Span
    before: list[Comment] = field(default_factory=list)
    after: list[Comment] = field(default_factory=list)
    blank: bool = False


def pieces(text: str) -> tuple[list[Piece], list[Comment]]:
    """The pieces of a text, and the comments in lines of their own at its end."""
    found: list[Piece] = []
    lists: list[bool] = []
    end = 0
    for kind, span in terminals(text):
        trailing, leading, blank = _comments(text[end : span.start], start=not found)
        if found:
            found[-1].after += trailing
        before = found[-1].kind if found else ""
        value = before in ("OPERATOR", "ASSIGN", "LSQB") or (before == "COMMA" and lists[-1:] == [True])
        found.append(Piece(kind, _tidy(kind, text[span.start : span.end], value=value), span, leading, [], blank))
        if kind in ("LPAR", "LSQB"):
            lists.append(kind == "LSQB")
        elif kind in ("RPAR", "RSQB"):
            lists.pop()
        end = span.end
    trailing, leading, _ = _comments(text[end:], start=not found)
    if found:
        found[-1].after += trailing
    return found, leading


def _comments(gap: str, *, start: bool) -> tuple[list[Comment], list[Comment], bool]:
    """The comments of a gap: those of the piece before it, those of the piece after it, and whether a blank line stands
    right before that piece."""
    if not gap or gap.isspace():
        return [], [], bool(_BLANK.search(gap))
    trailing: list[Comment] = []
    leading: list[Comment] = []
    space = ""
    for part in _GAP.finditer(gap):
        if part["comment"] is None:
            space += part[0]
            continue
        first = "\n" in space or bool(leading) or start
        following = gap.find("/", part.end())
        last = gap.find("\n", part.end(), following if following >= 0 else len(gap)) >= 0
        comment = Comment(part[0].rstrip(), "\n" in space, bool(_BLANK.search(space)), last)
        (leading if first else trailing).append(comment)
        space = ""
    return trailing, leading, bool(_BLANK.search(space))


def _tidy(kind: str, text: str, *, value: bool) -> str:
    """A terminal as it should be written. `value` says that a value is expected there, not a name."""
    match kind:
        case "PATH":
            tidied = _without_space(text)
            return tidied.lower() if value and tidied.lower() in ("true", "false", "null") else tidied
        case "CHAIN":
            return _without_space(text)
        case "NUMBER":
            return _SPACES.sub("", text)
        case "DATE":
            return _SPACES.sub(" ", text)
        case "TEXT" | "ADDRESS" | "VERSION" | "PARAMETER":
            return text
        case "OPERATOR":
            spaced = _SPACES.sub(" ", text).lower()
            return f"!{spaced[1:].lstrip()}" if spaced.startswith("! ") else spaced
        case _:
            return _SPACES.sub(" ", text).lower()


def _without_space(path: str) -> str:
    """A path without the space around its dots; its comments stay, those to the end of a line with that end."""
    if _PLAIN.fullmatch(path):
        return path
    parts: list[str] = []
    for part in re.finditer(r"/\*(?:[^*]|\*(?!/))*\*/|//[^\r\n]*|\s+|[^\s/]+|/", path):
        if part[0].startswith("//"):
            parts.append(f"{part[0].rstrip()}\n")
        elif not part[0].isspace():
            parts.append(part[0])
    return "".join(parts)
