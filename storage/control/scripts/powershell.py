"""Inputs and outputs of a PowerShell script.

In: the text. Out: into a `Finding`, the parameters of its `param(...)` block with their defaults, `ValidateSet`,
whether they are mandatory and what comments say of them, and what it writes with
`[Nxt]::WriteOutput<Type>("name", ...)`. Invariants: only the block at the top is the script's, those of functions are
not; a default that has to be computed is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from storage.control.scripts.found import MOST, Finding, FoundInput, FoundOutput
from storage.control.scripts.masked import Masked, masked

BEFORE = re.compile(r"(?:\s|\[[^\[\]]*\]|using\s[^\n]*\n)*param\s*\(", re.IGNORECASE)
WRITES = re.compile(r"\[\s*nxt\s*\]\s*::\s*WriteOutput([A-Za-z0-9_]*)\s*\(", re.IGNORECASE)
NAMED = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z0-9_]+))")
HELP = re.compile(
    r"^[ \t]*\.([A-Z]+)[ \t]*(\S*)[ \t]*\n(.*?)(?=^[ \t]*\.[A-Z]+\b|\Z)", re.IGNORECASE | re.MULTILINE | re.DOTALL
)
ROW = re.compile(r"[ \t]*\d+[ \t]+(\S+)[ \t]{2,}(.*)")  # of the tables .INPUTS (label, description) and .OUTPUTS
MANDATORY = re.compile(r"\bMandatory\b(?:\s*=\s*\$?(\w+))?", re.IGNORECASE)
Told = dict[tuple[str, str], str]
TYPES = {
    "string": "string", "bool": "bool", "uint32": "uint32", "float": "float", "size": "size", "ratio": "ratio",
    "bitrate": "bitrate", "datetime": "date_time", "duration": "duration", "stringlist": "string_list",
}  # fmt: skip
OPENS, CLOSES = "([{", ")]}"


def find(text: str, finding: Finding) -> frozenset[str] | None:
    """Find inputs and outputs; the inputs that are read are those of the block."""
    script = masked(text.removeprefix("\ufeff"))
    told = _help(script)
    _outputs(script, told, finding)
    if block := BEFORE.match(script.code):
        end = _end(script.code, block.end())
        if end is None:
            finding.problem(script.line(block.end()), "the block param(...) is not closed")
            return None
        for start, stop in islice(_parts(script.code, block.end(), end), MOST + 1):
            _input(script, start, stop, told, finding)
    return frozenset(finding.inputs)


def _outputs(script: Masked, told: Told, finding: Finding) -> None:
    for call in WRITES.finditer(script.code):
        line = script.line(call.start())
        kind = TYPES.get(call[1].lower())
        place = call.end()
        while place < len(script.code) and script.code[place].isspace() and place not in script.texts:
            place += 1
        name, end = script.texts.get(place, (None, place))
        follows = script.code[end : end + 200].lstrip()[:1]
        if kind is None:
            finding.problem(line, f"there is no WriteOutput{call[1][:32]}; there are {', '.join(sorted(TYPES))}")
        elif name is None or follows not in (",", ")"):
            finding.dynamic(line, "name")
        else:
            finding.output(FoundOutput(name, kind, line, description=told.get(("output", name.lower()), "")))


def _input(script: Masked, start: int, stop: int, told: Told, finding: Finding) -> None:
    """The parameter between two places: attributes, `$name`, and perhaps `= default`."""
    place, required = start, False
    allowed: tuple[str, ...] = ()
    while place < stop and (script.code[place].isspace() or script.code[place] == "["):
        if script.code[place] == "[":
            end = _end(script.code, place + 1) or stop
            attribute = script.code[place + 1 : end]
            if re.match(r"\s*ValidateSet\s*\(", attribute, re.IGNORECASE):
                allowed = _literals(script, place, end, finding)
            elif re.match(r"\s*Parameter\s*\(", attribute, re.IGNORECASE) and (said := MANDATORY.search(attribute)):
                required = (said[1] or "true").lower() in ("true", "1")
            place = end
        place += 1
    name = NAMED.match(script.code, place)
    if name is None:
        if script.code[start:stop].strip():
            finding.problem(script.line(start), "there is a parameter without a name in the block param(...)")
        return
    text = name[1] or name[2]
    words = told.get(("input", text.lower())) or _comment(script, start, place)
    given = FoundInput(
        text, script.line(place), description=words, allowed=allowed,
        default=None if required else _default(script, name.end(), stop), required=required,
    )  # fmt: skip
    finding.input(given)


def _literals(script: Masked, start: int, end: int, finding: Finding) -> tuple[str, ...]:
    inside = script.inside(start, end)
    if None in inside:
        finding.problem(script.line(start), "a value of ValidateSet is not a literal text")
    return tuple(text for text in inside if text is not None)


def _default(script: Masked, place: int, stop: int) -> str | None:
    rest = script.code[place:stop]
    sign = rest.find("=")
    if sign < 0:
        return None
    texts = script.inside(place + sign, stop)
    value = rest[sign + 1 :].strip()
    if not value:
        return texts[0] if len(texts) == 1 else None
    if value.lower() in ("$true", "$false"):
        return value[1:].lower()
    return value if re.fullmatch(r"-?\d+(\.\d+)?", value) and not texts else None


def _help(script: Masked) -> Told:
    """What the help in comments says of each input and output: in `.PARAMETER name`, or in the tables `.INPUTS`
    (number, label, description) and `.OUTPUTS` (number, label, type, description)."""
    told: Told = {}
    blocks = [text[2:].removesuffix("#>").replace("\r", "") for _, text in script.comments if text.startswith("<#")]
    for kind, name, words in (found for block in blocks for found in HELP.findall(block)):
        match kind.upper():
            case "PARAMETER":
                told["input", name.lower()] = " ".join(words.split())[:4096]
            case "INPUTS":
                told |= {("input", label): text for label, text in _rows(words)}
            case "OUTPUTS":
                told |= {("output", label): text.partition("  ")[2].strip() for label, text in _rows(words)}
    return told


def _rows(words: str) -> Iterator[tuple[str, str]]:
    """The label and the rest of each row of a table."""
    for line in words.split("\n"):
        if row := ROW.match(line):
            yield row[1].lower(), row[2].strip()[:4096]


def _comment(script: Masked, start: int, stop: int) -> str:
    inside = [text for place, text in script.comments if start <= place < stop and text.startswith("#")]
    return " ".join(line.lstrip("#").strip() for line in inside)[:4096].strip()


def _end(code: str, place: int) -> int | None:
    """Where what opened before this place closes."""
    depth = 1
    for here in range(place, len(code)):
        depth += (code[here] in OPENS) - (code[here] in CLOSES)
        if depth == 0:
            return here
    return None


def _parts(code: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts between commas that stand in no parentheses."""
    depth = 0
    for here in range(start, end):
        depth += (code[here] in OPENS) - (code[here] in CLOSES)
        if code[here] == "," and depth == 0:
            yield start, here
            start = here + 1
    yield start, end
