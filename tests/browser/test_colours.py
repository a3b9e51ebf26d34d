"""The colours of the console: dark is the same list twice, and every text can be read on what it stands on."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

ROLES = Path(__file__).parents[2] / "portal" / "web" / "styles" / "sheets" / "roles.css"
LEAST = 4.5  # contrast of text, WCAG 2 AA
SURFACES = ("surface", "surface-low", "surface-high", "hover", "selected")
TEXTS = ("text", "muted")
CODE = ("keyword", "table", "field", "function", "member", "string", "number", "parameter", "comment", "operator")
TONES = ("ok", "warn", "bad", "info")

Colours = dict[str, str]


def blocks() -> dict[str, Colours]:
    """The roles of light, of dark by the system, and of dark by choice."""
    text = ROLES.read_text()
    found = {
        "light": re.search(r"^:root \{(.*?)^\}", text, re.DOTALL | re.MULTILINE),
        "system": re.search(r':root:not\(\[data-theme="light"\]\) \{(.*?)\}', text, re.DOTALL),
        "chosen": re.search(r'^:root\[data-theme="dark"\] \{(.*?)^\}', text, re.DOTALL | re.MULTILINE),
    }
    return {name: dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", match[1])) for name, match in found.items() if match}


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_dark_is_dark_whoever_asks_for_it() -> None:
    found = blocks()
    assert found["system"] == found["chosen"]
    assert found["system"].keys() == found["light"].keys()


@pytest.mark.parametrize("theme", ["light", "system"])
def test_every_text_can_be_read(theme: str) -> None:
    colours = blocks()[theme]
    pairs = [
        *product(TEXTS, SURFACES),
        *product([f"nql-{kind}" for kind in CODE], ("surface", "surface-high", "hover")),
    ]
    pairs += [(tone, f"{tone}-soft") for tone in TONES] + [("muted", "neutral-soft"), ("on-accent", "accent")]
    pairs += [(tone, "surface") for tone in TONES] + [("accent", "surface"), ("accent", "accent-soft")]
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: value for pair, value in weak.items() if value < LEAST} == {}
