"""What a choice replaces: the whole word or literal that the cursor touches, at its beginning, inside and at its end.

In: texts with a cursor (`¦`) and what is replaced. Invariant: a literal of several words is one thing.
"""

import pytest

from nql.api import complete
from nql.catalog.load import builtin


@pytest.mark.parametrize(
    ("marked", "replaced"),
    [
        ("execution.crashes | where time > ¦2024-11-08", "2024-11-08"),
        ("execution.crashes | where time > 2024-1¦1-08", "2024-11-08"),
        ("execution.crashes | where time > 2024-11-08¦", "2024-11-08"),
        ("devices | where hardware.memory > ¦8GB", "8GB"),
        ("devices | where na¦me", "name"),
    ],
)
def test_the_whole_word_is_replaced(marked: str, replaced: str) -> None:
    text = marked.replace("¦", "")
    span = complete(text, marked.index("¦"), builtin()).span
    assert text[span.start : span.end] == replaced
