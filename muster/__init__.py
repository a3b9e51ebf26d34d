"""Muster for Python: `connect` to a portal, query it and act; and the notebook extension (`%load_ext muster`).

What is here is loaded when it is first used, so that the command line, which lives in the same package, starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muster.answers import Answer
    from muster.client import Client, connect
    from muster.client_runs import Preview, RemoteRun
    from muster.errors import MusterError, NotAllowedError, QueryFailedError, RefusedError, UnreachableError, UsageError
    from muster.notebook import load_ipython_extension

__all__ = [
    "Answer",
    "Client",
    "MusterError",
    "NotAllowedError",
    "Preview",
    "QueryFailedError",
    "RefusedError",
    "RemoteRun",
    "UnreachableError",
    "UsageError",
    "connect",
    "load_ipython_extension",
]
_HOMES = {
    "Answer": "muster.answers",
    "Client": "muster.client",
    "Preview": "muster.client_runs",
    "RemoteRun": "muster.client_runs",
    "connect": "muster.client",
    "load_ipython_extension": "muster.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "muster.errors")), name)
