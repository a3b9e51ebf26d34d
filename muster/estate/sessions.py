"""People at their machines: sessions by bucket, logins and logouts, locks, and the desktops that are served from
elsewhere.

In: one day of the estate. Out: frames for `session.*`. Invariant: a person logs in once a working day and not again
after midnight UTC; connects, disconnects and `vdi_events` exist for virtual machines alone.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.frames import BUCKET, CONTEXT, DEVICE, USER, gauge, shaped
from muster.estate.rhythm import HOUR, MINUTE
from muster.estate.today import Today
from muster.estate.world import OLD_IMAGE

SECOND = 1_000_000
MORNING, EVENING = 13, 15  # local hours: a day begins before the one and ends after the other


def events(today: Today) -> pl.DataFrame:
    """Rows of `session.events`."""
    lunch = pl.col("local").is_between(12, 13, closed="left")
    share = pl.when(lunch).then(dice.between("lunch", 0.05, 0.4)).otherwise(dice.between("hands", 0.35, 0.95))
    away = pl.when(pl.col("virtual").is_not_null()).then(pl.lit("disconnected")).otherwise(pl.lit("locked"))
    return shaped(
        today.active,
        BUCKET,
        (DEVICE, USER),
        (pl.when(pl.col("attended")).then(share * pl.col("length")).otherwise(0))
        .cast(pl.Int64)
        .alias("user_interaction_time"),
        pl.when(pl.col("attended")).then(pl.lit("active")).otherwise(away).alias("session_state"),
        CONTEXT,
    )


def logins(today: Today) -> pl.DataFrame:
    """Rows of `session.logins`: slow at the slow site, as its login scripts come over the network."""
    rows = _mornings(today).with_columns(
        (4_000 * pl.col("boot") * (0.35 * dice.bell("desktop")).exp()).alias("visible")
    )
    script = 900 * pl.col("latency") * (0.4 * dice.bell("script")).exp()
    return shaped(
        rows,
        _morning("login"),
        (DEVICE, USER),
        (pl.col("visible").round(0).cast(pl.Int64) * 1000).alias("time_until_desktop_is_visible"),
        ((pl.col("visible") * dice.between("ready", 2.0, 4.0)).round(0).cast(pl.Int64) * 1000).alias(
            "time_until_desktop_is_ready"
        ),
        (script.round(0).cast(pl.Int64) * 1000).alias("logon_script_duration"),
        pl.lit(1, dtype=pl.Int64).alias("number_of_logins"),
        pl.when(pl.col("virtual").is_not_null()).then(pl.lit("remote")).otherwise(pl.lit("local")).alias("logon_type"),
        CONTEXT,
    )


def logouts(today: Today) -> pl.DataFrame:
    """Rows of `session.logouts`."""
    return shaped(_evenings(today), _evening("logout"), (DEVICE, USER), CONTEXT)


def connects(today: Today) -> pl.DataFrame:
    """Rows of `session.connects`."""
    return shaped(_virtual(today.daily), _at("connect", 0.0, 0.2), (DEVICE, USER), CONTEXT)


def disconnects(today: Today) -> pl.DataFrame:
    """Rows of `session.disconnects`."""
    return shaped(_virtual(today.daily), _at("disconnect", 0.6, 1.0), (DEVICE, USER), CONTEXT)


def locks(today: Today) -> pl.DataFrame:
    """Rows of `session.locks`: most people lock when they go for lunch."""
    return shaped(_breaks(today), _at("lock", 0.35, 0.45), (DEVICE, USER), CONTEXT)


def unlocks(today: Today) -> pl.DataFrame:
    """Rows of `session.unlocks`."""
    return shaped(_breaks(today), _at("unlock", 0.5, 0.6), (DEVICE, USER), CONTEXT)


def vdi_events(today: Today) -> pl.DataFrame:
    """Rows of `session.vdi_events`."""
    count = pl.col("length") / (30 * SECOND)
    image = pl.when(pl.col("image") == OLD_IMAGE).then(2.2).otherwise(1.0)
    lag = 32_000 * pl.col("latency") * image * (0.4 * dice.bell("lag")).exp()
    rows = _virtual(today.active).filter(pl.col("attended"))
    address = pl.concat_str(pl.lit("203.0.113."), dice.whole("client", 1, 250, "base").cast(pl.String))
    return shaped(
        rows,
        BUCKET,
        (DEVICE, USER),
        gauge("network_latency", lag, count, 0.6, whole=True),
        address.alias("client_ip"),
        _health().alias("health"),
        pl.col("protocol"),
        CONTEXT,
    )


def _health() -> pl.Expr:
    """How full the machine is that serves a desktop, in percent: memory where many share one."""
    crowded = pl.when(pl.col("virtual") == "shared").then(1.5).otherwise(1.0)
    shares = {
        "cpu": 15 + 40 * dice.share("host cpu"),
        "memory": (35 + 25 * dice.share("host memory")) * crowded,
        "disk": 5 + 30 * dice.share("host disk"),
        "volume": 40 + 35 * dice.share("host volume", "base"),
    }
    entries = [pl.struct(pl.lit(name).alias("name"), value.round(1).alias("real")) for name, value in shares.items()]
    return pl.concat_list(entries)


def _virtual(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("virtual").is_not_null())


def _mornings(today: Today) -> pl.DataFrame:
    return today.daily.filter((pl.col("first_hour") < MORNING) & (pl.col("last") - pl.col("first") > HOUR // 4))


def _evenings(today: Today) -> pl.DataFrame:
    return today.daily.filter((pl.col("last_hour") > EVENING) & (pl.col("last") < today.day.end) & ~pl.col("always"))


def _breaks(today: Today) -> pl.DataFrame:
    """Those who work over noon, and a few of the others."""
    return today.daily.filter((pl.col("last") - pl.col("first") > 4 * HOUR) & (dice.share("break") < 0.8))


def _morning(label: str) -> pl.Expr:
    return (pl.col("first") + dice.whole(label, 60, 600) * SECOND).alias("time")


def _evening(label: str) -> pl.Expr:
    return (pl.col("last") - dice.whole(label, 0, 10) * MINUTE - 1).alias("time")


def _at(label: str, low: float, high: float) -> pl.Expr:
    span = pl.col("last") - pl.col("first") - 1
    return (pl.col("first") + (span * dice.between(label, low, high)).cast(pl.Int64)).alias("time")
