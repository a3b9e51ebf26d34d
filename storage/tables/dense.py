"""States by device as columns in which a device's place is its number, so that states of many days are put together by
adding columns up, without a hash.

In: states of some span by device. Out: these as `Dense`, if devices are close together; and of many of them one frame
with a row a device. Invariant: what is put together is what grouping all of them by device gives; where a sum might
leave 64 bits nothing is put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from storage.tables.states import ROWS

_SPREAD = 4  # places that there may be for each device
_MOST = (1 << 63) - 1
_DEVICE = "@device"


@dataclass(frozen=True, slots=True)
class Dense:
    """States of the devices from `first` on, in order; `@rows` is 0 for a device that has none. `most` is what no sum
    of a column of whole numbers is beyond, either way."""

    first: int
    frame: pl.DataFrame
    most: Mapping[str, int]

    @property
    def end(self) -> int:
        """The number after the last device's."""
        return self.first + self.frame.height

    def sparse(self) -> pl.DataFrame:
        """The states as a row a device that has some."""
        return _rows(self.frame, self.first)


def dense(states: pl.DataFrame) -> Dense | None:
    """States by device, each device once; None if devices lie too far apart for it."""
    devices = states[_DEVICE]
    if not states.height or devices.null_count() or not (devices.diff().drop_nulls() > 0).all():
        return None
    first, last = int(devices[0]), int(devices[-1])
    length = last - first + 1
    if first < 0 or length > _SPREAD * states.height:
        return None
    places = devices - first
    given = states.drop(_DEVICE)
    frame = pl.DataFrame([column.scatter(places, given[column.name]) for column in _nothing(given.schema, length)])
    sums = [frame[name] for name in frame.columns if _is_added(name) and frame.schema[name].is_integer()]
    return Dense(first, frame, {one.name: max(abs(int(str(one.max()))), abs(int(str(one.min())))) for one in sums})


def added(pieces: Sequence[Dense]) -> pl.DataFrame | None:
    """The states of all pieces, which have the same columns, put together; None if a sum might leave 64 bits."""
    if any(sum(piece.most[name] for piece in pieces) > _MOST for name in pieces[0].most):
        return None
    first, end = min(piece.first for piece in pieces), max(piece.end for piece in pieces)
    nothing = _nothing(pieces[0].frame.schema, end - first)
    layers = [_whole(layer, nothing, first) for layer in _layers(pieces)]
    beside = pl.DataFrame(
        [layer[name].alias(f"{at} {name}") for at, layer in enumerate(layers) for name in layer.columns]
    )
    made = beside.select(_over(name, len(layers)).alias(name) for name in nothing.columns)
    return _rows(made, first)


def _rows(states: pl.DataFrame, first: int) -> pl.DataFrame:
    """States of devices from `first` on as a row a device that has some rows."""
    devices = pl.int_range(first, first + states.height, eager=True).alias(_DEVICE)
    return pl.DataFrame([devices, *states]).filter(pl.col(ROWS) > 0)


def _is_added(name: str) -> bool:
    return name == ROWS or name.endswith((":sum", ":count"))


def _nothing(schema: Mapping[str, pl.DataType], length: int) -> pl.DataFrame:
    """The states of no rows, for so many devices."""
    values = {name: 0 if _is_added(name) else None for name in schema}
    return pl.select(pl.repeat(values[name], length, dtype=dtype).alias(name) for name, dtype in schema.items())


def _layers(pieces: Sequence[Dense]) -> list[list[Dense]]:
    """Pieces, those together of which no two have a device, ascending."""
    layers: list[list[Dense]] = []
    for piece in sorted(pieces, key=lambda piece: piece.first):
        free = next((layer for layer in layers if layer[-1].end <= piece.first), None)
        if free is None:
            layers.append([piece])
        else:
            free.append(piece)
    return layers


def _whole(layer: Sequence[Dense], nothing: pl.DataFrame, first: int) -> pl.DataFrame:
    """The states of a layer, of as many devices as there are in `nothing`, from the first of all."""
    parts: list[pl.DataFrame] = []
    place = 0
    for piece in layer:
        parts += [nothing.slice(place, piece.first - first - place), piece.frame]
        place = piece.end - first
    return pl.concat([*parts, nothing.slice(place)])


def _over(name: str, layers: int) -> pl.Expr:
    """A state of all layers, place by place."""
    columns = [f"{at} {name}" for at in range(layers)]
    if _is_added(name):
        return pl.sum_horizontal(columns)
    return pl.min_horizontal(columns) if name.endswith(":min") else pl.max_horizontal(columns)
