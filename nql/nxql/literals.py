"""Values beside a field: checked against its type, and turned into literals of NQL.

In: `(type value)` and the field it stands beside. Out: a node of the tree of NQL; amounts are scaled here, once.
Invariant: a value of another family of types than the field's is an error that names the field's type. Wildcards
count in a `pattern` only; in other texts they stand for themselves, kept apart by `exact` until the plan is made.
"""

from __future__ import annotations

import ipaddress
import re

from nql.diagnostics import Fix, Span
from nql.nxql import ast as nxql
from nql.nxql.fields import Found, Lookup
from nql.nxql.mapping import FieldMap, TypeMap, classic
from nql.nxql.problems import Findings, Reported
from nql.syntax import ast

_NUMBER = re.compile(r"([+-]?)(\d{1,18})(?:\.(\d{1,18}))?")
_HEX = re.compile(r"[0-9a-fA-F]*")
_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,9})", re.IGNORECASE)
_FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_STARS = str.maketrans("*?", "\ue000\ue001")
_BACK = str.maketrans("\ue000\ue001", "*?")
_TAKES = {
    "text": ("text",),
    "list": ("list", "text", "word"),
    "word": ("word", "flag"),
    "flag": ("flag", "word"),
    "duration": ("duration", "days"),
    "version": ("version", "text"),
}
_AMOUNTS = ("number", "rate", "ratio", "size", "duration", "days")


def exact(problems: Findings, text: str, span: Span) -> ast.Text:
    """A text whose wildcards are ordinary signs."""
    marked = text.translate(_STARS)
    problems.starred = problems.starred or marked != text
    return ast.Text(marked, span)


def restored(text: str) -> str:
    """The text as it was before `exact`."""
    return text.translate(_BACK)


def typed(lookup: Lookup, found: Found, literal: nxql.Literal) -> tuple[TypeMap, str]:
    """The type and the text of a literal beside a field. Raises Reported."""
    types, field = classic().types, found.field
    own = types[field.type]
    text = lookup.text(literal.value)
    if literal.type is None:
        return (types["string"] if own.family == "list" else own), text
    kind = types.get(literal.type)
    if kind is None:
        message = f"There is no type {literal.type[:40]}."
        raise lookup.problems.choice("NXQL301", message, literal.type_span, types, word=literal.type)
    takes = _TAKES.get(own.family, (own.family,))
    loose = found.dynamic and own.family in ("text", "word") and kind.family in ("text", "word")
    if not loose and (kind.family not in takes or (kind.digits and own.digits and kind.digits != own.digits)):
        raise _mismatch(lookup.problems, field, own, literal)
    return kind, text


def _mismatch(problems: Findings, field: FieldMap, own: TypeMap, literal: nxql.Literal) -> Reported:
    fixes = [Fix(f"Write {own.name}", literal.type_span, own.name)] if own.name != "list" else []
    message = f"{field.name} is of type {own.name}, not {literal.type}."
    return problems.error("NXQL301", message, literal.type_span, f"Write {own.example}.", fixes)


def plain(problems: Findings, kind: TypeMap, text: str, span: Span, scale: float = 1) -> ast.Expr:
    """A value of any family but words and times, as NQL has it. Raises Reported."""
    if kind.family in _AMOUNTS:
        return _amount(problems, kind, text, span, scale)
    match kind.family:
        case "flag" if text.lower() in _FLAGS:
            return ast.Constant(_FLAGS[text.lower()], span)
        case "address" if _address(text):
            return ast.Address(text.strip(), span)
        case "version" if found := _VERSION.fullmatch(text.strip()):
            return ast.Version(found[1], span)
        case "text" | "list" | "word" if not kind.digits:
            return ast.Text(text, span) if kind.name == "pattern" else exact(problems, text, span)
        case "text" if len(text) == kind.digits and _HEX.fullmatch(text):
            return ast.Text(text, span)
    raise _no_value(problems, kind, text, span)


def _amount(problems: Findings, kind: TypeMap, text: str, span: Span, scale: float) -> ast.Expr:
    found = _NUMBER.fullmatch(text.strip())
    if found is None or (kind.whole and found[3] is not None):
        raise _no_value(problems, kind, text, span)
    value: int | float = int(found[2]) if found[3] is None else float(f"{found[2]}.{found[3]}")
    if kind.family == "ratio":
        value = round(value * kind.part * scale, 12)
    number = ast.Number(value, kind.unit, span)
    return ast.Negative(number, span, 1) if found[1] == "-" and value else number


def _no_value(problems: Findings, kind: TypeMap, text: str, span: Span) -> Reported:
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return problems.error("NXQL302", f"{shown or 'This'} is no {kind.name}.", span, f"Write {kind.example}.")


def _address(text: str) -> bool:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return True
