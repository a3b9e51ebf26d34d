"""What was found in a script: inputs, outputs, and what is wrong, each with its line.

Data, and the rules that hold in every language: names are literal and of one form, an output has one type. Invariant:
the order of `inputs` is the order in which a script takes them; lines count from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
TYPES = ("string", "bool", "uint32", "float", "size", "ratio", "bitrate", "date_time", "duration", "string_list")
MOST = 50  # inputs, and outputs


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a script may not do, or that cannot be read."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class FoundInput:
    """An input that a script declares. `position` counts from 1 where it is taken by its place; a `required` one has
    no default."""

    name: str
    line: int
    label: str = ""
    description: str = ""
    allowed: tuple[str, ...] = ()
    custom: bool = False
    default: str | None = None
    required: bool = False
    position: int | None = None


@dataclass(frozen=True, slots=True)
class FoundOutput:
    """An output that a script declares (in a comment), writes, or both."""

    name: str
    type: str
    line: int
    label: str = ""
    description: str = ""
    written: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """All of a script. `reads` are the inputs it names in any way, in lower case; None if that cannot be told."""

    inputs: tuple[FoundInput, ...] = ()
    outputs: tuple[FoundOutput, ...] = ()
    problems: tuple[Problem, ...] = ()
    reads: frozenset[str] | None = None


@dataclass(slots=True)
class Finding:
    """A search under way."""

    inputs: dict[str, FoundInput] = field(default_factory=dict)
    outputs: dict[str, FoundOutput] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, line: int, message: str) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(line, message))

    def input(self, item: FoundInput) -> None:
        """Note an input."""
        if self._named("input", item.name, item.line):
            if item.name.lower() in self.inputs:
                self.problem(item.line, f"input {item.name} is declared a second time")
            else:
                self.inputs[item.name.lower()] = item

    def output(self, item: FoundOutput) -> None:
        """Note an output; one that is written in several places is one."""
        if not self._named("output", item.name, item.line):
            return
        if item.type not in TYPES:
            self.problem(item.line, f"output {item.name} has the type {item.type[:32]!r}; there are {', '.join(TYPES)}")
            return
        known = self.outputs.get(item.name.lower())
        if known is None:
            self.outputs[item.name.lower()] = item
        elif known.name != item.name:
            self.problem(item.line, f"output {item.name} is written {known.name} in line {known.line}")
        elif known.type != item.type:
            self.problem(item.line, f"output {item.name} is a {item.type} here and a {known.type} in line {known.line}")
        else:
            whole = replace(known, written=known.written or item.written, label=known.label or item.label)
            self.outputs[item.name.lower()] = whole

    def dynamic(self, line: int, what: str) -> None:
        """Note a name that is not literal."""
        self.problem(line, f"the {what} of an output is not a literal text; write it out, so that it can be found")

    def found(self, reads: frozenset[str] | None) -> Found:
        """All that was found."""
        for kind, items in (("inputs", self.inputs), ("outputs", self.outputs)):
            if len(items) > MOST:
                self.problem(1, f"the script has {len(items)} {kind}; {MOST} are the most")
        ordered = sorted(self.problems, key=lambda problem: problem.line)
        inputs = sorted(self.inputs.values(), key=lambda item: item.position or 0)
        return Found(tuple(inputs), tuple(self.outputs.values()), tuple(ordered), reads)

    def _named(self, kind: str, name: str, line: int) -> bool:
        if NAME.match(name):
            return True
        rule = "letters, digits and _, beginning with no digit, at most 64"
        self.problem(line, f"{kind} {name[:64]!r} has no good name: a name is of {rule}")
        return False
