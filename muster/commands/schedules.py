"""`muster schedules`: what runs by itself: make, list, look at, stop and remove schedules.

In: an action, a query, a cadence. Out: schedules, the times they are due, what became of those times. Invariant: who
makes or changes a schedule owns it; what cannot be is said by the portal, with the way out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from muster.api import Api, segment
from muster.commands.runs import nql_id, parameters
from muster.errors import UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, seconds, tell, verbs

DESCRIPTION = "Schedules of remote actions: what runs by itself, when, and what became of it."
EXAMPLES = """\
examples:
  muster schedules create nightly_cleanup --action clear_user_cache --daily 03:00 --zone Europe/Zurich \\
      --nql 'devices | where operating_system.platform == linux'
  muster schedules create uptime --action get_uptime --every 1h --nql devices --missed skip
  muster schedules next nightly_cleanup
  muster schedules firings nightly_cleanup"""
LISTED = {
    "nql_id": "schedule",
    "action": "action",
    "when": "when",
    "zone": "zone",
    "enabled": "enabled",
    "owner": "owner",
    "next_at": "next due",
}
TIMES = {"local": "in its zone", "due_at": "due", "fires_at": "fires"}
FIRINGS = {"due_at": "due", "fired_at": "fired", "outcome": "outcome", "run": "run", "detail": "detail"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    listing = verb("list", "all schedules")
    _creating(verb("create", "make a schedule, or with --replace change it"))
    for name, text in (
        ("show", "one schedule with all it says"),
        ("enable", "have a schedule go on"),
        ("disable", "have a schedule stand still"),
        ("delete", "remove a schedule; its runs stay"),
        ("next", "when it is due next"),
        ("firings", "what became of the times it was due"),
    ):
        one = verb(name, text)
        one.add_argument("id", help="the schedule's id, with or without #")
        if name in ("next", "firings"):
            one.add_argument("--count", type=int, default=10, metavar="N", help="how many (default: 10)")
        add_portal(one)
        add_json(one)
    add_portal(listing)
    add_json(listing)


def _creating(one: Parser) -> None:
    one.add_argument("id", help="the schedule's id, with or without #")
    one.add_argument("--name", help="its name for people (default: the id)")
    one.add_argument("--action", required=True, metavar="ID", help="the action, with or without #")
    one.add_argument("--nql", required=True, metavar="QUERY", help="the devices, asked anew each time")
    one.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the action")
    when = one.add_mutually_exclusive_group(required=True)
    when.add_argument("--every", metavar="TIME", help="an interval such as 15min, 6h, 1d")
    when.add_argument("--cron", metavar="FIELDS", help="five fields, such as '0 3 * * 1-5'")
    when.add_argument("--hourly", type=int, metavar="MINUTE", help="each hour at this minute")
    when.add_argument("--daily", metavar="HH:MM", help="each day at this time")
    when.add_argument("--weekly", metavar="DAYS@HH:MM", help="such as mon,thu@03:00")
    when.add_argument("--monthly", metavar="DAY@HH:MM", help="such as 1@03:00 or last@03:00")
    when.add_argument("--once", metavar="INSTANT", help="such as 2026-12-01T03:00:00Z")
    one.add_argument("--zone", default="UTC", metavar="ZONE", help="the zone of its times (default: UTC)")
    one.add_argument("--jitter", type=seconds, default=0, metavar="TIME", help="spread it over this time, at most 1h")
    one.add_argument("--missed", choices=("skip", "once", "all"), default="once", help="what to make up for")
    one.add_argument("--ends-at", metavar="INSTANT", help="the last time it may be due")
    one.add_argument("--expires-in", type=seconds, metavar="TIME", help="how long devices may take to begin")
    one.add_argument("--plan", type=Path, metavar="FILE", help="JSON with waves, limits, retries and the like")
    one.add_argument("--local", action="store_true", help="run on each device's own clock (--every 10min to 24h)")
    one.add_argument("--allow-draft", action="store_true", help="fire although no trusted author signed the action")
    one.add_argument("--disabled", action="store_true", help="make it stand still at first")
    one.add_argument("--replace", action="store_true", help="change the schedule of this id")
    add_portal(one)
    add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "list":
            found = portal.get("/schedules")["schedules"]
            print_rows(found if options.json else [_row(one) for one in found], LISTED, as_json=options.json,
                       empty="There are no schedules yet.")  # fmt: skip
        case "create":
            _create(portal, options)
        case "delete":
            portal.delete(_path(options))
            tell(options, f"{nql_id(options.id)} is removed", {"deleted": nql_id(options.id)})
        case "next":
            said = portal.get(f"{_path(options)}/next", count=options.count)
            print_rows(said["times"], TIMES, as_json=options.json, empty="It is never due.")
        case "firings":
            rows = portal.get(f"{_path(options)}/firings", limit=options.count)["firings"]
            print_rows(rows, FIRINGS, as_json=options.json, empty="It has not been due yet.")
        case "show":
            _told(options, portal.get(_path(options)))
        case verb:
            _told(options, portal.post(f"{_path(options)}/{verb}", {}))


def _create(portal: Api, options: Options) -> None:
    definition: dict[str, Any] = {
        "action": nql_id(options.action),
        "target": options.nql,
        "cadence": cadence(options),
        "parameters": parameters(options.param),
        "zone": options.zone,
        "jitter": options.jitter,
        "missed": options.missed,
        "ends_at": options.ends_at,
        "expires_in": options.expires_in,
        "local": options.local,
        "allow_draft": options.allow_draft,
    }
    if options.plan is not None:
        definition["plan"] = _plan(options.plan)
    name = options.name or options.id.removeprefix("#")
    body = {"name": name, "definition": definition, "enabled": not options.disabled}
    if options.replace:
        _told(options, portal.put(_path(options), body, text=options.nql))
    else:
        _told(options, portal.post("/schedules", body | {"nql_id": nql_id(options.id)}, text=options.nql))


def cadence(options: Options) -> dict[str, Any]:
    """The cadence that the options name. Raises UsageError."""
    for name in ("every", "cron", "once"):
        if (text := getattr(options, name)) is not None:
            return {name: text}
    if options.hourly is not None:
        return {"hourly": {"minute": options.hourly}}
    if options.daily is not None:
        return {"daily": {"at": options.daily}}
    name = "weekly" if options.weekly is not None else "monthly"
    days, separator, at = (options.weekly or options.monthly).partition("@")
    if not separator:
        raise UsageError(f"--{name} lacks its time.", f"Write --{name} DAYS@HH:MM, such as --weekly mon,thu@03:00.")
    if name == "weekly":
        return {"weekly": {"days": days.split(","), "at": at}}
    return {"monthly": {"day": int(days) if days.isdigit() and len(days) < 3 else days, "at": at}}


def _plan(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}", "Give a file with a plan.") from None


def _path(options: Options) -> str:
    return f"/schedules/{segment(options.id.removeprefix('#'))}"


def _row(said: dict[str, Any]) -> dict[str, Any]:
    definition = said["definition"]
    zone = definition.get("zone", "UTC")
    return {**said, "action": definition["action"], "when": when(definition["cadence"]), "zone": zone}


def when(said: dict[str, Any]) -> str:
    """A cadence in a few words."""
    match said:
        case {"every": text}:
            return f"every {text}"
        case {"cron": text}:
            return f"cron {text}"
        case {"once": text}:
            return f"once, {text}"
        case {"hourly": hourly}:
            return f"hourly at minute {hourly.get('minute', 0)}"
        case {"daily": {"at": at}}:
            return f"daily at {at}"
        case {"weekly": {"days": days, "at": at}}:
            return f"{', '.join(days)} at {at}"
        case {"monthly": {"day": day, "at": at}}:
            return f"monthly on day {day} at {at}" if day != "last" else f"on the last of a month at {at}"
    return "?"


def _told(options: Options, said: dict[str, Any]) -> None:
    schedule = said["schedule"]
    row = _row(schedule)
    state = "enabled" if schedule["enabled"] else "disabled"
    lines = [
        f"{row['nql_id']}  {schedule['name']}  ({state}, of {schedule['owner']})",
        f"{row['action']}, {row['when']} in {row['zone']}, next due {schedule['next_at'] or 'never'}",
        f"for: {schedule['definition']['target']}",
    ]
    tell(options, "\n".join(lines), said)
