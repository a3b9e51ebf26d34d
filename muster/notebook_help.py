"""Completion in cells that begin with `%%nql`, by IPython's own completer.

In: a cell and the cursor in it. Out: what may stand there, from the portal that the notebook is connected to.
Invariants: other cells are left to IPython; without a portal, or with one that does not answer, nothing is suggested
and nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from muster.errors import MusterError
from muster.language import Language

MAGIC = "%%nql"
KINDS = {"function": "function", "clause": "keyword", "keyword": "keyword", "table": "class", "object": "module"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A suggestion as IPython takes it."""

    text: str
    type: str


class Completer:
    """A matcher of IPython's second interface: called with what is around the cursor."""

    matcher_api_version = 2
    matcher_identifier = "muster.nql"
    matcher_priority = 200

    def __init__(self, language: Callable[[], Language | None]) -> None:
        self._language = language
        self.__qualname__ = self.matcher_identifier  # by which IPython knows it, as if it were a function

    def __call__(self, context: Any) -> dict[str, Any]:
        """The choices; none outside of cells of NQL."""
        language = self._language()
        if language is None or context.cursor_line == 0 or not context.full_text.startswith(MAGIC):
            return {"completions": []}
        before = "\n".join([*context.full_text.split("\n")[1 : context.cursor_line], context.text_until_cursor])
        text = context.full_text.partition("\n")[2]
        try:
            found = language.complete(text, len(before))
        except MusterError:
            return {"completions": []}
        typed = text[found.span.start : len(before)]
        fragment = typed if context.token.endswith(typed) else context.token
        here = len(typed) - len(fragment)
        choices = [Choice(item.insert[here:], KINDS.get(item.kind.value, "instance")) for item in found.items]
        return {"completions": choices, "matched_fragment": fragment, "suppress": True, "ordered": True}
