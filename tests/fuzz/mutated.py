"""Random texts made from good ones, and from nothing.

In: a source of chance. Out: a text. Seeds are all queries of `tests/logic`, those of the diagnostic codes and of the
extensions, and generated ones; a few characters or words of them are left out, doubled, swapped or replaced, or two of
them are spliced. Invariant: the texts depend on chance and the seeds alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from nql.codes import CODES
from nql.extensions import EXTENSIONS
from nql.functions import FUNCTIONS
from tests.fuzz.written import query as written
from tests.fuzz.written import words_of
from tests.logic.records import parse
from tests.properties.texts import query as generated

LOGIC = Path(__file__).parent.parent / "logic"
SIGNS = "\"'“”|()[]{}.,;:=!<>+-*/^$#%&@?~`\\ \n\r\t\u00a0\ufeff\u2028\x00\x1bé😀İß\ud800019azAZ_"
HARD = [
    "/*", "*/", "//", "''", '""', "not ", "is not ", "!in", "in [", "[]", "()", ".avg", ".count()", "v1.2", "10.0.0.1",
    "::1", "/64", "2024-02-30", "9" * 25, "0.0", "1e9", "$x", "let a = b;", "by 1d fill", "limit 0", "between 1 and",
    " and ", " or ", "null", "-" * 5, "^", "| ", "as(format = percent)", "#", "x.y.z", "from 1d ago to", "past 0d",
    "99999999999d", "shift 1h", "by 30s", "latest by", "offset", "desc", "if(a > 1, b, c)", "countif(", "\n\n",
]  # fmt: skip


@cache
def seeds() -> tuple[str, ...]:
    """Every query that is written down somewhere."""
    found = [text for code in CODES.values() for text in (code.wrong, code.right) if text]
    found += [item.example for item in EXTENSIONS.values()] + [item.example for item in FUNCTIONS.values()]
    for path in sorted(LOGIC.rglob("*.nqltest")):
        found += [record.query for record in parse(path.read_text(encoding="utf-8"))]
    return tuple(dict.fromkeys(found))


def text(chance: Random) -> str:
    """Any text."""
    match chance.choices(["mutated", "written", "words", "signs"], (55, 30, 10, 5))[0]:
        case "mutated":
            return mutated(chance, seed(chance))
        case "written":
            return written(chance) if chance.random() < 0.7 else mutated(chance, written(chance))
        case "words":
            pool = words_of(seed(chance) + " " + seed(chance)) + chance.sample(HARD, 5)
            return chance.choice([" ", ""]).join(chance.choices(pool, k=chance.randint(0, 25)))
        case _:
            return "".join(chance.choices(SIGNS, k=chance.randint(0, 60)))


def seed(chance: Random) -> str:
    """A good text."""
    return generated(chance) if chance.random() < 0.3 else chance.choice(seeds())


def mutated(chance: Random, found: str) -> str:
    """A text with one to four changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        found = chance.choice(MUTATIONS)(chance, found)
    return found[:16_100]


def _cut(chance: Random, text: str) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + text[at + chance.randint(1, 8) :]


def _insert(chance: Random, text: str) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice([chance.choice(HARD), chance.choice(SIGNS)]) + text[at:]


def _replace(chance: Random, text: str) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(SIGNS) + text[at + 1 :]


def _double(chance: Random, text: str) -> str:
    at, length = chance.randint(0, len(text)), chance.randint(1, 40)
    return text[: at + length] + text[at : at + length] * chance.choice((1, 1, 2, 20)) + text[at + length :]


def _swap_words(chance: Random, text: str) -> str:
    words = words_of(text)
    if len(words) > 1:
        one, two = chance.randrange(len(words)), chance.randrange(len(words))
        words[one], words[two] = words[two], words[one]
    return "".join(words)


def _other_word(chance: Random, text: str) -> str:
    words, others = words_of(text), words_of(seed(chance))
    if words and others:
        words[chance.randrange(len(words))] = chance.choice(others)
    return "".join(words)


def _same_kind(chance: Random, text: str) -> str:
    """A name for a name, a number for a number, a sign for a sign."""
    words, others = words_of(text), words_of(seed(chance))
    at = chance.randrange(len(words)) if words else 0
    alike = [word for word in others if words and kind(word) == kind(words[at])]
    if alike:
        words[at] = chance.choice(alike)
    return "".join(words)


def kind(word: str) -> str:
    """What sort of word it is."""
    return "number" if word[0].isdigit() else "name" if word[0].isalpha() else "space" if word.isspace() else "sign"


def _splice(chance: Random, text: str) -> str:
    other = seed(chance)
    return text[: chance.randint(0, len(text))] + other[chance.randint(0, len(other)) :]


def _end(chance: Random, text: str) -> str:
    return text[: chance.randint(0, len(text))]


def _case(chance: Random, text: str) -> str:
    return chance.choice([str.upper, str.lower, str.title, str.swapcase])(text)


MUTATIONS: tuple[Callable[[Random, str], str], ...] = (
    _cut, _cut, _insert, _insert, _replace, _replace, _double, _swap_words, _other_word, _splice, _end, _case,
    *([_same_kind] * 9),
)  # fmt: skip
