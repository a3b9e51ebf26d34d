"""The grammar as a parser: the parse table from `nql/grammar.lark`, made when the package is built and only read here.

In: a builder with one method a rule. Out: a Lark parser that calls it. The table is package data with the digest of
the grammar and of Lark beside it; where it is missing or of another grammar (a checkout that was not built), it is
made on the spot, which takes ten times as long. lark-cython is used where it is installed. Invariant: nothing is read
or written outside the package, and how the parser came about changes nothing of what it reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path as File
from types import MappingProxyType
from typing import Any, TypeGuard

import lark
from lark import Lark, Token, Transformer
from lark.grammar import Rule
from lark.lexer import TerminalDef

FOLDER = File(__file__).parent.parent
TABLE = "grammar.json"


def _accelerator() -> tuple[MappingProxyType[str, Any], tuple[type, ...]]:
    """The plugins of lark-cython and the kinds of tokens there are."""
    try:
        found = import_module("lark_cython")
    except ImportError:
        return MappingProxyType({}), (Token,)
    return MappingProxyType(found.plugins), (Token, found.lark_cython.Token)


PLUGINS, _TOKENS = _accelerator()


def is_token(part: object) -> TypeGuard[Token]:
    """Whether a part of a rule is a token, of Lark or of its accelerator."""
    return isinstance(part, _TOKENS)


def parser(builder: Transformer[Any, Any], *, plugins: MappingProxyType[str, Any] = PLUGINS) -> Lark:
    """A parser of the grammar that calls `builder` as it reads. `plugins` are Lark's; none is Lark itself."""
    text = (FOLDER / "grammar.lark").read_text(encoding="utf-8")
    options = {"transformer": builder, "_plugins": dict(plugins)}
    held = _held(digest(text))
    if held is None:
        return _made(text, **options)
    load: Callable[..., Lark] = Lark._load_from_dict
    return load(held["data"], held["memo"], **options)


def digest(text: str) -> str:
    """What a table is made from: a grammar, and the Lark that makes it."""
    return sha256(f"{lark.__version__}\n{text}".encode()).hexdigest()


def write_table(folder: File = FOLDER) -> bool:
    """Make the table beside the grammar in a folder; False where it was up to date already."""
    text = (folder / "grammar.lark").read_text(encoding="utf-8")
    path = folder / TABLE
    if path.is_file() and json.loads(path.read_bytes())["digest"] == digest(text):
        return False
    data, memo = _made(text).memo_serialize([TerminalDef, Rule])
    path.write_text(json.dumps({"digest": digest(text), "data": data, "memo": memo}, separators=(",", ":")))
    return True


def _made(text: str, **options: Any) -> Lark:
    return Lark(text, start="query", parser="lalr", lexer="contextual", maybe_placeholders=False, **options)


def _held(wanted: str) -> dict[str, Any] | None:
    """The table of the package if it is the one wanted; JSON turns numbers that are keys into texts, so back again."""
    path = FOLDER / TABLE
    if not path.is_file():
        return None
    held: dict[str, Any] = json.loads(path.read_bytes())
    if held["digest"] != wanted:
        return None
    table = held["data"]["parser"]["parser"]
    held["memo"] = _numbered(held["memo"])
    table["tokens"] = _numbered(table["tokens"])
    table["states"] = {int(state): _numbered(actions) for state, actions in table["states"].items()}
    return held


def _numbered(entries: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in entries.items()}
