"""The generator of texts writes nothing in vain: every fragment stands in a text that compiles.

In: some thousand texts of `texts`, not run. Invariant: a fragment that the language does not take fails here, so that
what the long form runs is what `fragments` shows.
"""

from __future__ import annotations

from random import Random

import pytest

from nql.api import Compiler
from nql.diagnostics import QueryError
from tests.properties import fragments, texts
from tests.properties.tables import CATALOG

TEXTS = 4_000


@pytest.mark.slow
def test_every_fragment_stands_in_a_text_that_compiles() -> None:
    good = "\n".join(compiling(TEXTS)) + "\n"
    tables = (fragments.FIELDS, fragments.COMPUTED, fragments.CONDITIONS, fragments.CLOCKED, fragments.METRICS)
    written = {item for table in tables for items in table.values() for item in items}
    written |= {item for items in fragments.KEYS.values() for item in items} | set(fragments.WINDOWS)
    written |= {item.format(v="v0").replace("n + 1", "n") for item in fragments.AFTER}
    written |= {f"{item}\n" for item in fragments.PERIODS} | set(fragments.AGAIN)
    written |= {item.format(v="n") for item in fragments.COMPUTED_AFTER}
    assert sorted(item for item in written if item not in good) == []


def compiling(count: int) -> list[str]:
    """Of so many texts those that compile."""
    compiler, found = Compiler(), []
    for number in range(count):
        text = texts.query(Random(number))
        try:
            compiler.compile(text, CATALOG)
        except QueryError:
            continue
        found.append(text)
    assert len(found) > count / 2
    return found
