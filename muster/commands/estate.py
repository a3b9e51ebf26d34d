"""`muster estate`: write the history of simulated devices into a portal or a folder.

In: how many devices and days, a seed. Out: how many rows were stored. Invariant: the same numbers at the same instant
give the same rows; a load that was cut off is taken up again by giving the same --now.
"""

from __future__ import annotations

from datetime import UTC, datetime

from muster import registry
from muster.clock import now
from muster.errors import UsageError
from muster.options import Options, Parser, add_data, add_json, add_portal, api, one_place, tell

DESCRIPTION = "Write the history of simulated devices, for every table a query may ask for."
EXAMPLES = """\
examples:
  muster estate --devices 500 --days 7 --seed 1 --data ./data          (when no portal is running on that folder)
  muster estate --devices 50 --days 2 --seed 1 --url http://127.0.0.1:8080

A portal takes it if it was started with --imports and the account has the permission import."""


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("--devices", type=int, default=500, metavar="N", help="how many devices (default: 500)")
    parser.add_argument("--days", type=int, default=7, metavar="D", help="how many days, at most 29 (default: 7)")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="another number gives another estate (default: 1)"
    )
    parser.add_argument(
        "--now", metavar="TIME", help="when the history ends, such as 2026-11-22T12:00:00Z (default: now)"
    )
    add_portal(parser)
    add_data(parser)
    add_json(parser)


def run(options: Options) -> None:
    """Make the estate and store it."""
    one_place(options)
    load = registry.part("load")
    instant = _instant(options.now)
    try:
        whole = load.planned(options.devices, options.days, options.seed, instant)
    except ValueError as error:
        raise UsageError(f"{error}."[0].upper() + f"{error}."[1:]) from error
    text = f"{options.devices} devices, {options.days} days"
    with registry.part("progress").progress(text) as told:
        if options.data is not None:
            stored = registry.part("folder_load").store_estate(options.data, whole, told)
        else:
            stored = registry.part("send").send(api(options), whole, told)
    said = {
        "rows": stored.rows,
        "repeated_batches": stored.repeated,
        "devices": options.devices,
        "days": options.days,
        "seed": options.seed,
        "now": instant,
    }
    repeated = f", {stored.repeated} batches were there already" if stored.repeated else ""
    tell(options, f"{stored.rows:,} rows stored{repeated}", said)


def _instant(text: str | None) -> int:
    if text is None:
        return now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time.", "Write one such as 2026-11-22T12:00:00Z.") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
