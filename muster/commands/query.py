"""`muster query`: ask a question and print the answer.

In: a text, parameters, a form. Out: the answer on standard output or in a file; what was really asked (window, zone,
cut) on standard error. Invariant: a text that cannot run prints its diagnostics under carets, and nothing on standard
output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from muster import registry
from muster.errors import MusterError, UsageError, diagnostic
from muster.following import follow
from muster.language import STRICT
from muster.options import Options, Parser, add_data, add_portal, api, one_place, width
from muster.shown import result_table
from nql.diagnostics import render

DESCRIPTION = "Ask a question in NQL and print the answer."
EXAMPLES = """\
examples:
  muster query "devices | list name, entity | limit 5"
  muster query 'devices | where name == $name' --param name=zrh-lt-0001
  muster query "execution.crashes during past 7d | summarize n = count() by binary.name" --format csv > crashes.csv
  muster query "devices | list name" --format parquet --output devices.parquet
  muster query "execution.crashes during past 1h | summarize n = count() by binary.name" --live
  muster query "devices | list name" --data /var/lib/muster     (when no portal is running on that folder)
  muster query - < question.nql"""
MEDIA = {"csv": "text/csv", "arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet"}
BINARY = frozenset({"arrow", "parquet"})
MOST_LIVE = 10_000  # rows


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("text", help="the query; - reads it from standard input")
    parser.add_argument(
        "--format", choices=["table", "json", *MEDIA], default="table", help="form of the answer (default: table)"
    )
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="value of $NAME; given twice, a list"
    )
    parser.add_argument("--zone", help="time zone in which dates are read and shown, such as Europe/Zurich")
    parser.add_argument(
        "--limit", type=int, default=10_000, metavar="N", help="rows of a table or JSON at most (default: 10000)"
    )
    parser.add_argument("--strict", choices=[STRICT], help="refuse everything that is not in NQL itself")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write to a file")
    parser.add_argument(
        "--live",
        action="store_true",
        help="keep the answer up to date until Ctrl-C; with --json a line of JSON for each answer",
    )
    add_portal(parser)
    add_data(parser)


def run(options: Options) -> None:
    """Ask and print."""
    one_place(options)
    text = sys.stdin.read() if options.text == "-" else options.text
    if not 0 <= options.limit <= 100_000:
        raise UsageError(
            "--limit is a number from 0 to 100000.", "Export more rows with --format csv, arrow or parquet."
        )
    if options.format in BINARY and options.output is None and sys.stdout.isatty():
        raise UsageError(
            f"{options.format} is not for a terminal.", "Give --output FILE, or send the output to a file."
        )
    if options.live:
        _follow(options, text)
    else:
        _write(options, _answer(options, text, parameters(options.param)), text)


def _follow(options: Options, text: str) -> None:
    """Print each answer until Ctrl-C, which is the way out and no failure."""
    if options.data is not None or options.output is not None or options.format in MEDIA:
        refused = "--live is for a portal, as a table or as JSON on standard output."
        raise UsageError(refused, "Leave out --data, --output and --format.")
    if options.limit > MOST_LIVE:
        raise UsageError(f"--live keeps up {MOST_LIVE} rows at most.", "Give a smaller --limit.")
    bounds = {"zone": options.zone, "limit": options.limit, "strict": options.strict}
    news = follow(api(options), text, {"parameters": parameters(options.param), **bounds})
    with suppress(KeyboardInterrupt):
        if options.format == "json":
            for name, said in news:
                _tell(name, said)
            return
        with registry.part("live_table").shown() as hear:
            for name, said in news:
                hear(name, said)


def _tell(name: str, said: Mapping[str, Any]) -> None:
    """An answer as a line of JSON; what is wrong on standard error."""
    if name == "answer":
        print(json.dumps(said, ensure_ascii=False, separators=(",", ":")), flush=True)
    elif "error" in said:
        print(f"muster: {said['error']['message']}", file=sys.stderr, flush=True)


def parameters(given: list[str]) -> dict[str, str | list[str]]:
    """Values by name; a name that is given more than once has a list. Raises UsageError."""
    found: dict[str, str | list[str]] = {}
    for item in given:
        name, separator, value = item.partition("=")
        name = name.strip().removeprefix("$")
        if not separator or not name:
            raise UsageError(f"--param {item!r} is not NAME=VALUE.", "Write --param name=value.")
        before = found.get(name)
        found[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
    return found


def _answer(options: Options, text: str, values: dict[str, Any]) -> bytes:
    if options.data is not None:
        answer: bytes = registry.part("folder").ask(
            options.data, text, values, options.zone, options.limit, options.format, strict=bool(options.strict)
        )
        return answer
    portal = api(options)
    if options.format in MEDIA:
        return portal.query(text, MEDIA[options.format], parameters=values, zone=options.zone, strict=options.strict)
    asked = {"parameters": values, "zone": options.zone, "limit": options.limit, "strict": options.strict}
    return portal.query(text, "application/json", **asked)


def _write(options: Options, answer: bytes, text: str) -> None:
    if options.format == "table":
        result = json.loads(answer)
        answer = (result_table(result, width() if options.output is None else None) + "\n").encode()
        _footer(result, text)
    elif options.format == "json":
        answer += b"\n"
    if options.output is None:
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
        return
    try:
        options.output.write_bytes(answer)
    except OSError as error:
        raise MusterError(f"{options.output} cannot be written: {error.strerror}.") from error


def _footer(result: dict[str, Any], text: str) -> None:
    """What was really asked, said beside the answer."""
    count = result["row_count"]
    said = [f"{count:,} row" + ("" if count == 1 else "s")]
    if result["truncated"]:
        said.append("there are more: raise --limit, or export with --format csv")
    if result["window"]:
        said.append(result["window"]["text"])
    said.append(f"complete until {result['complete_until']}")
    if rows := (result.get("cost") or {}).get("rows"):
        said.append(f"read up to {rows:,} row" + ("" if rows == 1 else "s"))
    print("\n" + " · ".join(said), file=sys.stderr)
    if result["warnings"]:
        print(render(text, map(diagnostic, result["warnings"])), file=sys.stderr)
