"""What is wrong with an NXQL text, and the words that could have stood there.

In: findings of the reader and the binder. Out: an `NxqlError` with every diagnostic in text order and, for clients
that read a list of names out of the error, `options`: those of the first finding that has any. Invariant: spans lie
inside the NXQL text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nql.diagnostics import Diagnostic, Fix, QueryError, Span
from nql.semantics.problems import Problems, Reported, close, did_you_mean, replacements

MOST_OPTIONS = 400


class NxqlError(QueryError):
    """A text that cannot run. `options` are the nearest names, or every name that could stand at the first error."""

    def __init__(self, diagnostics: Iterable[Diagnostic], options: Sequence[str] = ()) -> None:
        super().__init__(diagnostics)
        self.options = tuple(options)


class Findings(Problems):
    """The findings about one text. `starred` is set once a text has wildcards that stand for themselves."""

    __slots__ = ("_choices", "starred")

    def __init__(self) -> None:
        super().__init__()
        self.starred = False
        self._choices: list[tuple[Span, tuple[str, ...]]] = []

    def choice(
        self, code: str, message: str, span: Span, options: Iterable[str], *, word: str = "", hint: str = ""
    ) -> Reported:
        """Records an error at a word that had to be one of `options`. The nearest of them become hint and fixes; for
        clients the options are those, or all where none is near."""
        listed = list(dict.fromkeys(options))
        near = self.close(word, listed) if word else []
        self._choices.append((span, tuple(near or listed)[:MOST_OPTIONS]))
        hint = hint or did_you_mean(near) or (f"There are {', '.join(listed[:12])}." if listed else "")
        return self.error(code, message, span, hint, replacements(span, near))

    def stop(self) -> NxqlError:
        """The exception for all that was found."""
        first = min(self._choices, key=lambda found: found[0], default=None)
        return NxqlError([*self.errors, *self.warnings], first[1] if first is not None else ())


__all__ = ["Findings", "Fix", "NxqlError", "Reported", "close", "replacements"]
