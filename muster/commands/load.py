"""`muster load`: measure a portal under many devices, and check what it stored.

In: a folder for the portal that is started, and what to do to it. Out: figures, as a table or JSON; an exit code that
says whether everything stored is what the devices sent. Invariant: nothing that exists is used but a folder of an
earlier load; a portal in service is never put under load by a slip.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from muster import registry
from muster.errors import MusterError, UsageError
from muster.options import Options, Parser, add_data, add_json

DESCRIPTION = (
    "Start a portal over a folder of its own, connect light devices and clients to it over the real wire, and measure."
)
EXAMPLES = """\
examples:
  muster load --data /tmp/load --devices 10000                              (connect, and be idle)
  muster load --data /tmp/load --devices 10000 --runs 100 --fan-out nudges  (from created to started; a run for all)
  muster load --data /tmp/load --devices 2000 --senders 200 --rows 1000     (telemetry)
  muster load --data /tmp/load --devices 200 --clients 200                  (clients of other people, for a minute)
  muster load --data /tmp/load --devices 10000 --restart --kill --json"""
MARK = "load.folder"


def arguments(parser: Parser) -> None:
    """The options."""
    add_data(parser, required=True, meaning="a folder for the portal of the load: empty, or of an earlier load")
    _number(parser, "--devices", 1000, 1, 100_000, "light devices")
    _number(parser, "--seed", 1, 0, 1 << 30, "what devices are made of")
    _number(parser, "--rate", 400, 1, 100_000, "devices that connect in a second")
    _number(parser, "--idle", 10, 0, 3600, "seconds that they are only there")
    _number(parser, "--runs", 0, 0, 10_000, "runs of one real agent each, beside the light ones")
    _number(parser, "--senders", 0, 0, 100_000, "devices that send telemetry")
    _number(parser, "--batches", 5, 1, 10_000, "batches of each")
    _number(parser, "--rows", 1000, 1, 10_000, "rows in a batch")
    _number(parser, "--clients", 0, 0, 2000, "clients of other people that run, ask and export, beside two real agents")
    _number(parser, "--client-seconds", 60, 1, 3600, "seconds that they do")
    parser.add_argument(
        "--fan-out",
        choices=["nudges", "results"],
        default="",
        help="one run for all devices: until all are told, or until all have answered",
    )
    parser.add_argument("--restart", action="store_true", help="stop the portal and start it again")
    parser.add_argument("--kill", action="store_true", help="kill the portal (-9) and start it again")
    add_json(parser)


def run(options: Options) -> None:
    """Load."""
    data = Path(options.data)
    if data.exists() and any(data.iterdir()) and not (data / MARK).exists():
        raise UsageError(f"{data} is not the folder of a load.", "Name an empty one: its portal is for this alone.")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / MARK).touch()
    names = (
        "devices", "seed", "rate", "idle", "runs", "senders", "batches", "rows", "fan_out", "restart", "kill",
        "clients", "client_seconds",
    )  # fmt: skip
    figures, wrong = registry.part("fleet").measure(
        data, {name: getattr(options, name) for name in names}, lambda text: print(text, file=sys.stderr)
    )
    _tell(figures, wrong, as_json=options.json)
    if wrong:
        raise MusterError("The load found what should not be.", "\n".join(wrong[:20]), "load")


def _tell(figures: dict[str, float], wrong: list[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"figures": figures, "wrong": wrong}))
        return
    for name, value in figures.items():
        print(f"{name:<40} {value:>14,.2f}")


def _number(parser: Parser, name: str, default: int, least: int, most: int, meaning: str) -> None:
    def bounded(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:,} to {most:,}")
        return int(text)

    parser.add_argument(
        name, type=bounded, default=default, metavar="N", help=f"{meaning} (default: {default}; at most {most:,})"
    )
