"""Pieces of NQL that the mapping of NXQL holds: put under a prefix, or under an aggregate, wherever a path stands.

In: fragments as the mapping may write them. Invariant: they mean the same as if somebody had written them out.
"""

import pytest

from nql.diagnostics import Span
from nql.nxql.fragments import condition, every, expression, summed

HERE = Span(3, 5)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("size", "size.last()"),
        ("1 - free / size", "1 - free.last() / size.last()"),
        ('if(a == "x" and b > 0, c, b)', 'if(a.last() == "x" and b.last() > 0, c.last(), b.last())'),
        ("3", "3"),
    ],
)
def test_each_path_comes_under_the_aggregate(written: str, meant: str) -> None:
    assert summed(expression(written, HERE), "last") == expression(meant, HERE)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("size", "device.size"), ("if(free > 0, size, 1)", "if(device.free > 0, device.size, 1)")],
)
def test_each_path_comes_under_the_prefix(written: str, meant: str) -> None:
    found = expression(written, HERE, "device")
    assert found == expression(meant, HERE)
    assert found.span == HERE


def test_conditions_are_joined_and_one_stays_alone() -> None:
    one, two = condition("a == 1", HERE), condition("b == 2", HERE)
    assert every([one], "or", HERE) is one
    assert every([one, two], "or", HERE) == condition("a == 1 or b == 2", HERE)
