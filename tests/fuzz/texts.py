"""Any text gives a plan or diagnostics, and answers from the editing services; never another exception.

In: a number, which is a text of `mutated` and an offset in it. Out: what it came to, or `BrokenError`. Each text is
diagnosed, compiled, resolved and shown, and given to one of four services in turn. The long form is
`python -m tests.fuzz.texts --count 1000000 --progress FILE`: it prints the number reached and the rate, and goes on
where it stopped. Invariant: no NQL9xx, every span and fix inside the text, formatting settled and without effect on
the meaning, and no text takes long.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from random import Random

from nql.api import Context, Rules, compile_query, complete, diagnose, explain, format_query, hover, resolve
from nql.diagnostics import Diagnostic, QueryError, Span
from nql.plan.text import show
from nql.rules import DEFAULT, STRICT, NullRule
from nql.syntax.parse import parse
from tests.fuzz.mutated import text as any_text
from tests.progress import Proof, proof
from tests.properties.tables import CATALOG, NOW, USER_ZONE, ZONE

CONTEXT = Context(NOW, ZONE, USER_ZONE, {"n": "pc-001", "a": "x", "b": "2024-11-08", "x": "7"})
RULES = (DEFAULT, DEFAULT, STRICT, Rules(nulls=NullRule.PASS, kilo=1000), Rules(nulls=NullRule.FAIL))
SLOW = 0.4


class BrokenError(AssertionError):
    """A text for which something does not hold."""


def case(number: int) -> tuple[str, int, Rules]:
    """The text of a number, an offset in it, and the rules it is read by."""
    chance = Random(number)
    text = any_text(chance)
    return text, chance.randint(0, len(text)), chance.choice(RULES)


def check(number: int, most: float = 4 * SLOW) -> str:
    """What the text of a number came to, in at most so many seconds. Raises BrokenError."""
    text, offset, rules = case(number)
    began = time.process_time()
    try:
        outcome = meaning(text, rules, devices=number % 16 < 4)
        SERVICES[number % len(SERVICES)](text, offset, rules)
    except Exception as error:
        raise BrokenError(f"text {number}: {text!r} at {offset}, {rules}: {type(error).__name__}: {error}") from error
    if (took := time.process_time() - began) > most:
        raise BrokenError(f"text {number}: {took:.2f} s: {text!r}")
    return outcome


def meaning(text: str, rules: Rules = DEFAULT, *, devices: bool = False) -> str:
    """What holds for every text: it gives `plan`, or the code of the first error. Raises whatever is wrong."""
    findings(text, diagnose(text, CATALOG, rules))
    try:
        plan = compile_query(text, CATALOG, devices=devices, rules=rules).plan
        show(plan)
        show(resolve(plan, CONTEXT))
    except QueryError as error:
        findings(text, error.diagnostics)
        return error.diagnostics[0].code
    return "plan"


def findings(text: str, diagnostics: Sequence[Diagnostic]) -> None:
    """No bug of ours, and everything inside the text."""
    for item in diagnostics:
        if item.code.startswith("NQL9"):
            raise BrokenError(f"{item.code} {item.message}")
        inside(text, item.span)
        for fix in item.fixes:
            inside(text, fix.span)


def inside(text: str, span: Span) -> None:
    """Raises BrokenError for a span outside the text."""
    if not 0 <= span.start <= span.end <= len(text):
        raise BrokenError(f"{span} is not in a text of {len(text)}")


def completed(text: str, offset: int, rules: Rules) -> None:
    """What can stand at an offset replaces something of the text."""
    offered = complete(text, offset, CATALOG)
    inside(text, offered.span)
    if not all(item.insert for item in offered.items):
        raise BrokenError("an offer is empty")


def hovered(text: str, offset: int, rules: Rules) -> None:
    """What is known of a word covers the offset."""
    known = hover(text, offset, CATALOG)
    if known is not None:
        inside(text, known.span)
        if not known.span.start <= offset <= known.span.end:
            raise BrokenError(f"{known.span} is not at {offset}")


def explained(text: str, offset: int, rules: Rules) -> None:
    """What a query does is told, or its errors are."""
    try:
        told = explain(text, CATALOG, CONTEXT if offset % 2 else None, rules)
    except QueryError as error:
        findings(text, error.diagnostics)
    else:
        if not told.sentences:
            raise BrokenError("nothing is told")


def formatted(text: str, offset: int, rules: Rules) -> None:
    """Formatting leaves what cannot be read, settles, and keeps what is said."""
    laid_out = format_query(text)
    try:
        said = parse(text)
    except QueryError:
        if laid_out != text:
            raise BrokenError("a text that cannot be read was changed") from None
        return
    if parse(laid_out) != said:
        raise BrokenError(f"formatting says something else: {laid_out!r}")
    if format_query(laid_out) != laid_out:
        raise BrokenError(f"formatting does not settle: {laid_out!r}")


SERVICES: tuple[Callable[[str, int, Rules], None], ...] = (completed, hovered, explained, formatted)


def main(arguments: Sequence[str]) -> int:
    """The long form. Returns the exit code."""

    def one(number: int, state: Proof) -> None:
        outcome = check(number)
        state.count("plans" if outcome == "plan" else "read" if not outcome.startswith("NQL1") else "not read")

    state = proof("fuzzed texts", arguments, one, count=1_000_000)
    return 1 if state.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
