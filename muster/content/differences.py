"""How an item in a folder differs from the one in a portal, as a text for people.

In: two items of one kind and id. Out: lines of unified diffs: what an item says, one field a line, and its scripts line
by line. Invariants: equal items give no line; what would move a terminal's cursor is shown escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

from muster.content.items import Item
from muster.query_files import printable


def lines(there: Item, here: Item) -> Iterator[str]:
    """What changes if the portal's item (`there`) becomes the folder's (`here`)."""
    before, after = _parts(there), _parts(here)
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name, []), after.get(name, [])
        place = f"{here.kind}/{here.nql_id.removeprefix('#')}/{name}"
        for line in unified_diff(old, new, f"portal/{place}", f"folder/{place}", n=2, lineterm=""):
            yield line[:1] + line[1:].replace("\t", "    ") if line.isprintable() else _shown(line)


def _shown(line: str) -> str:
    return "".join(char if char == "\t" else printable(char) for char in line).replace("\t", "    ")


def _parts(item: Item) -> dict[str, list[str]]:
    """The texts that an item consists of, each as lines."""
    said = dict(item.body)
    scripts = said.pop("scripts", {})
    text = said.pop("text", None)
    parts = {"fields": list(_fields("", said))}
    if text is not None:
        parts["text"] = text.split("\n")
    for platform, script in scripts.items():
        parts["fields"].append(f"scripts.{platform}.language: {script['language']}")
        parts[f"script for {platform}"] = script["text"].split("\n")
    return parts


def _fields(prefix: str, value: Any) -> Iterator[str]:
    """One line a field; parts of lists that have names go by them."""
    if isinstance(value, Mapping) and value:
        # The order of names says nothing, and a folder's is not the portal's.
        for name in sorted(value) if prefix else value:
            yield from _fields(f"{prefix}.{name}" if prefix else str(name), value[name])
    elif isinstance(value, list | tuple) and value and all(isinstance(part, Mapping) for part in value):
        for number, part in enumerate(value, start=1):
            name = part.get("name") or part.get("nql_id") or part.get("id") or part.get("label") or number
            yield from _fields(f"{prefix}.{name}", {key: one for key, one in part.items() if one != name})
    else:
        yield f"{prefix}: {json.dumps(value, ensure_ascii=False)}"
