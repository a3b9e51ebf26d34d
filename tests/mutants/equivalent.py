"""Mutations that change nothing a caller could see, with the reason for each.

In: a mutation. Out: why it is equivalent, empty if it is not known to be. Invariant: an entry of `equivalent.json`
names the module, the function, what stood there and what stands there now, so that it outlives changes elsewhere; one
that no longer exists fails a test.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tests.mutants.mutations import Mutation

Entry = tuple[str, str, str, str]


@cache
def listed() -> dict[Entry, str]:
    """The reasons by module, function, before and after."""
    entries = json.loads((Path(__file__).parent / "equivalent.json").read_text(encoding="utf-8"))
    return {(item["path"], item["function"], item["before"], item["after"]): item["reason"] for item in entries}


def reason(mutation: Mutation) -> str:
    """Why a mutation is equivalent, or nothing."""
    return listed().get((mutation.path, mutation.function, mutation.before, mutation.after), "")
