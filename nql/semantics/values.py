"""Values of parameters: texts from outside become typed values of a plan.

In: the parameters a plan uses and what was given for them, as text. Out: literals in physical form; for lists of text
also the patterns among them. Invariant: a text is read as the query itself would read it, so `$since` may be
`2024-11-08` and `$size` may be `8GB`; it is never put into a query's text. Raises `QueryError` naming every parameter
that does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from nql.datatypes import (
    BOOLEAN,
    BYTES,
    DATETIME,
    DURATION,
    FLOAT,
    INT,
    IP,
    MICROSECONDS,
    SIZE,
    STRING,
    VERSION,
    Kind,
    enum_text,
    ip_text,
)
from nql.diagnostics import NOWHERE, Diagnostic, QueryError
from nql.plan.expressions import Literal
from nql.plan.plan import ParameterUse
from nql.plan.windows import Moment
from nql.semantics.instants import Clock, instant
from nql.semantics.literals import EXAMPLES, is_pattern, moment
from nql.semantics.problems import Problems, Reported
from nql.semantics.times import LONGEST_DAYS
from nql.syntax.literals import written_date

MOST_VALUES = 10_000
LONGEST_VALUE = 4096
_LENGTH = re.compile(r"\s*(\d{1,7})\s*(min|h|d)\s*")
_DAYS = {"min": 1 / 1440, "h": 1 / 24, "d": 1}
_NUMBER = re.compile(r"\s*(-?\d{1,18}(?:\.\d{1,18})?)\s*([a-z]*)\s*", re.IGNORECASE)
_POWERS = {name.lower(): power for power, name in enumerate(BYTES)}


@dataclass(frozen=True, slots=True)
class Value:
    """What a parameter stands for: plain values; beside them texts with wildcards where a list of text was given, and
    dates without a clock time, which mean the whole day where they are compared. A single date is among both."""

    literals: tuple[Literal, ...]
    patterns: tuple[Literal, ...] = ()
    days: tuple[Moment, ...] = ()


def given_values(
    uses: tuple[ParameterUse, ...], values: Mapping[str, str | Sequence[str]], clock: Clock
) -> Mapping[str, Value]:
    """The value of each parameter used. Names are looked up as written. Raises QueryError."""
    if not uses:
        return {}
    given: dict[str, Value] = {}
    wrong: list[Diagnostic] = []
    for use in uses:
        value = values.get(use.name)
        if value is None:
            wrong.append(Diagnostic("NQL508", f"There is no value for ${use.name}.", NOWHERE))
            continue
        try:
            given[use.name] = _given(use, value, clock)
        except ValueError as error:
            wrong.append(Diagnostic("NQL509", f"${use.name}: {error}", NOWHERE))
    if wrong:
        raise QueryError(wrong)
    return given


def _given(use: ParameterUse, value: str | Sequence[str], clock: Clock) -> Value:
    texts = [value] if isinstance(value, str) else list(value)
    if len(texts) > MOST_VALUES or any(len(text) > LONGEST_VALUE for text in texts):
        raise ValueError(f"at most {MOST_VALUES:,} texts of {LONGEST_VALUE:,} characters")
    if not use.many:
        if len(texts) != 1:
            raise ValueError("one value is needed, not a list")
        if use.length:
            return Value((Literal(_length(use, texts[0]), STRING),))
        return Value((_literal(use, texts[0], clock),), days=_days(use, texts))
    if use.dtype.kind in (Kind.STRING, Kind.VERSION, Kind.ENUM):
        plain = tuple(_literal(use, text, clock) for text in texts if not is_pattern(text))
        return Value(plain, tuple(Literal(text, STRING) for text in texts if is_pattern(text)))
    literals = [_literal(use, text, clock) for text in texts]
    days = [_days(use, [text]) for text in texts]
    plain = tuple(literal for literal, day in zip(literals, days, strict=True) if not day)
    return Value(plain, days=tuple(chain.from_iterable(days)))


def _days(use: ParameterUse, texts: Sequence[str]) -> tuple[Moment, ...]:
    """The dates without a clock time among texts, all of which can be read."""
    if use.dtype.kind is not Kind.DATETIME:
        return ()
    dates = (written_date(text) for text in texts)
    return tuple(moment(Problems(), found) for found in dates if found is not None and found.hour is None)


def _length(use: ParameterUse, text: str) -> str:
    """A length of a time selection as it is written, in minutes, hours or days. Raises ValueError."""
    found = _LENGTH.fullmatch(text.lower())
    if found is None or not 0 < int(found[1]) * _DAYS[found[2]] <= LONGEST_DAYS:
        raise ValueError(f"expected a length of time, such as 30min, 24h or 7d, at most {LONGEST_DAYS:,}d")
    if use.clock and found[2] == "d":
        raise ValueError("the query asks for parts of days: expected a length in hours or minutes, such as 24h")
    return f"{found[1]}{found[2]}"


def _literal(use: ParameterUse, text: str, clock: Clock) -> Literal:
    """A text as a value of a parameter's type. Raises ValueError saying what is expected."""
    dtype = use.dtype
    match dtype.kind:
        case Kind.STRING:
            return Literal(text, STRING)
        case Kind.INT | Kind.FLOAT | Kind.PERCENTAGE | Kind.DURATION | Kind.BYTES:
            return _quantity(use, text)
        case Kind.BOOLEAN if text.lower() in ("true", "false"):
            return Literal(text.lower() == "true", BOOLEAN)
        case Kind.ENUM if (stored := enum_text(dtype, text)) is not None:
            return Literal(stored, dtype)
        case Kind.VERSION if re.fullmatch(r"v?\d+(\.\d+)*", text):
            return Literal(text.removeprefix("v"), VERSION)
        case Kind.DATETIME if (written := written_date(text)) is not None:
            try:
                return Literal(instant(moment(Problems(), written), clock), DATETIME)
            except Reported:
                raise ValueError("there is no such date or time") from None
        case Kind.IP if "/" not in text:
            return Literal(ip_text(text), IP)
        case Kind.IP:
            raise ValueError("expected one address, such as 10.1.2.3: a network is written in the query")
    raise ValueError(f"expected {EXAMPLES[dtype.kind]}")


def _quantity(use: ParameterUse, text: str) -> Literal:
    dtype = use.dtype
    sizes = {name: use.kilo**power for name, power in _POWERS.items()}
    found = _NUMBER.fullmatch(text)
    units: Mapping[str, int] = {Kind.DURATION: MICROSECONDS, Kind.BYTES: sizes}.get(dtype.kind, {})
    unit = found[2].lower() if found else ""
    if found is None or (unit and unit not in units):
        raise ValueError(f"expected {EXAMPLES[dtype.kind]}")
    number = float(found[1]) if "." in found[1] else int(found[1])
    if dtype.kind in (Kind.DURATION, Kind.BYTES):
        scale = units[unit] if unit else MICROSECONDS["s"] if dtype.kind is Kind.DURATION else 1
        value = round(number * scale)
        if abs(value) >= 2**63:
            raise ValueError("the value is too large")
        return Literal(value, DURATION if dtype.kind is Kind.DURATION else SIZE)
    return Literal(number, INT if isinstance(number, int) else FLOAT)
