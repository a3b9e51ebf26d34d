"""Reads a text by the table of `nql.syntax.grammar`: LALR(1), with a scanner for what each state accepts.

In: a table, a builder with one method a rule, a text. Out: what the builder made of the whole text; or the place where
reading cannot go on and the terminals that could stand there. Invariant: time is linear in the text's length, and texts
are read exactly as Lark reads them by the same grammar, which tests compare. What is wrong with a text in words is not
said here. Parts are kept flat: a repetition puts nothing on the stack of values, so that no list is made twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from nql.diagnostics import Span
from nql.syntax.grammar import END, Table

Scan = Callable[[str, int], "re.Match[str] | None"]


class Token(NamedTuple):
    """A terminal as it stands in the text, from `start` to before `end`."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Its place."""
        return Span(self.start, self.end)


class Rule(NamedTuple):
    """A rule that ends: how many symbols it has, what it gives, and the builder's method, if its parts become one."""

    size: int
    gives: str
    build: Callable[[list[Any]], Any] | None


class State:
    """Where reading stands: for each symbol the state it leads to, or the rule that ends before it. `moves` has, of
    each group of the scanner that can stand here, its terminal, the state it leads to at once, and whether the builder
    is told of it."""

    __slots__ = ("ends", "moves", "scan", "steps")

    def __init__(self) -> None:
        self.steps: dict[str, State] = {}
        self.ends: dict[str, Rule] = {}
        self.scan: Scan | None = None
        self.moves: dict[int | None, tuple[int, str, State | None, bool]] = {}


class Reader:
    """A table with its builder, ready for any number of texts."""

    def __init__(self, table: Table, builder: object) -> None:
        self._patterns: dict[str, str] = dict(table["terminals"])
        self._signs = frozenset(table["signs"])
        self._scans: dict[frozenset[str], re.Pattern[str]] = {}
        self._space = rf"\s*+(?:{table['space']})?+"  # nearly all space is blank, and found five times as fast so
        self.space: Callable[[str], Any] = re.compile(self._space).match
        self._dropped = frozenset(table["dropped"])
        rules = [Rule(size, gives, name and getattr(builder, name)) for size, gives, name in table["rules"]]
        states = [State() for _ in table["states"]]
        for state, (steps, ends) in zip(states, table["states"], strict=True):
            state.steps = {name: states[to] for name, to in steps.items()}
            state.ends = {name: rules[rule] for name, rule in ends.items()}
        self.first = states[0]

    def scanner(self, state: State) -> Scan:
        """What finds the terminals of a state, and the space after them. All signs are looked for in every state, last:
        that changes no other terminal, and leaves a fourth of the patterns to compile."""
        finding = self._finding(frozenset((*state.steps, *state.ends)))
        for name, group in finding.groupindex.items():
            if name in state.steps or name in state.ends:
                state.moves[group] = (group, name, state.steps.get(name), name not in self._dropped)
        state.scan = finding.match
        return state.scan

    def unknown(self, text: str, at: int) -> Span:
        """The place of what cannot stand there: a terminal of elsewhere, or one character."""
        found = self._finding(frozenset(self._patterns)).match(text, at)
        return Span(at, at + 1 if found is None or found.lastgroup is None else found.end(found.lastgroup))

    def _finding(self, names: frozenset[str]) -> re.Pattern[str]:
        wanted = names.intersection(self._patterns) | self._signs
        if wanted not in self._scans:
            either = "|".join(f"(?P<{name}>{pattern})" for name, pattern in self._patterns.items() if name in wanted)
            self._scans[wanted] = re.compile(f"(?:{either}){self._space}")
        return self._scans[wanted]


class Reading:
    """One reading of one text. `tokens` are those read so far; `place` is where reading stopped."""

    def __init__(self, reader: Reader, text: str) -> None:
        self._reader, self._text = reader, text
        self._states, self._starts, self._values = [reader.first], [0], []  # type: list[State], list[int], list[Any]
        self.tokens: list[Token] = []
        self.stopped: Span | None = None

    def result(self) -> Any:
        """What the builder made of the text, or None where it cannot be read. Raises what the builder raises."""
        reader, text, states, starts, values = self._reader, self._text, self._states, self._starts, self._values
        tokens, new = self.tokens, tuple.__new__
        at, end = reader.space(text).end(), len(text)
        while at < end:
            state = states[-1]
            found = (state.scan or reader.scanner(state))(text, at)
            move = state.moves.get(found.lastindex) if found is not None else None
            if found is None or move is None:
                self.stopped = reader.unknown(text, at)
                return None
            group, kind, to, told = move
            token = new(Token, (kind, found[group], at, found.end(group)))
            tokens.append(token)
            if to is None and (to := self._reduced(kind)) is None:
                self.stopped = token.span
                return None
            states.append(to)
            starts.append(len(values))
            if told:
                values.append(token)
            at = found.end()
        return self._ended()

    def place(self) -> Span:
        """Where reading stopped: a terminal, a character, the end of the text, or after the last token it took."""
        end = self.tokens[-1].end if self.tokens else 0
        return self.stopped if self.stopped is not None else Span(end, end)

    def expected(self) -> frozenset[str]:
        """The terminals that could stand where reading stopped."""
        state = self._states[-1]
        return frozenset(kind for kind in (*state.steps, *state.ends) if kind.isupper() and self._leads_on(kind))

    def _ended(self) -> Any:
        self.stopped = Span(len(self._text), len(self._text))
        before, self._states = self._states, self._states.copy()
        try:
            return self._values[0] if self._reduced(END) is not None else None
        finally:
            self._states = before

    def _reduced(self, kind: str) -> State | None:
        """End the rules that end before a terminal: the state it leads to then, None where it cannot stand."""
        states, starts, values = self._states, self._starts, self._values
        state = states[-1]
        while (to := state.steps.get(kind)) is None:
            rule = state.ends.get(kind)
            if rule is None:
                return None
            size, gives, build = rule
            del states[-size:]
            if size > 1:
                del starts[1 - size :]
            if build is not None:
                start = starts[-1]
                values[start:] = (build(values[start:]),)
            state = states[-1].steps[gives]
            states.append(state)
        return to

    def _leads_on(self, kind: str) -> bool:
        """Whether a terminal can stand here, once the rules that end before it have ended."""
        states = self._states.copy()
        while kind not in states[-1].steps:
            rule = states[-1].ends.get(kind)
            if rule is None:
                return False
            del states[-rule.size :]
            states.append(states[-1].steps[rule.gives])
        return True
