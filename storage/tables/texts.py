"""Texts of rows that name what is being erased, though they are no links to it: the audit log, outputs, last logins.

In: rows, and the words that name a device or a person. Out: the same rows with texts that name it no more; or whether
any text does. Invariants: a row stays a row, only texts change, and only those that hold one of the words; members of
an enumeration never change, nor do keys of objects, and accounts of the portal are nobody's device or person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import polars as pl

from nql.datatypes import Kind, Physical
from storage.naming import Naming
from storage.tables.schema import DEVICES, POLARS, Frame, TableSchema

VALUES = POLARS[Physical.VALUES]
_NESTED = (VALUES, POLARS[Physical.LIST_UTF8])
ACCOUNTS = frozenset({"account", "subject", "triggered_by"})  # which name accounts, and things by their identifiers
_FIXED = frozenset({Kind.ENUM, Kind.IP, Kind.VERSION})
PERSONS = "user.users"
KEPT = frozenset({DEVICES, PERSONS})  # whose keys are theirs: another one's never says anything of what is erased
CONFIGURED = "nql_id"  # the key of what people of the portal configured
_ABOUT = KEPT | {"session.vdi_sessions", "device.mobile_devices"}


class How(NamedTuple):
    """How words are looked for: identifiers alone; plain words, too."""

    ids_only: bool = False
    plain: bool = True


def is_about(schema: TableSchema) -> bool:
    """Whether a table speaks of devices and people, where a plain word may be a name; binaries are things."""
    return not schema.is_object or schema.owned or schema.name in _ABOUT


def without_words(rows: Frame, schema: TableSchema, words: Naming | None) -> Frame:
    """Rows whose texts hold none of these words."""
    if not words:
        return rows
    told = [
        pl.col(name).map_batches(partial(less, words=words, how=how), return_dtype=dtype, is_elementwise=True)
        for name, dtype, how in texts_of(schema, rows.collect_schema())
    ]
    return rows.with_columns(told) if told else rows


def any_word(rows: pl.LazyFrame, schema: TableSchema, words: Naming | None) -> bool:
    """Whether a text of these rows holds any of these words."""
    if not words:
        return False
    for name, _, how in texts_of(schema, rows.collect_schema()):
        series = rows.select(name).collect().to_series()
        if less(series, words, how) is not series:
            return True
    return False


def less(series: pl.Series, words: Naming, how: How) -> pl.Series:
    """A column of texts, or of lists of them, without the words; the very same one where it holds none."""
    needles = words.needles(ids_only=how.ids_only)
    if not needles or not _may(series, needles):
        return series
    if series.dtype == pl.String:
        known = series.filter(_hits(series, needles)).unique().to_list()
        said = {text: words.blanked(text, ids_only=how.ids_only, plain=how.plain) for text in known}
        changed = {text: now for text, now in said.items() if now != text}
        return series.replace(list(changed), list(changed.values())) if changed else series
    before = series.to_list()
    after = [_listed(value, words, how.plain) for value in before]
    return series if after == before else pl.Series(series.name, after, dtype=series.dtype)


def texts_of(schema: TableSchema, held: Mapping[str, Any]) -> Iterator[tuple[str, Any, How]]:
    """The columns of a table that are texts somebody wrote, their types, and how words are looked for in them."""
    for name, dtype in held.items():
        stored = schema.stored.get(name)
        if (dtype != pl.String and dtype not in _NESTED) or (stored and stored.dtype.kind in _FIXED):
            continue
        if name not in schema.key:
            yield name, dtype, How(name in ACCOUNTS, is_about(schema))


def _may(series: pl.Series, needles: list[str]) -> bool:
    """Whether any text may hold a word: a quick look."""
    if series.dtype == pl.String:
        return bool(_hits(series, needles).any())
    inner = series.explode().drop_nulls()
    if series.dtype != VALUES:
        return bool(_hits(inner, needles).any())
    return any(
        bool(_hits(texts, needles).any())
        for texts in (inner.struct.field("text"), inner.struct.field("texts").explode())
    )


def _hits(series: pl.Series, needles: list[str]) -> pl.Series:
    return series.str.contains_any(needles, ascii_case_insensitive=True).fill_null(value=False)


def _listed(value: Any, words: Naming, plain: bool) -> Any:
    """A list of texts, or a typed map, whose names are the portal's."""
    if value is None:
        return None
    return [
        words.value(item, plain=plain)
        if not isinstance(item, dict)
        else item | {part: words.value(item[part], plain=plain) for part in ("text", "texts")}
        for item in value
    ]
