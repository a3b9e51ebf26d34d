"""Queries in files: which files a person means by paths, and the text in each, whatever bytes it holds.

In: paths of files and folders, `-` for standard input. Out: `Found`s in a stable order, each with its text or with
the one `Finding` that says why there is none. Invariants: nothing a file may be (a broken link, another encoding, a
device, a gigabyte) ends in an exception or in reading without end; a folder is walked without following links to
folders, so that no loop of links is endless.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from muster.errors import MusterError
from nql.diagnostics import Diagnostic, Span

STDIN = "-"
SUFFIX = ".nql"
MOST_BYTES = 1 << 20  # far above the longest query, in any characters
UNREADABLE = "FILE"  # the code of what is wrong with a file before it is a query
_MARKS = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Found:
    """A file: its path, its text without a byte order mark, or why it has none. `marked` says that a mark was there;
    `text` is what comes before the problem."""

    path: str
    text: str = ""
    problem: Diagnostic | None = None
    marked: bool = False

    @property
    def name(self) -> str:
        """The path for people, on one line."""
        return "<stdin>" if self.path == STDIN else printable(os.fsencode(self.path).decode(errors="backslashreplace"))

    def write(self, text: str) -> None:
        """Put a text in the place of what the file holds, with the byte order mark it had; print it for standard
        input. Raises OSError."""
        if self.path == STDIN:
            sys.stdout.write(text)
            return
        target = Path(self.path).resolve(strict=True)  # a link stays one
        fresh = target.with_name(f".{target.name}.fresh")
        try:
            fresh.write_bytes(((_BOM if self.marked else "") + text).encode())
            fresh.chmod(stat.S_IMODE(target.stat().st_mode))
            fresh.replace(target)  # a full disk or a lost process never leaves half a query
        finally:
            fresh.unlink(missing_ok=True)


def found(paths: Iterable[str]) -> Iterator[Found]:
    """Every file that the paths mean, each path in its turn. A folder means its files `*.nql`, at any depth, sorted,
    without hidden ones. Raises MusterError for a folder that holds none."""
    for path in paths:
        if path == STDIN:
            yield read(STDIN)
        elif Path(path).is_dir():
            yield from _inside(path)
        else:
            yield read(path)


def read(path: str) -> Found:
    """One file, or standard input for `-`."""
    try:
        content = _bytes(path)
    except (OSError, ValueError) as error:
        return Found(path, problem=_problem(f"The file cannot be read: {_reason(error)}."))
    if len(content) > MOST_BYTES:
        return Found(path, problem=_problem("The file is larger than 1 MiB. A query has at most 16,000 characters."))
    if any(content.startswith(mark) for mark, _ in _MARKS):
        return Found(path, problem=_problem("The file is UTF-16.", "Save it as UTF-8."))
    return _decoded(path, content)


def printable(text: str) -> str:
    """A text on one line, in which nothing moves the cursor: what cannot be printed is escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _inside(folder: str) -> Iterator[Found]:
    closed: list[OSError] = []
    empty = True
    for here, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(here, name)
            if name.endswith(SUFFIX) and not name.startswith(".") and (path.is_file() or path.is_symlink()):
                empty = False
                yield read(str(path))
    for error in closed:
        yield Found(error.filename, problem=_problem(f"The folder cannot be read: {_reason(error)}."))
    if empty and not closed:
        raise MusterError(f"There is no file *{SUFFIX} in {Found(folder).name}.", "Give another folder, or files.")


def _bytes(path: str) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(path).open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _decoded(path: str, content: bytes) -> Found:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        message = f"Byte {error.start + 1} of the file is not UTF-8."
        place = Span(len(before), len(before) + 1)
        return Found(path, before, Diagnostic(UNREADABLE, message, place, "Save it as UTF-8."))
    return Found(path, text.removeprefix(_BOM), marked=text.startswith(_BOM))


def _problem(message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(UNREADABLE, message, Span(0, 0), hint)


def _reason(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
