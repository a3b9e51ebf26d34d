"""Python values as parameters of a query.

Comes in: values, texts. Goes out: nothing. Invariant held here: what has no clear text in NQL is refused.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from muster.errors import UsageError
from muster.parameters import as_parameters, names_in


def zurich() -> str:
    return "Europe/Zurich"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a $b", "a $b"),
        (5, "5"),
        (2.5, "2.5"),
        (True, "true"),
        (date(2026, 11, 8), "2026-11-08"),
        (datetime(2026, 11, 8, 10, 30), "2026-11-08 10:30:00"),
        (datetime(2026, 11, 8, 10, 30, tzinfo=UTC), "2026-11-08 11:30:00"),
        (timedelta(seconds=1.5), "1500ms"),
        (["a", 1], ["a", "1"]),
        (pl.Series(["a", "b"]), ["a", "b"]),
    ],
)
def test_values(value: Any, text: str | list[str]) -> None:
    assert as_parameters({"x": value}, zurich) == {"x": text}


@pytest.mark.parametrize("value", [None, b"bytes", {"a": 1}, object(), [None]])
def test_what_has_no_text_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="has no text in NQL"):
        as_parameters({"x": value}, zurich)


def test_the_parameters_of_a_text() -> None:
    text = 'devices | where name == $host and entity != "$no" /* $no */ and x in $Many and name == $host'
    assert names_in(text) == ["host", "Many"]
