"""Lays pieces of text out in lines of a width, breaking where that was allowed and only where it is needed.

In: a `Doc` of texts, places for a line end and groups. Out: the text. A group stands on one line if it fits there,
otherwise all its own line ends are taken; a fill takes them one by one. Invariant: the texts come out in order and
unchanged, and a comment to the end of its line always has the line's end behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WIDTH = 100
STEP = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A place for a line end; `flat` stands there when it is not taken. A new line begins `back` before the others."""

    flat: str = " "
    back: int = 0


@dataclass(frozen=True, slots=True)
class LineComment:
    """A comment that ends with its line."""

    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Parts on one line, or one level deeper in lines of their own. `fill` takes only the line ends it needs. `size` is
    the width on one line, None if it cannot stand on one; measured once, since groups stand in groups."""

    parts: tuple[Doc, ...]
    indent: int = 0
    fill: bool = False
    size: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _total(self.parts))


Doc = str | Line | LineComment | Group

_Task = tuple[int, bool, Doc]


def lay_out(parts: Sequence[Doc]) -> str:
    """The text of parts, their own line ends all taken, without space at the ends of its lines."""
    printer = _Printer()
    todo: list[_Task] = [(0, False, part) for part in reversed(parts)]
    while todo:
        indent, flat, part = todo.pop()
        match part:
            case str():
                printer.put(part, indent)
            case LineComment(text):
                printer.put(text, indent)
                printer.waiting = True
            case Line(between, back):
                if flat:
                    printer.put(between, indent)
                else:
                    printer.end_line(indent - back)
            case Group():
                todo += _opened(part, indent, flat, printer.column, todo)
    return "".join(printer.out)


class _Printer:
    """What is put out so far, and whether a line end must come before anything else."""

    __slots__ = ("column", "out", "waiting")

    def __init__(self) -> None:
        self.out: list[str] = []
        self.column = 0
        self.waiting = False

    def put(self, text: str, indent: int) -> None:
        if self.waiting and text:
            self.end_line(indent)
            text = text.lstrip(" ")
        self.out.append(text)
        before, newline, after = text.rpartition("\n")
        self.column = len(after) if newline else self.column + len(before) + len(after)

    def end_line(self, indent: int) -> None:
        while self.out and not self.out[-1].strip(" "):
            self.out.pop()
        if self.out:
            self.out[-1] = self.out[-1].rstrip(" ")
        self.out.append("\n" + " " * indent)
        self.column, self.waiting = indent, False


def _opened(group: Group, indent: int, flat: bool, column: int, rest: list[_Task]) -> list[_Task]:
    """The parts of a group as tasks, the last first."""
    deeper = indent + group.indent
    whole = flat or _stands(group, column, rest)
    if whole or not group.fill:
        return [(deeper, whole, part) for part in reversed(group.parts)]
    return _filled(group.parts, deeper, column)


def _filled(parts: tuple[Doc, ...], indent: int, column: int) -> list[_Task]:
    """The parts of a fill: each line end is taken if what stands before the next one would not fit."""
    sizes = [_size(part) for part in parts]
    between = iter(_between(parts, sizes))
    next(between)
    tasks: list[_Task] = []
    for part, size in zip(parts, sizes, strict=True):
        if not isinstance(part, Line):
            tasks.append((indent, size is not None and indent + size <= WIDTH, part))
            column = WIDTH if size is None else column + size
            continue
        taken = column + len(part.flat) + next(between) > WIDTH
        tasks.append((indent, not taken, part))
        column = indent if taken else column + len(part.flat)
    return tasks[::-1]


def _between(parts: tuple[Doc, ...], sizes: list[int | None]) -> list[int]:
    """The widths of what stands before, between and after line ends."""
    widths = [0]
    for part, size in zip(parts, sizes, strict=True):
        if isinstance(part, Line):
            widths.append(0)
        else:
            widths[-1] = WIDTH if size is None else widths[-1] + size
    return widths


def _size(doc: Doc) -> int | None:
    """The width of something on one line; None if it cannot stand on one."""
    match doc:
        case str():
            return None if "\n" in doc else len(doc)
        case Group():
            return doc.size
        case Line(flat):
            return len(flat)
        case LineComment():
            return None


def _total(parts: tuple[Doc, ...]) -> int | None:
    """The width of parts side by side; None if they cannot stand on one line."""
    total = 0
    for part in parts:
        size = _size(part)
        if size is None:
            return None
        total += size
    return total


def _stands(group: Group, column: int, rest: list[_Task]) -> bool:
    """Whether a group and what follows it up to the next line end stand on the rest of this line."""
    if group.size is None:
        return _fits([iter(group.parts)], column, rest)
    return column + group.size <= WIDTH and _fits([], column + group.size, rest)


def _fits(todo: list[Iterator[Doc]], column: int, rest: list[_Task]) -> bool:
    """Whether parts on one line and what follows them stand there, looked at only as far as needed."""
    flat = own = bool(todo)
    later = len(rest)
    while column <= WIDTH:
        if todo:
            part = next(todo[-1], None)
            if part is None:
                todo.pop()
                continue
        elif later:
            later -= 1
            own = False
            _, flat, part = rest[later]
        else:
            return True
        match part:
            case str():
                first, newline, _ = part.partition("\n")
                column += len(first)
                if newline:
                    return column <= WIDTH
            case LineComment():
                return not own or not any(True for parts in todo for _ in parts)
            case Line(between):
                if not flat:
                    return True
                column += len(between)
            case Group():
                todo.append(iter(part.parts))
    return False
