"""A whole query: its relation and what its result looks like.

`Plan` is what a cache may keep by text and catalog version: windows, dates and parameters are symbolic.
`ResolvedPlan` is the same query at one instant, for one user's zone and one set of parameter values; only it can be
translated by an engine.
"""

from __future__ import annotations

from nql.datatypes import DataType
from nql.plan.relations import Relation
from nql.plan.windows import Absolute, Window
from nql.value import value


@value
class Format:
    """Display only: `as(format = currency, code = usd)`. `name` is one of energy, weight, currency, percent,
    bitrate.
    """

    name: str
    code: str | None = None


@value
class Output:
    """One column of the result: its header (canonical path or alias), a label for people, and the relation's column
    it shows.
    """

    header: str
    label: str
    column: str
    dtype: DataType
    format: Format | None = None


@value
class ParameterUse:
    """A parameter of the query: its type, whether it stands for a list (`in $names`), the bytes of a KB in it, and
    whether it is the length of a time selection, whose unit says more than its duration, `clock` if that may not be
    days.
    """

    name: str
    dtype: DataType
    many: bool = False
    kilo: int = 1024
    length: bool = False
    clock: bool = False


@value
class Plan:
    """A typed query. `table` is the root table; `device` is the hidden column with the uid of each row's device, None
    where rows are not about one device or it was not asked for; `window` is the root table's time selection as
    written.
    """

    relation: Relation
    outputs: tuple[Output, ...]
    table: str
    window: Window | None = None
    device: str | None = None
    parameters: tuple[ParameterUse, ...] = ()


@value
class ResolvedPlan:
    """A plan at one instant. `window` is what is shown beside the result: the root's, or else the first joined
    table's.
    """

    relation: Relation
    outputs: tuple[Output, ...]
    table: str
    now: int
    zone: str
    window: Absolute | None = None
    device: str | None = None
