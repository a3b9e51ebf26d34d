"""Gives memory that is no longer used back to the system, where the C library keeps it.

In: nothing. Out: nothing. A collection of packages or programs takes a few megabytes for a moment; without this they
would stay with the process for good. Invariant: it is only ever a hint, and does nothing where there is no such call.
"""

from __future__ import annotations

import ctypes
import sys

_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None
_trim = getattr(_LIBRARY, "malloc_trim", None)


def give_back() -> None:
    """Give back what is free."""
    if _trim is not None:
        _trim(0)
