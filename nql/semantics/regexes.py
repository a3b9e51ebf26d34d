"""Regular expressions that mean the same in every engine.

In: a pattern as written. Out: the same pattern in the few forms that all engines agree on, or what is wrong with it.
Allowed are texts, `.`, `^`, `$`, `|`, groups, sets, `\\d \\w \\s` (of ASCII) and their opposites, escaped signs, and
the repeats `* + ? {n} {n,} {n,m}`, each perhaps lazy. Invariant: what a pattern can cost is bounded; looking around,
references and flags do not exist, so every engine matches in linear time.
"""

from __future__ import annotations

import re

LONGEST = 500
MOST_REPEATS = 1_000  # of one part, over all the groups it lies in

_SHORT = {"d": "0-9", "w": "0-9A-Za-z_", "s": r" \t\n\r\f\v"}
_CONTROLS = "tnrfv"
_SPECIAL = frozenset("\\^$.|?*+()[]{}-&~#")
_TOKEN = re.compile(
    r"""(?P<escape>\\[\s\S])
    | (?P<set>\[\^?(?:\\[\s\S]|[^\]\\\[])+\])
    | (?P<open>\((?:\?:)?(?!\?))
    | (?P<close>\))
    | (?P<repeat>(?:[*+?]|\{\d{1,4}(?:,\d{0,4})?\})\??)
    | (?P<sign>[^\\\[\](){}*+?])""",
    re.VERBOSE,
)


def canonical(pattern: str) -> str:
    """The pattern in its common form. Raises ValueError saying what is wrong with it."""
    if len(pattern) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} characters")
    built: list[str] = []
    most, last = [1], [0]  # a group: how often its parts repeat at most, and the part before the cursor (0: none)
    at = 0
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        if found is None:
            raise ValueError(f"{pattern[at : at + 3]} is not understood")
        text = found[0]
        match found.lastgroup:
            case "open":
                most.append(1)
                last.append(0)
                text = "(?:"
            case "close":
                if len(most) == 1:
                    raise ValueError("a closing ) has no opening one")
                last.pop()
                last[-1] = most.pop()
            case "repeat":
                last[-1] *= _times(text)
                if not 0 < last[-1] <= MOST_REPEATS:
                    raise ValueError(f"{text} repeats nothing" if not last[-1] else f"{text} repeats too often")
            case "escape":
                text, last[-1] = _escape(text[1]), 1
            case "set":
                text, last[-1] = _set(text), 1
            case _:
                last[-1] = 0 if text in "^$|" else 1
        most[-1] = max(most[-1], last[-1])
        if found.lastgroup == "repeat":
            last[-1] = 0  # a repeat of a repeat needs brackets
        built.append(text)
        at = found.end()
    if len(most) > 1:
        raise ValueError("an opening ( is not closed")
    return "".join(built)


def _times(repeat: str) -> int:
    numbers = [int(number) for number in re.findall(r"\d+", repeat)]
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        raise ValueError(f"{repeat} ends before it starts")
    return max(numbers, default=1) or 1


def _escape(sign: str) -> str:
    if sign.lower() in _SHORT:
        return f"[{'^' if sign.isupper() else ''}{_SHORT[sign.lower()]}]"
    if sign in _CONTROLS:
        return f"\\{sign}"
    if sign.isalnum():
        raise ValueError(f"\\{sign} is not understood: there are \\d, \\w, \\s and their capitals")
    return _literal(sign)


def _set(text: str) -> str:
    """A set, its short forms written out and all else escaped."""
    negated = text.startswith("[^")
    signs = re.findall(r"\\[\s\S]|[\s\S]", text[2:-1] if negated else text[1:-1])
    built: list[str] = []
    for place, sign in enumerate(signs):
        if sign == "-" and 0 < place < len(signs) - 1:
            low, high = signs[place - 1][-1], signs[place + 1][-1]
            if low > high or len(signs[place - 1]) + len(signs[place + 1]) > 2:
                raise ValueError(f"{low}-{high} is not a range")
            built.append("-")
        elif len(sign) == 1:
            built.append(_literal(sign))
        elif sign[1] in _SHORT:
            built.append(_SHORT[sign[1]])
        elif sign[1] in _CONTROLS:
            built.append(sign)
        elif sign[1].isalnum():
            raise ValueError(f"{sign} is not understood in a set")
        else:
            built.append(_literal(sign[1]))
    if not built:
        raise ValueError(f"{text} is an empty set")
    return f"[{'^' if negated else ''}{''.join(built)}]"


def _literal(sign: str) -> str:
    return f"\\{sign}" if sign in _SPECIAL else sign
