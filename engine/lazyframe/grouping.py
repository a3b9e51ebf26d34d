"""Groupings that follow how a table's rows lie: part by part, and from states that were stored where these will do.

In: the rows below a grouping, its keys and measures, and a source that tells its parts. Out: a lazy frame of the
groups, or None where rows are to be grouped in the plain way. Invariant: the answer is that of the plain way, however
rows are cut into parts and whichever spans of time have stored states; only its cost differs. Parts sorted by device
are grouped by their order, without a hash; attributes of objects are joined to the groups and not to the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import polars as pl

from engine.lazyframe.dtypes import col
from engine.lazyframe.named import Named, named
from engine.lazyframe.packed import Bounds, grouped_by
from engine.lazyframe.pairs import different
from engine.lazyframe.parts import Below, OnePart, Representatives, below, representatives
from engine.lazyframe.ranges import Ranges
from engine.lazyframe.runs import Lying, of_runs
from engine.lazyframe.scans import Rows
from engine.lazyframe.states import InRuns, States, counted_value, occurrences, states
from engine.source import CODE, Grain, Laid, Part, Rollup, Source, laid
from nql.datatypes import NUMERIC
from nql.plan.expressions import Column
from nql.plan.relations import EVENT_KEY, Measure, Relation
from nql.plan.windows import Buckets

BUCKET = "@bucket"
LARGE = 200_000  # rows; below, looking at the parts costs more than it saves
_DEVICE, _QUARTER, _VALUE = "@device", "@quarter", "@value"
_STEP = 900_000_000  # a quarter of an hour
_SAMPLE = 1 << 18  # rows that are looked at to know whether values repeat
_REPEATED = 8  # times that a value has to stand in them, for counting to be cheaper than sorting
_FEW_EACH = 4  # rows of a device in a part, below which one hash over them is cheaper than states of runs and a hash
_FEW = 1_000  # values that are counted however few rows there are
Build = Callable[[Relation, Source, frozenset[str]], Rows]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows to be grouped by `keys` and, of a period, by the number of the bucket that `time` falls in: `bucket`, an
    expression under the name BUCKET."""

    rows: Relation
    keys: tuple[str, ...]
    measures: tuple[Measure, ...]
    period: Buckets | None = None
    time: str | None = None
    bucket: pl.Expr | None = None

    @property
    def read(self) -> frozenset[str]:
        """The columns that are read beside the keys."""
        return frozenset((self.time,) if self.time else ()).union(*(item.reads() for item in self.measures))


def grouped(of: Grouping, source: Source, build: Build) -> Rows | None:
    """The groups, with a column a measure; None where the plain way is the one to go."""
    if not laid(source):
        return None
    under = below(of.rows, of.keys, of.read)
    if under is None:
        return None
    start, end = under.window
    if source.extent(under.scan.table, start=start, end=end).rows < LARGE:
        return None
    found = {item.name: states(item, _stored(item, under)) for item in of.measures}
    counted = [item for item in of.measures if found[item.name] is None]
    values = [counted_value(item) for item in counted]
    if any(value is None for value in values) or any(item.operand != counted[0].operand for item in counted):
        return None
    known = {item.name: found[item.name] or occurrences(item) for item in of.measures}
    parted = _Parted(of, under, known, source, build, names=_named(of, under, source))
    if not counted and parted.of_ranges():
        return parted.ranges()
    if not counted:
        return parted.groups()
    exchanged = [representatives(source, link, under.owed) for link in under.exchangeable(of.keys)]
    parted = replace(parted, value=values[0], exchanged=tuple(one for one in exchanged if one is not None))
    if parted.repeats():
        return parted.groups()
    return parted.pairs() if parted.of_pairs() else None


def _named(of: Grouping, under: Below, source: Source) -> tuple[Named, ...]:
    """The links whose objects' texts are numbers in the groups."""
    links = () if under.waiting else dict.fromkeys(column.link for column in under.owed if column.link is not None)
    found = [named(source, link, under.owed) for link in links if link.key not in of.keys]
    return tuple(one for one in found if one is not None)


def _stored(measure: Measure, under: Below) -> str | None:
    """The stored column of numbers that a measure is over."""
    if not isinstance(measure.operand, Column) or measure.operand.dtype.kind not in NUMERIC:
        return None
    return None if measure.operand.name in under.computed else under.stored.get(measure.operand.name)


