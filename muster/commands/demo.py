"""`muster demo`: a portal to try everything on: this machine, 500 simulated devices, a week of history.

In: a folder or none, a port. Out: address, account and password, queries to try. Invariant: without --data nothing is
left when it ends.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from muster import registry
from muster.errors import UsageError
from muster.options import Options, Parser, add_data

DESCRIPTION = """\
A portal to try everything on: this machine's agent, and 500 simulated devices with a week of history, 50 of them
connected."""
EXAMPLES = """\
examples:
  muster demo
  muster demo --data ./demo --port 9000        (keeps its data; starts again at once)
  muster demo --port 0                         (any free port)"""


def arguments(parser: Parser) -> None:
    """The options."""
    add_data(parser, meaning="keep the data in this folder (default: a temporary one, removed at the end)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any free one (default: 8080 if it is free)")
    parser.add_argument("--devices", type=int, default=500, metavar="N", help="simulated devices (default: 500)")
    parser.add_argument("--days", type=int, default=7, metavar="D", help="days of history (default: 7)")
    parser.add_argument(
        "--connected", type=int, default=50, metavar="N", help="how many of them are connected (default: 50)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="another number gives other devices (default: 1)"
    )
    parser.add_argument("--no-agent", action="store_true", help="leave this machine out")


def run(options: Options) -> None:
    """Run the demo."""
    if not 0 <= options.connected <= min(options.devices, 500):
        raise UsageError("--connected is a number from 0 to --devices, at most 500.")
    if not 0 <= (options.port or 0) <= 65_535:
        raise UsageError(f"There is no port {options.port}.", "Ports are 0 to 65535.")
    demo = registry.part("demo")
    kept = options.data is not None
    data = options.data if kept else Path(tempfile.mkdtemp(prefix="muster-demo-"))
    plan = demo.Plan(
        data,
        options.host,
        options.port,
        options.devices,
        options.days,
        options.connected,
        options.seed,
        not options.no_agent,
    )
    try:
        with registry.part("progress").progress("history") as told:
            demo.run(plan, lambda text: print(text, flush=True), told)
    finally:
        if not kept:
            shutil.rmtree(data, ignore_errors=True)
    print("stopped")
