"""Inputs and outputs of a script for Bash or Zsh.

In: the text. Out: into a `Finding`, what it takes by place between the lines NXT_PARAMETERS_BEGIN and
NXT_PARAMETERS_END (`name=$1`), and what it writes with `nxt_write_output_<type> name ...` or
`muster_output type name ...`; which inputs it names. Invariant: places are taken without a gap, since that is how
values are given.
"""

from __future__ import annotations

import re

from storage.control.scripts.found import TYPES, Finding, FoundInput, FoundOutput
from storage.control.scripts.words import Word, commands

BEGIN, END = re.compile(r"\s*#.*\bNXT_PARAMETERS_BEGIN\b"), re.compile(r"\s*#.*\bNXT_PARAMETERS_END\b")
TAKEN = re.compile(
    r"""\s*(?:(?:declare|typeset|local|readonly|export)\s+(?:-\w+\s+)*)?(?P<name>[^\s=]+)=
        (?P<quote>["']?)\$(?:(?P<plain>\d+)|\{(?P<braced>\d+)(?::?-(?P<default>[^}]*))?\})(?P=quote)
        \s*(?:;\s*)?(?:\#\s*(?P<comment>.*))?\Z""",
    re.VERBOSE,
)
NAMED = re.compile(r"\bMUSTER_INPUT_([A-Za-z0-9_]+)")
BY_PLACE = re.compile(r"MUSTER_INPUTS\b|\$(?:[1-9@*]|\{[1-9@*])")
VENDOR = "nxt_write_output_"


def find(text: str, language: str, finding: Finding) -> frozenset[str] | None:
    """Find inputs and outputs; the inputs that are read, None if any may be."""
    _inputs(text, language, finding)
    for command in commands(text):
        first, *given = command.words
        if first.text and first.text.startswith(VENDOR):
            _output(Word(first.text.removeprefix(VENDOR), first.line), given, finding)
        elif first.text == "muster_output":
            _output(given[0] if given else Word("", first.line), given[1:], finding)
    if finding.inputs or not BY_PLACE.search(text):
        return frozenset({name.lower() for name in NAMED.findall(text)} | set(finding.inputs))
    return None


def _output(kind: Word, given: list[Word], finding: Finding) -> None:
    if kind.text is None:
        finding.dynamic(kind.line, "type")
    elif kind.text not in TYPES:
        finding.problem(kind.line, f"there is no type of outputs {kind.text[:32]!r}, only {', '.join(TYPES)}")
    elif not given:
        finding.problem(kind.line, "an output is written without a name")
    elif given[0].text is None:
        finding.dynamic(given[0].line, "name")
    else:
        finding.output(FoundOutput(given[0].text, kind.text, kind.line))


def _inputs(text: str, language: str, finding: Finding) -> None:
    begun, comment, taken = 0, "", []
    for number, line in enumerate(text.replace("\r", "").split("\n"), start=1):
        if BEGIN.match(line):
            begun = number
        elif END.match(line):
            begun = 0
        elif begun and (said := TAKEN.match(line)):
            taken.append(_taken(said, number, language, comment, finding))
        if begun:
            comment = line.strip().lstrip("#").strip() if line.strip().startswith("#") and number > begun else ""
    if begun:
        finding.problem(begun, "NXT_PARAMETERS_BEGIN has no NXT_PARAMETERS_END")
    for expected, item in enumerate(sorted(taken, key=lambda item: item.position or 0), start=1):
        if item.position != expected:
            wrong = "taken a second time" if (item.position or 0) < expected else f"taken, but ${expected} is not"
            finding.problem(item.line, f"input ${item.position} is {wrong}")
            break
    for item in taken:
        finding.input(item)


def _taken(said: re.Match[str], line: int, language: str, comment: str, finding: Finding) -> FoundInput:
    if said["plain"] and len(said["plain"]) > 1 and language == "bash":
        finding.problem(line, f"Bash reads ${said['plain']} as $1 and digits; write ${{{said['plain']}}}")
    if said["quote"] == "'":
        finding.problem(line, f"in single quotes, ${said['plain'] or said['braced']} is a text and no input")
    position = int((said["plain"] or said["braced"])[:4])
    words = (said["comment"] or comment).strip()
    default = said["default"] if said["default"] is not None and "$" not in said["default"] else None
    return FoundInput(
        said["name"], line, description=words, default=default, required=default is None, position=position
    )
