"""Both engines know exactly the functions that a plan may name."""

from engine.lazyframe import functions as lazyframe
from engine.sql import functions as sql
from nql.functions import MEASURES, SCALARS


def test_measures() -> None:
    assert set(lazyframe.MEASURES) == set(sql.MEASURES) == set(MEASURES)


def test_scalars() -> None:
    assert set(lazyframe.SCALARS) == set(sql.SCALARS) == set(SCALARS)
