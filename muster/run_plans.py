"""The plan of a run as options of a command: waves, gate, limits, retries, window.

In: option values. Out: the JSON of a plan, as the portal takes it; what was not given is not in it. Invariant: bounds
are the portal's matter; here only what cannot be read at all is refused, with an example of what can.
"""

from __future__ import annotations

import re
from typing import Any

from muster.errors import UsageError
from muster.options import Options, Parser, seconds

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOW = "'mon-fri 22:00-06:00 Europe/Zurich'"


def add_plan(parser: Parser) -> None:
    """The options of a plan."""
    group = parser.add_argument_group("how it goes about the devices")
    group.add_argument("--waves", metavar="SIZES", help="one wave after the other, such as 1,5%%,25%%,100%%")
    group.add_argument("--soak", type=seconds, metavar="TIME", help="pause after each wave, such as 5min")
    group.add_argument("--gate", metavar="QUERY", help="NQL that lists what is wrong, with $run; any row halts the run")
    group.add_argument("--max-devices", type=int, metavar="N", help="do not begin for more devices than this")
    group.add_argument("--max-growth", metavar="N%", help="do not begin for so many more than --previewed")
    group.add_argument("--previewed", type=int, metavar="N", help="how many the preview had (default: it is asked now)")
    group.add_argument("--retries", type=int, metavar="N", help="try a failed device again so often, at most 9 times")
    group.add_argument("--backoff", type=seconds, metavar="TIME", help="pause before the first retry; it doubles")
    group.add_argument("--once-every", type=seconds, metavar="TIME", help="leave out who ran the action since then")
    group.add_argument("--window", metavar="WHEN", help=f"begin only then, such as {WINDOW}".replace("%", "%%"))
    group.add_argument("--follow", action="store_true", help="devices that the query means later join until it expires")


def plan_of(options: Options) -> dict[str, Any]:
    """The plan that the options say, without `limits.preview` where that is still to be asked. Raises UsageError."""
    plan: dict[str, Any] = {"mode": "follow"} if options.follow else {}
    if options.waves is not None:
        plan["waves"] = [size.strip() for size in options.waves.split(",")]
    for name in ("soak", "gate", "once_every"):
        if (value := getattr(options, name)) is not None:
            plan[name] = value
    if limits := _limits(options):
        plan["limits"] = limits
    if retries := _retries(options):
        plan["retries"] = retries
    if options.window is not None:
        plan["window"] = _window(options.window)
    return plan


def _limits(options: Options) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if options.max_devices is not None:
        limits["devices"] = options.max_devices
    if options.previewed is not None:
        limits["preview"] = options.previewed
    if options.max_growth is not None:
        number = options.max_growth.removesuffix("%")
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,2})?", number):
            raise UsageError(f"--max-growth {options.max_growth!r} is no percentage.", "Write --max-growth 10%.")
        limits["growth"] = float(number)
    return limits


def _retries(options: Options) -> dict[str, int]:
    if options.retries is None:
        if options.backoff is not None:
            raise UsageError("--backoff goes with --retries.", "Say how often: --retries 3 --backoff 1min.")
        return {}
    if not 1 <= options.retries <= 9:
        raise UsageError(f"--retries {options.retries} is not possible.", "Devices try again 1 to 9 times.")
    backoff = {} if options.backoff is None else {"backoff": options.backoff}
    return {"attempts": options.retries + 1, **backoff}


def _window(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"\s*([a-z,-]+)\s+([0-9]{1,2}:[0-9]{2})-([0-9]{1,2}:[0-9]{2})(?:\s+(\S+))?\s*", text)
    days = [] if found is None else [day for part in found[1].split(",") for day in _days(part)]
    if found is None or not days:
        raise UsageError(f"--window {text!r} cannot be read.", f"Write --window {WINDOW}.")
    opens, closes = found[2].zfill(5), found[3].zfill(5)
    return {"days": list(dict.fromkeys(days)), "from": opens, "to": closes, "zone": found[4] or "UTC"}


def _days(part: str) -> list[str]:
    """The days of `mon` or `fri-mon`; none for what is neither."""
    first, dash, last = part.partition("-")
    if part == "daily":
        return list(DAYS)
    if first not in DAYS or (dash and last not in DAYS):
        return []
    count = (DAYS.index(last) - DAYS.index(first)) % 7 if dash else 0
    return [DAYS[(DAYS.index(first) + step) % 7] for step in range(count + 1)]
