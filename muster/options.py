"""Options that several commands share: where the portal is, whose token, which folder, and how to print.

In: a parser, later its values. Out: an `Api`, rows on standard output. Invariants: a secret is never an option (it
would stand in the list of processes and the shell's history); what is printed with --json is JSON alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from muster.api import DEFAULT_URL, Api
from muster.errors import UsageError
from muster.shown import UNITS, table
from muster.signing_in import find_credential, find_token

Parser = argparse.ArgumentParser
Options = argparse.Namespace
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def add_portal(parser: Parser) -> None:
    """--url and --token-file."""
    parser.add_argument(
        "--url",
        default=os.environ.get("MUSTER_URL"),
        help=f"address of the portal (default: MUSTER_URL, else {DEFAULT_URL})",
    )
    _add_token_file(parser)


def add_portal_if_named(parser: Parser) -> None:
    """--url and --token-file of a command that does its work here unless a portal is named on its line."""
    parser.add_argument("--url", help="ask this portal, which knows what is configured in it (default: none is asked)")
    _add_token_file(parser)


def _add_token_file(parser: Parser) -> None:
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the API token (default: MUSTER_TOKEN, else ~/.config/muster/token, else the credential "
        "of MUSTER_CREDENTIAL_ID and MUSTER_CREDENTIAL_SECRET)",
    )


def add_data(
    parser: Parser, *, required: bool = False, meaning: str = "work on a data folder on this machine instead"
) -> None:
    """--data."""
    parser.add_argument("--data", type=Path, metavar="DIR", required=required, help=meaning)


def add_json(parser: Parser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def api(options: Options) -> Api:
    """The portal that the options name, open until the command ends."""
    token = find_token(options.token_file)
    portal = Api(options.url or DEFAULT_URL, token, credential=None if token else find_credential())
    opened: ExitStack = options.opened
    return opened.enter_context(portal)


def one_place(options: Options) -> None:
    """Raise UsageError if both a portal and a folder are given."""
    if options.data is not None and "--url" in sys.argv:
        raise UsageError("Both --url and --data are given.", "Give one of them.")


def verbs(parser: Parser) -> Callable[..., Parser]:
    """A function that adds a verb to a command, as in `muster runs list`."""
    group = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(name: str, text: str) -> Parser:
        return group.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)

    return add


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def tell(options: Options, text: str, said: Any) -> None:
    """Print a sentence, or with --json what it says as JSON."""
    if options.json:
        print_json(said)
    else:
        print(text)


def print_rows(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """Print rows as a table of the columns `names` (key: header), or all they hold as JSON."""
    if as_json:
        print_json(list(rows))
    elif not rows:
        print(empty, file=sys.stderr)
    else:
        cells = [[_cell(row.get(name)) for name in names] for row in rows]
        print(table(list(names.values()), cells, [False] * len(names), width()))


def width() -> int | None:
    """How wide a table may be: the terminal's width, None where the output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def seconds(text: str) -> int:
    """A time such as `90s`, `30min`, `12h`, `7d` in seconds, for argparse."""
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = text.removesuffix(unit)
        if number != text and number.isdigit() and number.isascii():
            return int(number) * _UNITS[unit]
    raise argparse.ArgumentTypeError(f"{text!r} is no time; write 90s, 30min, 12h or 7d")


def size(text: str) -> int:
    """A size such as `512MB`, `4GB` or `0` in bytes, units of 1024, for argparse."""
    upper = text.upper()
    power = next((power for power, unit in reversed([*enumerate(UNITS)]) if upper.endswith(unit)), 0)
    number = upper.removesuffix(UNITS[power])
    if not (number.isdigit() and number.isascii() and len(number) <= 18):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 512MB or 4GB")
    return int(number) << 10 * power


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name} {count}" for name, count in value.items() if count)
    return str(value)
