"""A shell script as its commands: enough of the language to know what is called with which literal words.

In: the text of a script for Bash or Zsh. Out: `Command`s: words, each literal or not, with lines. Comments, here
documents, quotes, substitutions and definitions of functions are told apart. Invariants: any text gives an answer, in
time that grows with its length; what is not understood is a word that is not literal. Nothing is ever run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DEPTH = 50
MOST_HERES = 1000
ENDS = frozenset(";&|()\n")
STARTS = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"})
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
HERE = re.compile(r"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([^\s;&|<>()'\"]+))")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command: `text` is None where it is only known when the script runs."""

    text: str | None
    line: int
    assigns: bool = False


@dataclass(slots=True)
class Command:
    """A command with its words."""

    words: list[Word] = field(default_factory=list)


def commands(text: str) -> list[Command]:
    """The commands of a script, those in substitutions too."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._line = 1
        self._heres: list[tuple[bool, str]] = []
        self._begun = 0  # here documents
        self._found: list[Command] = []

    def read(self) -> list[Command]:
        while self._place < len(self._text):
            self._list(0)
            self._step()  # a parenthesis that closes nothing, as in `case`
        return self._found

    def _step(self, count: int = 1) -> None:
        self._line += self._text.count("\n", self._place, self._place + count)
        self._place += count

    def _list(self, depth: int) -> None:
        """Commands up to a parenthesis that closes, or the end."""
        command, start = Command(), True
        while self._place < len(self._text):
            char = self._text[self._place]
            if char == ")":
                return
            if char in " \t\r" or self._text.startswith("\\\n", self._place):
                self._step(2 if char == "\\" else 1)
            elif char == "#":
                self._to("\n")
            elif here := self._here():
                self._heres.append((bool(here[1]), here[2] or here[3] or here[4]))
                self._step(here.end() - self._place)
            elif char in "<>":
                self._step()
            elif self._text.startswith("((", self._place):
                self._arithmetic()
            elif char == "(" and depth < DEPTH:
                self._defined(command)
                self._step()
                self._list(depth + 1)
                self._step()
                command, start = Command(), True
            elif char in ENDS:
                self._step()
                if char == "\n":
                    self._skip_heres()
                command, start = Command(), True
            else:
                word = self._word(depth)
                if start and (word.text in STARTS or word.assigns):
                    continue
                if start:
                    self._found.append(command)
                    start = False
                command.words.append(word)
                if word.text == "{" and command.words[0].text == "function":
                    command, start = Command(), True

    def _here(self) -> re.Match[str] | None:
        """Where a here document is announced. There may be so many, since each is looked for."""
        if self._begun == MOST_HERES or self._text.startswith("<<<", self._place):
            return None
        found = HERE.match(self._text, self._place)
        self._begun += found is not None
        return found

    def _defined(self, command: Command) -> None:
        """`name (` defines a function: that was no call."""
        if len(command.words) == 1 and self._found and self._found[-1] is command:
            self._found.pop()

    def _word(self, depth: int) -> Word:
        line, begin = self._line, self._place
        parts: list[str] = []
        literal = True
        while self._place < len(self._text):
            char = self._text[self._place]
            if char in ENDS or char in " \t\r<>":
                break
            if char == "'":
                end = self._text.find("'", self._place + 1)
                end = len(self._text) if end < 0 else end
                parts.append(self._text[self._place + 1 : end])
                self._step(end + 1 - self._place)
            elif char == '"':
                literal &= self._quoted(parts, depth)
            elif char == "\\":
                parts.append(self._text[self._place + 1 : self._place + 2])
                self._step(2)
            elif char in "$`":
                literal = False
                self._substitution(depth, quoted=False)
            else:
                parts.append(char)
                literal &= char not in "*?[~"
                self._step()
        return Word("".join(parts) if literal else None, line, bool(ASSIGNMENT.match(self._text, begin)))

    def _quoted(self, parts: list[str], depth: int) -> bool:
        """The rest of a text in double quotes; whether it is literal."""
        literal = True
        self._step()
        while self._place < len(self._text) and (char := self._text[self._place]) != '"':
            if char == "\\":
                parts.append(self._text[self._place + 1 : self._place + 2])
                self._step(2)
            elif char in "$`":
                literal = False
                self._substitution(depth, quoted=True)
            else:
                parts.append(char)
                self._step()
        self._step()
        return literal

    def _substitution(self, depth: int, *, quoted: bool) -> None:
        """What begins with `$` or a backquote, with the commands in it."""
        if self._text[self._place] == "`":
            self._step()
            self._to("`")
            self._step()
        elif self._text.startswith("$((", self._place):
            self._step()
            self._arithmetic()
        elif self._text.startswith("$(", self._place) and depth < DEPTH:
            self._step(2)
            self._list(depth + 1)
            self._step()
        elif self._text.startswith("${", self._place) and depth < DEPTH:
            self._step(2)
            self._braces(depth + 1, quoted=quoted)
            self._step()
        elif self._text.startswith("$'", self._place) and not quoted:
            self._step(2)
            self._to("'")
            self._step()
        else:
            self._step()

    def _braces(self, depth: int, *, quoted: bool) -> None:
        """Go on to the brace that closes an expansion; in double quotes, a single quote there is only a sign."""
        while self._place < len(self._text) and (char := self._text[self._place]) != "}":
            if char == "\\":
                self._step(2)
            elif char == '"':
                self._quoted([], depth)
            elif char == "'" and not quoted:
                self._step()
                self._to("'")
                self._step()
            elif char in "$`":
                self._substitution(depth, quoted=quoted)
            else:
                self._step()

    def _arithmetic(self) -> None:
        """Go past parentheses within parentheses: `<<` is no here document there."""
        depth = 0
        while self._place < len(self._text):
            char = self._text[self._place]
            depth += (char == "(") - (char == ")")
            self._step()
            if depth == 0:
                return

    def _to(self, sign: str) -> None:
        """Go on to a sign that no backslash takes away, or to the end."""
        while self._place < len(self._text) and self._text[self._place] != sign:
            self._step(2 if self._text[self._place] == "\\" and sign != "\n" else 1)

    def _skip_heres(self) -> None:
        """Skip the here documents that begin on this line; one that never ends is none."""
        for tabs, end in self._heres:
            indent = "\t*" if tabs else ""
            if stop := re.compile(rf"^{indent}{re.escape(end)}\r?$", re.MULTILINE).search(self._text, self._place):
                self._step(min(stop.end() + 1, len(self._text)) - self._place)
        self._heres.clear()
