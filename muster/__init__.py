"""Muster for Python: `connect` to a portal and query it, and the notebook extension (`%load_ext muster`).

What is here is loaded when it is first used, so that the command line, which lives in the same package, starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muster.client import Client, connect
    from muster.notebook import load_ipython_extension

__all__ = ["Client", "connect", "load_ipython_extension"]
_HOMES = {"Client": "muster.client", "connect": "muster.client", "load_ipython_extension": "muster.notebook"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
