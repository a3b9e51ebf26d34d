"""The brackets of a text: words and texts in nested groups.

In: a text. Out: the `Group` of everything in it. Missing closing brackets are supplied at the end, surplus ones there
are passed over. Invariant: time is linear in the length, and depth is bounded, so that whoever walks the groups may
do so by recursion. What the words mean is asked in `nql.nxql.parse`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nql.diagnostics import Fix, Span
from nql.nxql.problems import Findings

LONGEST = 16_000
DEEPEST = 40
_TOKEN = re.compile(
    r"""(?P<space>[\s\ufeff\u00a0]+|//[^\n]*)
    |(?P<open>\()|(?P<close>\))
    |(?P<dynamic>\#(?:"[^"]*"|'[^']*'|[^\s()"'“”„‘’]+))
    |(?P<text>"[^"]*"|'[^']*')
    |(?P<word>[^\s()"'#“”„‘’]+)
    |(?P<curly>[“”„‘’])|(?P<bad>.)""",
    re.VERBOSE,
)
_PARAMETER = re.compile(r"%(\d{1,2})")


@dataclass(frozen=True, slots=True)
class Atom:
    """A word, a text in quotes (`quoted`), or a dynamic name (`dynamic`); `parameter` is the number of `%1`, `#%1`."""

    text: str
    span: Span
    quoted: bool = False
    dynamic: bool = False
    parameter: int | None = None

    @property
    def word(self) -> str:
        """In lower case if it is a bare word, otherwise empty."""
        return "" if self.quoted or self.dynamic or self.parameter is not None else self.text.lower()


@dataclass(slots=True)
class Group:
    """What stands between two brackets."""

    start: int
    end: int
    items: list[Atom | Group] = field(default_factory=list)

    @property
    def span(self) -> Span:
        """From bracket to bracket."""
        return Span(self.start, self.end)

    @property
    def head(self) -> str:
        """The bare word it starts with, in lower case, or nothing."""
        first = self.items[0] if self.items else None
        return first.word if isinstance(first, Atom) else ""


def grouped(text: str, problems: Findings) -> Group:
    """The text as one group. Raises Reported."""
    if len(text) > LONGEST:
        message = f"The query is {len(text):,} characters long; at most {LONGEST:,} are allowed."
        raise problems.error("NXQL114", message, Span(LONGEST, len(text)), "Shorten it, or split it in two.")
    whole = Group(0, len(text))
    stack = [whole]
    surplus: Span | None = None
    for token in _TOKEN.finditer(text):
        kind, span = token.lastgroup, Span(*token.span())
        if kind == "space":
            continue
        if surplus is not None and kind != "close":
            fix = Fix("Remove it", surplus, "")
            raise problems.error("NXQL104", "This bracket closes nothing.", surplus, fixes=[fix])
        match kind:
            case "open":
                _open(stack, span, problems)
            case "close" if len(stack) > 1:
                stack.pop().end = span.end
            case "close":
                surplus = surplus or span
            case "curly":
                message = "Texts stand in straight quotes."
                raise problems.error("NXQL102", message, span, fixes=[Fix('Use "', span, '"')])
            case "bad":
                raise problems.error("NXQL103", "This quote is never closed.", span, "Close it with the same quote.")
            case _:
                stack[-1].items.append(_atom(token[0], span, kind or ""))
    return whole


def _open(stack: list[Group], span: Span, problems: Findings) -> None:
    if len(stack) > DEEPEST:
        raise problems.error("NXQL115", f"Brackets may be {DEEPEST} deep.", span)
    group = Group(span.start, stack[0].end)
    stack[-1].items.append(group)
    stack.append(group)


def _atom(text: str, span: Span, kind: str) -> Atom:
    dynamic = kind == "dynamic"
    name = text[1:] if dynamic else text
    quoted = name[0] in "\"'"
    if quoted:
        name = name[1:-1]
    found = None if quoted else _PARAMETER.fullmatch(name)
    return Atom(name, span, quoted, dynamic, int(found[1]) if found else None)
