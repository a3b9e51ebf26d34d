"""What stands around the cursor: a condition is over at `and` and `or`, and the next one may be about anything.

In: texts that end at the cursor. Invariant: what is offered after a joining word does not depend on the condition
before it.
"""

import pytest

from nql.api import complete
from nql.catalog.load import builtin


@pytest.mark.parametrize("word", ["and", "or"])
@pytest.mark.parametrize(
    "condition",
    [
        "hardware.type == laptop",
        'name == "a"',
        "hardware.memory > 8GB",
        "last_seen > 2024-11-08",
        "hardware.type in [laptop]",
        "hardware.memory between 1 and 2",
    ],
)
def test_after_a_joining_word_every_field_is_offered(condition: str, word: str) -> None:
    first, joined = "devices | where ", f"devices | where {condition} {word} "
    offered = {item.insert for item in complete(joined, len(joined), builtin()).items}
    assert {item.insert for item in complete(first, len(first), builtin()).items} == offered
    assert {"name", "hardware.memory"} <= offered
