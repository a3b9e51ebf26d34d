"""Which scans of a plan stored states stand for, so that what a query reads can be told before it runs.

In: the relation of a resolved plan. Out: scans, each with the grain of the states that answer in place of its rows as
far as they are there. Invariant: it is told by the plan alone; whoever asks looks where there are states.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.lazyframe.grouping import Grouping, grain_of
from engine.source import Grain
from nql.plan.relations import Active, Aggregate, Attach, Relation, Scan, SemiJoin, inputs, scans
from nql.plan.windows import Buckets


def told(relation: Relation) -> Iterator[tuple[Scan, Grain]]:
    """The scans that states stand for."""
    for of in _groupings(relation):
        grain = grain_of(of)
        if grain is not None:
            yield from ((scan, grain) for scan in scans(of.rows))
    for child in inputs(relation):
        yield from told(child)


def _groupings(node: Relation) -> Iterator[Grouping]:
    match node:
        case Aggregate():
            period = node.period if isinstance(node.period, Buckets) else None
            yield Grouping(node.input, node.keys, node.measures, period, node.time)
        case Attach():
            yield Grouping(node.events, (node.key,), node.measures)
        case SemiJoin():
            yield Grouping(node.events, (node.key,), ())
        case Active():
            yield Grouping(node.samples, (node.key,), ())
            yield Grouping(node.stored, (node.key,), ())
