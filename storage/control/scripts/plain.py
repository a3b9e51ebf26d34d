r"""Our own declarations, the same in every language that writes comments with `#`:

    # muster:input path "Path" "The folder to look below" allowed=/var allowed=/home custom default=/var
    # muster:output free_space size "Free space" "Free space of the drive"

In: a script's text. Out: what these lines declare, into a `Finding`. Invariant: a line that begins like a declaration
and is none is a problem, never ignored. Words are split as a shell does.
"""

from __future__ import annotations

import re
import shlex

from storage.control.scripts.found import Finding, FoundInput, FoundOutput

LINE = re.compile(r"\s*#\s*muster:([A-Za-z]*)(?:\s+(.*))?\Z")
KEYS = ("allowed", "default")


def find(text: str, finding: Finding) -> None:
    """Find the declarations of a script."""
    for number, line in enumerate(text.split("\n"), start=1):
        if "muster:" not in line or not (said := LINE.match(line.rstrip("\r"))):
            continue
        try:
            words = shlex.split(said[2] or "", posix=True)
        except ValueError:
            finding.problem(number, "a quotation mark is not closed")
            continue
        match said[1]:
            case "input" if words:
                _input(words, number, finding)
            case "output" if len(words) >= 2:
                name, kind, label, description = (*words, "", "")[:4]
                finding.output(FoundOutput(name, kind, number, label, description, written=False))
            case "input":
                finding.problem(number, "write `# muster:input NAME`")
            case "output":
                finding.problem(number, "write `# muster:output NAME TYPE`")
            case other:
                finding.problem(number, f"there is no muster:{other}, only muster:input and muster:output")


def _input(words: list[str], line: int, finding: Finding) -> None:
    name, *rest = words
    said: dict[str, list[str]] = {key: [] for key in KEYS}
    texts, custom = [], False
    for word in rest:
        key, sign, value = word.partition("=")
        if sign and key in KEYS:
            said[key].append(value)
        elif word == "custom":
            custom = True
        else:
            texts.append(word)
    if len(texts) > 2 or len(said["default"]) > 1:
        finding.problem(line, f"input {name} has a label, a description and a default, one of each")
        return
    label, description = (*texts, "", "")[:2]
    default = said["default"][0] if said["default"] else None
    item = FoundInput(name, line, label, description, tuple(said["allowed"]), custom, default, default is None)
    finding.input(item)
