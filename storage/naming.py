"""Words by which texts name a device or a person that is being erased, and texts without them.

In: identifiers and names. Out: whether a text holds one, and the text with ERASED in its place. Invariants: a text
that was blanked holds none of them any more; JSON stays JSON with its keys. What could only be this one device or
person (an identifier, `anna.meier`, `zrh-0001`) is found anywhere as a whole word, or as a part of one if it is long; a
plain word (`root`) only where it is a whole text or stands in quotes, since it may mean anything. Case does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any

import msgspec

ERASED = "(erased)"
MOST_NAMES = 200
LONG = 32  # characters of what is found also within other words, such as a UUID
LEAST = 6  # characters of an identifier that is looked for inside of texts
_PIECE = re.compile(r"[A-Za-z0-9]+")
_WORD = r"A-Za-z0-9_\-"
_encoder = msgspec.json.Encoder(order="sorted")


class Naming(msgspec.Struct, frozen=True, dict=True):
    """The words of one device or person: `ids` are identifiers, `names` what people call it. Use `naming` to make
    one."""

    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ids or self.names)

    def needles(self, *, ids_only: bool = False) -> list[str]:
        """Pieces of ASCII of which every text that is blanked holds one, in some case: for a first quick look."""
        found: set[str] = set()
        for word in self.ids if ids_only else (*self.ids, *self.names):
            longest = max(_PIECE.findall(word), key=len, default="")
            found.update({longest.lower()} if longest else {word, word.lower(), word.upper(), word.title()})
        return sorted(found)

    def blanked(self, text: str, *, ids_only: bool = False, plain: bool = True) -> str:
        """The text without these words; without identifiers alone if `ids_only`, with plain words if not `plain`."""
        if text[:1] in ("{", "[") and not ids_only:
            try:
                value = msgspec.json.decode(text)
            except msgspec.DecodeError:
                pass
            else:
                less = self.value(value, plain=plain)
                return text if less == value else _encoder.encode(less).decode()
        return self._replaced(text, ids_only=ids_only, plain=plain)

    def value(self, value: Any, *, plain: bool = True) -> Any:
        """A JSON value whose texts, not its keys, are without these words."""
        match value:
            case str():
                return self.blanked(value, plain=plain)
            case list():
                return [self.value(item, plain=plain) for item in value]
            case dict():
                return {name: self.value(item, plain=plain) for name, item in value.items()}
        return value

    def _replaced(self, text: str, *, ids_only: bool, plain: bool) -> str:
        inside, whole = self._ids if ids_only else self._all
        if inside is not None:
            text = inside.sub(ERASED, text)
        if plain and whole is not None:
            text = whole.sub(ERASED, text)
        return text

    @cached_property
    def _ids(self) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        return _patterns(self.ids, [])

    @cached_property
    def _all(self) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        return _patterns(self.ids, self.names)


def naming(ids: Iterable[str | None], names: Iterable[str | None] = ()) -> Naming:
    """The words, without empty ones and those of the stand-in itself."""
    known = [*dict.fromkeys(word for word in ids if _counts(word))]
    called = [*dict.fromkeys(word for word in names if _counts(word) and word not in known)]
    return Naming(tuple(map(str, known[:MOST_NAMES])), tuple(map(str, called[:MOST_NAMES])))


def together(words: Iterable[Naming]) -> Naming:
    """The words of several."""
    whole = list(words)
    return Naming(tuple(one for part in whole for one in part.ids), tuple(one for part in whole for one in part.names))


def _counts(word: str | None) -> bool:
    return bool(word and word.strip()) and str(word).lower() not in ERASED


def _is_plain(word: str, *, identifier: bool) -> bool:
    """Whether a word may mean anything: short, or letters alone."""
    return len(word) < (LEAST if identifier else 4) or (not identifier and word.isalpha())


def _patterns(ids: Sequence[str], names: Sequence[str]) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    plain = [word for word in ids if _is_plain(word, identifier=True)]
    plain += [word for word in names if _is_plain(word, identifier=False)]
    inside = [word for word in (*ids, *names) if word not in plain]
    return _inside(tuple(inside)), _whole(tuple(plain))


@lru_cache(maxsize=64)
def _inside(words: tuple[str, ...]) -> re.Pattern[str] | None:
    """Whole words anywhere; in text that stands in JSON a backslash is two."""
    told = sorted({form for word in words for form in (word, word.replace("\\", "\\\\"))}, key=len, reverse=True)
    apart = [rf"(?<![{_WORD}]){re.escape(word)}(?![{_WORD}])" for word in told if len(word) < LONG]
    some = [*(re.escape(word) for word in told if len(word) >= LONG), *apart]
    return re.compile("|".join(some), re.IGNORECASE) if some else None


@lru_cache(maxsize=64)
def _whole(words: tuple[str, ...]) -> re.Pattern[str] | None:
    """A whole text, or one in quotes, which a text in JSON has a backslash before."""
    some = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(rf"(?:\A|(?<=[\"']))(?:{some})(?:\Z|(?=\\*[\"']))", re.IGNORECASE) if words else None
