"""The books that are kept beside the devices: audit and platform logs, account actions, the weekly metering of
software.

In: the estate. Out: frames for `platform.*`, `usage.account_actions`, `software_metering.events`,
`package.installations` and `package.uninstallations`. Invariant: metering weeks begin on Monday 00:00 UTC and are
over; every log has successes and a failure.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from muster.estate import dice as chance
from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate, shaped
from muster.estate.inventory import changes
from muster.estate.rhythm import DAY, HOUR
from muster.estate.software import APPLICATIONS
from muster.estate.today import APPLICATION_UIDS

WEEK = 7 * DAY
METERS = {item.key: item.name for item in APPLICATIONS}
MONDAY = 4 * DAY  # the first Monday after 1970-01-01
ACCOUNTS = ("admin", "operator", "analyst")
LOGS = {
    "platform.audit_logs": (12, ("account.signed_in", "action.saved", "run.created", "token.created")),
    "platform.custom_trends_logs": (1, ("trend.computed", "trend.published")),
    "platform.data_export_logs": (2, ("export.written", "export.sent")),
    "platform.inbound_connector_logs": (4, ("directory.read", "tickets.read")),
}
TROUBLE = {
    "platform.audit_logs": ("not permitted", "the password is wrong", "the token has ended"),
    "platform.custom_trends_logs": ("the query took too long", "more than 200 trends"),
    "platform.data_export_logs": ("the storage refused the file", "the export is larger than its limit"),
    "platform.inbound_connector_logs": ("the directory did not answer", "the secret has ended"),
    "platform.nql_api_logs": ("too many calls in a second", "there is no such query", "a parameter is missing"),
    "usage.account_actions": ("not permitted",),
}
FAILED = (0, 1)  # entries of each log that are failures whatever the dice say
WEEKS = 3  # of metering are there at least
QUERIES = ("#devices_overview", "#crashes_by_binary", "#slow_boots")


def logs(estate: Estate) -> dict[str, pl.DataFrame]:
    """Rows of the tables of `platform`, by table."""
    found = {name: _log(estate, name, daily, actions) for name, (daily, actions) in LOGS.items()}
    found["platform.audit_logs"] = found["platform.audit_logs"].with_columns(
        pl.format("{}:{}", pl.col("action").str.extract(r"^(\w+)"), "account").alias("subject"),
        pl.concat_str(pl.lit('{"name":"'), "account", pl.lit('"}')).alias("detail"),
    )
    found["platform.nql_api_logs"] = _queries(estate)
    return found


def account_actions(estate: Estate) -> pl.DataFrame:
    """Rows of `usage.account_actions`."""
    return _log(estate, "usage.account_actions", 10, ("investigation.run", "dashboard.opened", "device.opened")).select(
        "time", "account", "action"
    )


def metering(estate: Estate) -> pl.DataFrame:
    """Rows of `software_metering.events`: the weeks that ended during the history, at least the last WEEKS that are
    over. Somebody who does not use a program at all does so week after week."""
    last = (estate.now - MONDAY) // WEEK * WEEK + MONDAY - WEEK
    weeks = list(range(last, min(estate.start - WEEK, last - WEEKS * WEEK), -WEEK))
    held = estate.installed.filter(pl.col("application").is_not_null()).join(
        estate.devices, on="number", maintain_order="left"
    )
    held = held.join(pl.DataFrame({"start_time": sorted(weeks)}), how="cross", maintain_order="left")
    held = held.unique(["number", "application", "start_time"], keep="first", maintain_order=True)
    seeds = pl.col("application").replace_strict(
        {key: word("metered", key) for key in APPLICATION_UIDS}, return_dtype=pl.UInt64
    )
    held = held.with_columns(chance.mixed(pl.col("base"), seeds).alias("holder"))
    held = held.with_columns(chance.mixed(pl.col("holder"), pl.col("start_time")).alias("state"))
    hours = (
        pl.when(chance.share("unused", "holder") < 0.15)
        .then(0.0)
        .otherwise(pl.col("hourly") * 40 * chance.share("hours"))
    )
    status = (
        pl.when(pl.col("hours") == 0)
        .then(pl.lit("installed_but_not_using"))
        .when(pl.col("hours") < 2)
        .then(pl.lit("underusing"))
    )
    return shaped(
        held.with_columns(hours.alias("hours")),
        (
            pl.col("start_time"),
            (pl.col("start_time") + WEEK).alias("end_time"),
            pl.lit(WEEK, dtype=pl.Int64).alias("bucket_duration"),
        ),
        (pl.col("device").alias("@device"), pl.col("user").alias("@user")),
        pl.col("application").replace_strict(APPLICATION_UIDS, return_dtype=pl.String).alias("@application"),
        pl.col("application").replace_strict(METERS, return_dtype=pl.String).alias("meter_configuration.name"),
        (pl.col("hours") * HOUR).cast(pl.Int64).alias("usage_duration"),
        ((pl.col("hours") > 0) & (chance.share("web", "holder") < 0.4)).alias("web_is_used"),
        status.otherwise(pl.lit("using")).alias("status"),
    )


def installations(estate: Estate) -> pl.DataFrame:
    """Rows of `package.installations`: the new version of what was updated."""
    return _changed(estate, "after_uid")


def uninstallations(estate: Estate) -> pl.DataFrame:
    """Rows of `package.uninstallations`: the version that an update replaced."""
    return _changed(estate, "before_uid")


def _changed(estate: Estate, package: str) -> pl.DataFrame:
    rows = changes(estate).sort("switch", "number", "program")
    return shaped(
        rows,
        (pl.col("switch").alias("time"), pl.col("device").alias("@device"), pl.col("user").alias("@user")),
        pl.col(package).alias("@package"),
    )


def _log(estate: Estate, name: str, daily: int, actions: tuple[str, ...]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for number in range(max(2, daily * estate.days)):
        dice = Dice(mix(word(estate.seed, name), number))
        failed = number in FAILED or dice.share("failed") < 0.04
        rows.append(
            {
                "time": estate.start + int(dice.share("at") * estate.days * DAY),
                "status": "failure" if failed else "success",
                "status_details": TROUBLE[name][number % len(TROUBLE[name])] if failed else None,
                "account": dice.pick("account", ACCOUNTS),
                "action": dice.pick("action", actions),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "action")


def _queries(estate: Estate) -> pl.DataFrame:
    calls = _log(estate, "platform.nql_api_logs", 8, QUERIES).rename({"action": "query_id"})
    endpoint = pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("export")).otherwise(pl.lit("execute"))
    return calls.with_columns(endpoint.alias("endpoint"))
