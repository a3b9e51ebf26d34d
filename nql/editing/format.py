"""The formatter: a query in the one form that everybody can read.

In: a text. Out: the same query with one clause a line, words of the language in lower case, operators spaced, long
lists and conditions wrapped; its comments and blank lines kept, quotes as written. A text that cannot be read comes
back as it is. Invariant: the new text says the same (its `Ast` is equal) and is its own format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nql.diagnostics import QueryError
from nql.editing.layout import STEP, Doc, Group, Line, LineComment, lay_out
from nql.editing.pieces import VALUES, Comment, Piece, pieces
from nql.syntax.operators import DEEPEST
from nql.syntax.parse import parse

_ROUNDS = 6
_COMMENT = re.compile(r"/[*/]")
_BRACKETS = {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}
_LEVELS = (("or",), ("and",), ("+", "-"), ("*", "/"))
_NO_SPACE_BEFORE = frozenset({"COMMA", "RPAR", "RSQB", "CHAIN", "_SEMICOLON"})
_NO_SPACE_AFTER = frozenset({"LPAR", "LSQB", "MINUS"})


def format_query(text: str) -> str:
    """The text in its one form; unchanged if it cannot be read, or has brackets too deep. Never raises."""
    try:
        meant = parse(text)
        found, last = pieces(text)
        if _deepest(found) > DEEPEST:
            return text
        formatted = _settled(text, _laid_out(text, found, last))
        return formatted if parse(formatted) == meant else text
    except QueryError:
        return text


def settled(text: str) -> str:
    """The layout of a text that can be read, laid out until it stays as it is."""
    return _settled(text, laid_out(text))


def laid_out(text: str) -> str:
    """One layout of a text that can be read."""
    return _laid_out(text, *pieces(text))


def _settled(text: str, once: str) -> str:
    """A text that was laid out once, laid out until it stays as it is: only comments move again."""
    if not _COMMENT.search(text):
        return once
    for _ in range(_ROUNDS - 1):
        if once == text:
            break
        text, once = once, laid_out(once)
    return once


def _deepest(found: Sequence[Piece]) -> int:
    """How many brackets stand one in the other."""
    depth = deepest = 0
    for piece in found:
        depth += _BRACKETS.get(piece.kind, 0)
        deepest = max(depth, deepest)
    return deepest


def _laid_out(text: str, found: Sequence[Piece], last: Sequence[Comment]) -> str:
    parts: list[Doc] = []
    for block in _blocks(found):
        if parts:
            parts.append(Line())
        parts += _leading(block[0], start=not parts)
        parts.append(_block(block))
    for comment in last:
        parts += [Line(), *([Line()] if comment.blank else []), _commented(comment)]
    return lay_out(parts) + ("\n" if text.endswith("\n") else "")


def _blocks(found: Sequence[Piece]) -> Iterable[list[Piece]]:
    """The parts that begin their own line: `let` lines, the table, the clauses."""
    block: list[Piece] = []
    for piece in found:
        if piece.kind == "_PIPE" and block:
            yield block
            block = []
        block.append(piece)
        if piece.kind == "_SEMICOLON":
            yield block
            block = []
    if block:
        yield block


def _leading(piece: Piece, *, start: bool) -> list[Doc]:
    """The blank line and the comments before a block."""
    parts: list[Doc] = []
    for comment in piece.before:
        if comment.blank and not (start and not parts):
            parts.append(Line())
        parts += [_commented(comment), Line() if comment.last or comment.text.startswith("//") else " "]
    if piece.blank and (parts or not start):
        parts.append(Line())
    piece.before = []
    return parts


# --- one block --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bracket:
    """A pair of brackets with what is between."""

    opening: Piece
    inner: list[_Node]
    closing: Piece


_Node = Piece | _Bracket


def _block(block: list[Piece]) -> Doc:
    nodes = _tree(block)
    head = next((at for at, node in enumerate(nodes) if not _word(node)), len(nodes))
    words, rest = nodes[:head], nodes[head:]
    first, *others = _parted(rest, _by)
    stacked = any(_is(node, "ASSIGN") for node in first) and any(_is(node, "COMMA") for node in first)
    parts = _run(words)
    if words and rest:
        parts.append(Line() if stacked else " ")
    parts += _items(first, fill=not stacked).parts if stacked else [_items(first, fill=True)]
    for other in others:
        parts += [Line(), Group((*_run(other[:1]), " ", _items(other[1:], fill=True)), STEP)]
    return Group(tuple(parts), STEP)


def _tree(block: Sequence[Piece]) -> list[_Node]:
    """The pieces with their brackets as nodes."""
    stack: list[tuple[Piece, list[_Node]]] = [(block[0], [])]
    for piece in block:
        if piece.kind in ("LPAR", "LSQB"):
            stack.append((piece, []))
        elif piece.kind in ("RPAR", "RSQB"):
            opening, inner = stack.pop()
            stack[-1][1].append(_Bracket(opening, inner, piece))
        else:
            stack[-1][1].append(piece)
    return stack[0][1]


def _items(nodes: Sequence[_Node], *, fill: bool) -> Group:
    """What stands between commas; each in its own line, or as many in a line as it takes."""
    parts: list[Doc] = []
    listed = _parted(nodes, _comma)
    alone = len(listed) == 1
    for item in listed:
        comma = item[:1] if item and _comma(item[0]) else []
        own = item[len(comma) :]
        if comma:
            parts += ([" "] if _before(item[0]) else []) + _run(comma)
        if own:
            parts += [Line()] if comma else []
            parts.append(_operands(own, 0, indent=0 if alone else STEP))
    return Group(tuple(parts), fill=fill and not alone)


def _operands(nodes: Sequence[_Node], level: int, *, indent: int) -> Doc:
    """An expression, broken before the operators that bind least."""
    if not any(_is(node, "OPERATOR") for node in nodes):
        return Group(tuple(_run(nodes)))
    while level < len(_LEVELS):
        parts = _parted(nodes, _at_level(nodes, level))
        if len(parts) > 1:
            inner: list[Doc] = [_operands(parts[0], level + 1, indent=STEP)]
            for part in parts[1:]:
                inner += [Line(), *_run(part[:1]), " ", _operands(part[1:], level + 1, indent=STEP)]
            return Group(tuple(inner), indent)
        level += 1
    return Group(tuple(_run(nodes)))


def _at_level(nodes: Sequence[_Node], level: int) -> Callable[[_Node], bool]:
    """Whether a node is an operator of a level between operands; the `and` of a `between` is none."""
    words = _LEVELS[level]
    found: set[int] = set()
    between = False
    for node in nodes:
        if isinstance(node, Piece) and node.kind == "OPERATOR":
            if node.text == "and" and between:
                between = False
            elif node.text in words:
                found.add(id(node))
            between = between or node.text.endswith("between")
    return lambda node: id(node) in found


def _parted(nodes: Sequence[_Node], starts: Callable[[_Node], bool]) -> list[list[_Node]]:
    """The runs of nodes; a new one starts at each node that does so."""
    parts: list[list[_Node]] = [[]]
    for node in nodes:
        if starts(node):
            parts.append([])
        parts[-1].append(node)
    return parts


def _run(nodes: Sequence[_Node]) -> list[Doc]:
    """Nodes side by side, with a space where one belongs."""
    parts: list[Doc] = []
    for at, node in enumerate(nodes):
        if at and _spaced(nodes[at - 1], node):
            parts.append(" ")
        parts += _node(node)
    return parts


def _node(node: _Node) -> list[Doc]:
    if isinstance(node, Piece):
        return [*_before(node), node.text, *_after(node)]
    opening, closing = node.opening, node.closing
    start: list[Doc] = [opening.text, *_after(opening), Line(" " if opening.after else "")]
    end: list[Doc] = [*_before(closing), closing.text]
    inner: list[Doc] = [_items(node.inner, fill=True), Line("", STEP)] if node.inner else []
    return [*_before(opening), Group((*start, *inner, *end), STEP), *_after(closing)]


def _before(node: _Node) -> list[Doc]:
    piece = node.opening if isinstance(node, _Bracket) else node
    return [part for comment in piece.before for part in (_commented(comment), " ")]


def _after(piece: Piece) -> list[Doc]:
    return [part for comment in piece.after for part in (" ", _commented(comment))]


def _spaced(before: _Node, after: _Node) -> bool:
    """Whether a space stands between two nodes."""
    last = before.closing if isinstance(before, _Bracket) else before
    first = after.opening if isinstance(after, _Bracket) else after
    if last.after or first.before:
        return True
    if first.kind in _NO_SPACE_BEFORE or last.kind in _NO_SPACE_AFTER:
        return False
    return not (first.kind == "LPAR" and last.kind in ("PATH", "CHAIN"))


def _commented(comment: Comment) -> Doc:
    return LineComment(comment.text) if comment.text.startswith("//") else comment.text


def _word(node: _Node) -> bool:
    """Whether a node is a word of the language at the start of a clause."""
    return isinstance(node, Piece) and node.kind not in VALUES and node.kind not in ("MINUS", "NOT")


def _is(node: _Node, kind: str) -> bool:
    return isinstance(node, Piece) and node.kind == kind


def _by(node: _Node) -> bool:
    return _is(node, "BY")


def _comma(node: _Node) -> bool:
    return _is(node, "COMMA")
