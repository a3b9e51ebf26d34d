"""What the control database refuses, and why. Each error carries a code for machines and a sentence for people.

Invariant: nothing was written when one of these is raised. Surfaces turn them into their own wire shapes; no surface
is known here.
"""

from __future__ import annotations


class ControlError(Exception):
    """Base of all. `code` is stable and in snake case; the text is the sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class NotFoundError(ControlError):
    """The thing named does not exist (or not for whoever asks)."""


class RefusedError(ControlError):
    """The request is understood and not allowed: a used key, a revoked device, a changed output type."""


class ConflictError(ControlError):
    """The request contradicts what is stored: a taken name, an idempotency key used for another request."""


class UnavailableError(ControlError):
    """The database cannot write now (full disk, read-only folder). Reads go on; the same call may succeed later."""
