"""How well people are served: a daily score for each person and machine, and scores of the applications they use.

In: one day of the estate. Out: frames for `dex.*`, stamped 04:00 UTC. Invariant: a score follows what the same device
shows elsewhere (a slow boot, the bad version, an old model), so that a low score leads to its cause; each impact is
what its node takes from the total.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.dice import word
from muster.estate.frames import CONTEXT, DEVICE, USER, shaped
from muster.estate.rhythm import DAY, HOUR
from muster.estate.software import APPLICATIONS
from muster.estate.today import APPLICATION_UIDS, Today

STAMP = 4 * HOUR
COLLABORATION = ("teams_audio_quality", "teams_video_quality", "zoom_audio_quality", "zoom_video_quality")
NODES = (
    ("application", 1.0),
    ("page_loads", 0.9),
    ("transactions", 0.9),
    ("web_reliability", 1.1),
    ("crashes", 1.0),
    ("freezes", 1.0),
)


def scores(today: Today) -> pl.DataFrame:
    """Rows of `dex.scores`."""
    rows = _stamped(today).with_columns(
        _node(name, lost).alias(f"endpoint.{name}_value") for name, lost in _endpoint(today).items()
    )
    rows = rows.with_columns(
        _node(name, 4 * pl.col("latency")).alias(f"collaboration.{name}_value") for name in COLLABORATION
    )
    endpoint = pl.mean_horizontal(pl.col("^endpoint\\..*_value$")).round(1)
    collaboration = pl.mean_horizontal(pl.col("^collaboration\\..*_value$")).round(1)
    rows = rows.with_columns(
        endpoint.alias("endpoint.value"),
        collaboration.alias("collaboration.value"),
        _node("applications", 3 * pl.col("latency") + 2 * pl.col("age")).alias("applications.value"),
        _node("sentiment", 6 * pl.col("latency")).alias("sentiment.value"),
    )
    technology = pl.mean_horizontal("endpoint.value", "collaboration.value", "applications.value").round(1)
    rows = rows.with_columns(technology.alias("technology.value"))
    impacts = [_impact(name) for name in rows.columns if name.endswith("_value")]
    own = [pl.col(name) for name in rows.columns if "." in name]
    return shaped(rows, pl.col("time"), (DEVICE, USER), _total(), own, impacts, CONTEXT)


def application_scores(today: Today) -> pl.DataFrame:
    """Rows of `dex.application_scores`: two applications a person and day, each with one of its nodes."""
    seeds = [(item.key, word("scored", item.key), APPLICATION_UIDS[item.key]) for item in APPLICATIONS]
    frame = pl.DataFrame(
        seeds, schema={"application": pl.String, "seed": pl.UInt64, "@application": pl.String}, orient="row"
    )
    rows = (
        _stamped(today)
        .join(frame, how="cross", maintain_order="left_right")
        .with_columns(dice.mixed(pl.col("state"), pl.col("seed")).alias("state"))
    )
    rows = rows.filter(dice.share("scored") < 2 / len(APPLICATIONS)).with_columns(
        dice.weighted("node", NODES).alias("node.type"),
        _node("node", 3 * pl.col("latency") + 2 * pl.col("age")).alias("node.value"),
    )
    return shaped(
        rows,
        pl.col("time"),
        (DEVICE, USER),
        (pl.col("@application"), pl.col("node.type"), pl.col("node.value")),
        (pl.col("node.value") * 0.98).round(1).alias("value"),
        ((100 - pl.col("node.value")) * 0.1).round(2).alias("node.score_impact"),
        CONTEXT,
    )


def _stamped(today: Today) -> pl.DataFrame:
    """The devices with a score: all but a few, if the hour of scores lies within the day's span."""
    time = today.day.number * DAY + STAMP
    if not today.day.start <= time < today.day.end:
        return _located(today, time).clear()
    return _located(today, time)


def _located(today: Today, time: int) -> pl.DataFrame:
    state = dice.mixed(pl.col("base"), today.day.number)
    rows = today.estate.devices.with_columns(state.alias("state"), pl.lit(time, dtype=pl.Int64).alias("time"))
    away = dice.share("place") < pl.col("at_home")
    bad = today.estate.installed.filter((pl.col("program") == "outlook") & (pl.col("switch") < time)).select(
        "number", pl.lit(45.0).alias("bad")
    )
    rows = rows.join(bad.unique("number", maintain_order=True), on="number", how="left", maintain_order="left")
    located = pl.when(away).then(pl.lit("Remote")).otherwise(pl.lit("Onsite")).alias("location")
    return rows.with_columns(located, pl.col("bad").fill_null(0.0)).filter(dice.share("scored today") < 0.97)


def _endpoint(today: Today) -> dict[str, pl.Expr]:
    """The nodes of the endpoint score, each with the points that a device loses there."""
    age, boot, latency, small = pl.col("age"), pl.col("boot"), pl.col("latency"), 8 * (16 << 30) / pl.col("memory")
    virtual, bad = pl.when(pl.col("virtual").is_not_null()).then(9.0).otherwise(0.0), pl.col("bad")
    reliability, speed = 3 * age, 4 * age
    return {
        "boot_speed": 20 * boot,
        "logon_speed": 18 * boot,
        "software_reliability": 4 + bad,
        "virtual_session_lag": virtual * latency,
        "device_reliability": reliability,
        "software_performance": 5 + bad / 2,
        "software_performance_with_gui": 5 + bad / 2,
        "software_performance_without_gui": pl.lit(5.0),
        "device_performance": speed,
        "vdi_performance": virtual,
        "hard_reset": age,
        "system_crash": 1.5 * age,
        "memory_pressure": small,
        "memory_usage": small,
        "cpu_usage": speed,
        "wifi_signal_strength": pl.when(pl.col("form") == "laptop").then(10.0).otherwise(2.0),
        "network_quality": 13 * latency,
    }


def _node(name: str, lost: pl.Expr) -> pl.Expr:
    return (100 - lost * (0.6 + 0.8 * dice.share(f"node {name}"))).clip(2, 100).round(1)


def _impact(name: str) -> pl.Expr:
    return ((100 - pl.col(name)) * 0.05).round(2).alias(name.replace("_value", "_score_impact"))


def _total() -> pl.Expr:
    return (0.8 * pl.col("technology.value") + 0.2 * pl.col("sentiment.value")).round(1).alias("value")