@dataclass(frozen=True, slots=True)
class _Parted:
    """One grouping at work. `value` is what some measures are told by: how often each value of it occurs;
    then `exchanged` puts one object in place of all that have the same attributes. `names` are the links of whose
    objects groups have numbers of texts."""

    of: Grouping
    under: Below
    states: dict[str, States]
    source: Laid
    build: Build
    value: pl.Expr | None = None
    exchanged: tuple[Representatives, ...] = ()
    names: tuple[Named, ...] = ()

    def groups(self) -> Rows:
        """The groups, by their keys."""
        rolled, parts = self._rollup_and_rows()
        if not rolled and self._few_each(parts):
            frame = self._at_once(parts)
        else:
            known = [one.known() for one in self.names]
            frames = [*rolled, *self._of_parts(parts)]
            frame = self._merged([one.with_columns(known) for one in frames] if known else frames, self._first)
        return self._measures(self._told(self._regrouped(frame)))

    def of_ranges(self) -> bool:
        """Whether rows lie by one of several keys and are at hand, so that ranges of them can be grouped by
        themselves."""
        under = self.under
        if _DEVICE not in self._first or len(self._first) < 2 or under.linked or not under.plain or under.computed:
            return False
        return all(_DEVICE in part.bounds for part in self._parts() if part.by_device)

    def ranges(self) -> Rows:
        """The groups, made range by range. They stay as they are if each device is the only one with its attributes,
        and other objects are exchanged for the least with theirs."""
        parts, under = self._parts(), self.under
        links = {column.link for column in under.owed if column.link is not None}
        found = [representatives(self.source, link, under.owed) for link in under.exchangeable(self.of.keys)]
        known = [one for one in found if one is not None]
        others = [one for one in known if one.key != _DEVICE]
        most = next((one.greatest for one in known if one.key == _DEVICE and one.same), None)
        alone = len(known) == len(links) and len(known) == len(others) + (most is not None)
        ranges = Ranges(
            [self._rows(part.frame) for part in parts],
            key=_DEVICE,
            keys=self._first,
            aggregates=[made for item in self.states.values() for made in item.raw],
            first=[one.exchange.found for one in others],
            bounds={**_wide([self._bounds(part) for part in parts]), **{one.key: (0, one.greatest) for one in others}},
            most=most,
        )
        if not alone:
            return self._measures(self._regrouped(ranges.groups()))
        rows = Rows(ranges.groups(), self.source, under.owed)
        for one in self.names:
            rows = rows.naming(one, joined=True)
        return self._measures(rows.having([key for key in self.of.keys if key not in rows.coded]))

    @property
    def _keys(self) -> list[str]:
        """The keys of the groups, their bucket too."""
        return [*self.of.keys, *([BUCKET] if self.of.bucket is not None else [])]

    def _measures(self, rows: Rows) -> Rows:
        """The keys and measures, of merged states."""
        measures = [self.states[item.name].final.alias(item.name) for item in self.of.measures]
        return rows.over(rows.frame.select(*map(col, self._held(rows)), *measures))

    def _held(self, rows: Rows) -> list[str]:
        """The keys as rows have them."""
        return [key + CODE if key in rows.coded else key for key in self._keys]

    def repeats(self) -> bool:
        """Whether the values that are counted occur often enough for that, as far as some rows tell."""
        largest = max(self._parts(), key=lambda part: part.rows)
        rows = self._exchanged(largest.frame.head(_SAMPLE)).select(self._first)
        whole, groups = pl.collect_all([rows.select(pl.len()), rows.unique().select(pl.len())])
        return bool(groups.item() <= max(_FEW, whole.item() // _REPEATED))

    def of_pairs(self) -> bool:
        """Whether different devices are counted, of keys that are other objects or attributes of one."""
        (item, *more), under = self.of.measures, self.under
        if more or item.function != "distinct" or item.where is not None or len(under.ids) != 1 or self._when:
            return False
        devices = isinstance(item.operand, Column) and under.stored.get(item.operand.name) == _DEVICE
        dense = under.ids[0].startswith("@") and under.ids[0] not in (EVENT_KEY, _DEVICE)
        return devices and dense and not under.waiting and len(self.exchanged) == len(under.owed[:1])

    def pairs(self) -> Rows:
        """The groups, of which it is counted how many devices go with each."""
        (name,), (key,) = self.states, self.under.ids
        counts = different([self._exchanged(part.frame) for part in self._parts()], key, _VALUE, name)
        rows = Rows(counts, self.source, self.under.owed).having(self.of.keys)
        return rows.over(rows.frame.select(*self.of.keys, name))

    @property
    def _coarse(self) -> bool:
        """Whether rows are grouped by their instant at first: those of samples are few, and no bucket is computed."""
        return self.of.bucket is not None and not self.of.keys and self.under.scan.time == "start_time"

    @property
    def _when(self) -> list[str]:
        """The column of time that rows are grouped by."""
        if self.of.bucket is None:
            return []
        return [self.of.time or ""] if self._coarse else [BUCKET]

    @property
    def _first(self) -> list[str]:
        """What rows are grouped by."""
        return [*self.under.ids, *self._when, *([] if self.value is None else [_VALUE])]

    def _merged(self, parts: list[pl.LazyFrame], keys: Sequence[str]) -> pl.LazyFrame:
        return _by(pl.concat(parts), keys, [merged for item in self.states.values() for merged in item.merged])

    def _regrouped(self, frame: pl.LazyFrame) -> Rows:
        """The groups of ids and instants as groups of attributes and buckets."""
        rows = Rows(frame, self.source, self.under.owed)
        if self.under.waiting:
            rows = rows.where(self.under.waiting, frozenset(self.of.keys))
        for one in self.names:
            rows = rows.naming(one)
        rows = rows.having([key for key in self.of.keys if key not in rows.coded])
        if self._coarse and self.of.bucket is not None:
            rows = rows.over(rows.frame.with_columns(self.of.bucket))
        wanted = [*self._held(rows), *self._first[len(self.under.ids) + len(self._when) :]]
        if wanted == self._first or self._each_alone:
            return rows
        return rows.over(self._merged([rows.frame], wanted))

    @property
    def _each_alone(self) -> bool:
        """Whether no two groups of ids have the same attributes."""
        same = {one.link.key for one in self.names if one.same}
        return not self._coarse and same.union(self.of.keys).issuperset(self.under.ids)

    def _told(self, rows: Rows) -> Rows:
        """Groups of keys and values as groups of keys."""
        if self.value is None:
            return rows
        merged = [made for item in self.states.values() if item.told is None for made in item.merged]
        told = [item.told(col(_VALUE)) for item in self.states.values() if item.told]
        return rows.over(_by(rows.frame, self._held(rows), [*merged, *told]))

    def _rollup_and_rows(self) -> tuple[list[pl.LazyFrame], Sequence[Part]]:
        """States by id and instant that are stored, each key once or more, and the rows that these leave out."""
        start, end = self.under.window
        gaps, rollup = [(start, end)], self._rollup()
        rolled = list[pl.LazyFrame]()
        if rollup is not None and rollup.covers:
            rolled.append(self._of_rollup(rollup))
            gaps = [*_gaps(start, end, rollup.covers)]
        table, columns = self.under.scan.table, self.under.columns
        parts = [part for first, last in gaps for part in self.source.parts(table, columns, start=first, end=last)]
        if gaps and not parts:
            parts = [Part(self.source.scan(table, columns, start=end, end=end), 0, None, False)]
        return rolled, parts

    def _of_rollup(self, rollup: Rollup) -> pl.LazyFrame:
        """Stored states, named as those of rows are."""
        frame = rollup.frame
        if self.of.bucket is not None:
            frame = frame.with_columns(col(_QUARTER).alias(self.of.time or ""))
            frame = frame if self._coarse else frame.with_columns(self.of.bucket)
        return frame.select(
            *map(col, self._first), *(made for item in self.states.values() for made in item.rolled or ())
        )

    def _parts(self) -> Sequence[Part]:
        """All rows."""
        start, end = self.under.window
        return self.source.parts(self.under.scan.table, self.under.columns, start=start, end=end)

    def _of_parts(self, parts: Sequence[Part]) -> Iterator[pl.LazyFrame]:
        """The states of the rows of parts: of those that lie by device, of their runs."""
        runs = self._runs()
        lying = [part for part in parts if runs is not None and part.by_device]
        if runs is not None and lying:
            found = of_runs([*map(self._lying, lying)], _DEVICE, [one for item in runs for one in item.taken])
            names = [name for item in self.states.values() for name in item.names]
            yield found.with_columns(made for item in runs for made in item.made).select(_DEVICE, *names)
        raw = [made for item in self.states.values() for made in item.raw]
        for part in parts:
            if runs is None or not part.by_device:
                rows, exchanged = self._rows(part.frame), [one.exchange for one in self.exchanged]
                yield grouped_by(rows, self._first, raw, self._bounds(part), exchanged)

    def _few_each(self, parts: Sequence[Part]) -> bool:
        """Whether devices have so few rows in a part that states of their runs would hardly be fewer."""
        counted = [(part.rows, part.runs.height) for part in parts if part.runs is not None]
        if self._runs() is None or any(self.states[item.name].in_order for item in self.of.measures):
            return False
        return sum(rows for rows, _ in counted) < _FEW_EACH * sum(runs for _, runs in counted)

    def _at_once(self, parts: Sequence[Part]) -> pl.LazyFrame:
        """The states of all rows by one hash."""
        raw = [made for item in self.states.values() for made in item.raw]
        known = [one.known() for one in self.names]
        rows = pl.concat([self._rows(part.frame) for part in parts])
        return grouped_by(rows.with_columns(known) if known else rows, self._first, raw, {})

    def _lying(self, part: Part) -> Lying:
        """The rows of a part with what is known of them."""
        if not self.under.plain:
            return Lying(self._rows(part.frame), self._bounds(part), day=part.day)
        frame = part.frame if part.whole is None else part.whole
        return Lying(self._rows(frame), self._bounds(part), part.runs, part.inside, part.day)

    def _bounds(self, part: Part) -> Bounds:
        """The bounds of numbers in the rows to be grouped, as far as they are known."""
        own = {name: stored for name, stored in self.under.stored.items() if name not in self.under.computed}
        bounds = {name: part.bounds[stored] for name, stored in own.items() if stored in part.bounds}
        bounds |= {one.key: (0, one.greatest) for one in self.exchanged}
        if self.value is not None and self.value.meta.is_column() and self.value.meta.output_name() in bounds:
            bounds[_VALUE] = bounds[self.value.meta.output_name()]
        return bounds

    def _runs(self) -> list[InRuns] | None:
        """How the states are taken of runs of rows with the same device; None if they are not."""
        if self._first != [_DEVICE] or self.under.linked:
            return None
        items = [(self.states[item.name], item) for item in self.of.measures]
        known = [found.in_runs for found, item in items if not found.in_order or self._by_time(item)]
        found = [item for item in known if item is not None]
        return found if len(found) == len(items) else None

    def _rows(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The rows to be grouped that a part of the table gives, with what they are grouped by."""
        read = self.of.read | frozenset(self.under.ids)
        rows = self.build(self.under.relation, OnePart(self.source, self.under.scan.table, frame), read)
        frame = rows.having(read).frame
        if BUCKET in self._when and self.of.bucket is not None:
            frame = frame.with_columns(self.of.bucket)
        if self.value is None:
            return frame
        return frame.with_columns(self.value.alias(_VALUE))

    def _exchanged(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The same rows with one object in place of all that have the same attributes."""
        return self._rows(frame).with_columns(one.exchange.found for one in self.exchanged)

    def _by_time(self, measure: Measure) -> bool:
        """Whether a measure's order is that of time."""
        return tuple(map(self.under.stored.get, measure.order)) == (self.under.scan.time, EVENT_KEY)

    def _rollup(self) -> Rollup | None:
        grain = self._grain()
        if grain is None:
            return None
        start, end = self.under.window
        wanted = dict.fromkeys(name for item in self.states.values() for name in item.stored)
        return self.source.rollup(self.under.scan.table, grain, [*wanted], start=start, end=end)

    def _grain(self) -> Grain | None:
        """The rollup whose keys will do, if all states are there and every row counts."""
        return _grain(self.of, self.under, self.states.values())


def grain_of(of: Grouping) -> Grain | None:
    """The grain of the stored states that will do for a grouping, None if its rows are read."""
    under = below(of.rows, of.keys, of.read)
    return None if under is None else _grain(of, under, [states(item, _stored(item, under)) for item in of.measures])


def _grain(of: Grouping, under: Below, known: Iterable[States | None]) -> Grain | None:
    if not under.plain or any(item is None or item.rolled is None for item in known):
        return None
    if under.ids == (_DEVICE,) and of.period is None:
        return "device"
    edges = () if of.period is None else of.period.edges
    return "quarter" if not under.ids and all(edge % _STEP == 0 for edge in edges) else None


def _by(frame: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]) -> pl.LazyFrame:
    return frame.group_by(keys).agg(aggregates) if keys else frame.select(aggregates)


def _wide(found: Sequence[Bounds]) -> Bounds:
    """The bounds that hold for all; none for what one of them does not know."""
    names = [name for name in found[0] if all(name in one for one in found)] if found else []
    return {name: (min(one[name][0] for one in found), max(one[name][1] for one in found)) for name in names}


def _gaps(start: int, end: int, covers: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of a window is not covered."""
    edges = [start, *(edge for span in covers for edge in span), end]
    for first, last in [*pairwise(edges)][::2]:
        if first < last:
            yield first, last
