"""Wildcard patterns, taken apart once for all engines.

In: a pattern as written, where `*` is any run of characters and `?` exactly one. Out: its shape in lower case, so
that most patterns become an equality or a prefix test, and the rest a regular expression or a LIKE. Invariant: a
pattern matches a whole text, and both sides are lower-cased before they meet. Negation and nulls are not decided
here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

LONGEST = (
    5_000  # characters a general pattern may demand; no stored text has as many, and longer ones do not fit a regex
)


class Shape(Enum):
    """The form of a pattern, from which an engine picks its cheapest test."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    CONTAINS = "contains"
    ANY = "any"
    GENERAL = "general"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A shape with its lower-cased text: without the stars for all shapes but `GENERAL`, which keeps both wildcards."""

    shape: Shape
    text: str


def classify(pattern: str) -> Pattern:
    """The shape of a pattern as written."""
    text = re.sub(r"\*+", "*", pattern.lower())
    inner = text.strip("*")
    if "*" in inner or "?" in inner:
        shape = Shape.NEVER if len(text) > LONGEST else Shape.GENERAL
        return Pattern(shape, text)
    if not inner and text:
        return Pattern(Shape.ANY, "")
    starts, ends = text.startswith("*"), text.endswith("*")
    shapes = {(False, False): Shape.EXACT, (False, True): Shape.PREFIX, (True, False): Shape.SUFFIX}
    return Pattern(shapes.get((starts, ends), Shape.CONTAINS), inner)


def regex(text: str) -> str:
    """The regular expression of a general pattern, in the syntax that Rust, RE2 and Python share."""
    parts = {"*": ".*", "?": "."}
    return "(?s)^" + "".join(parts.get(char) or re.escape(char) for char in text) + "$"


def like(text: str, escape: str = "\\") -> str:
    """The LIKE pattern of a general pattern, with `escape` before characters that LIKE would read."""
    parts = {"*": "%", "?": "_", "%": escape + "%", "_": escape + "_", escape: escape * 2}
    return "".join(parts.get(char, char) for char in text)
