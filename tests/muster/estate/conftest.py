"""A small estate for the tests of what an estate holds: all its rows, by table, made once.

Comes in: nothing. Goes out: the rows of a week of some hundred devices. Invariant: it is the same in every run.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl
import pytest

from muster.estate.history import history
from muster.estate.load import planned

NOW = int(datetime(2026, 11, 26, 19, 28, tzinfo=UTC).timestamp()) * 1_000_000  # a Thursday
DEVICES, DAYS, CONNECTED = 300, 7, 15
Tables = Mapping[str, pl.DataFrame]


@pytest.fixture(scope="session")
def tables() -> Tables:
    """The rows of each table."""
    found: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for part in history(planned(DEVICES, DAYS, 1, NOW, CONNECTED)):
        found[part.table].append(part.rows)
    return {name: pl.concat(rows, how="diagonal") for name, rows in found.items()}
