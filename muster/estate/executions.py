"""What runs on the machines, what crashes there, and what it says over the network.

In: one day of the estate. Out: frames for `execution.*` and `connection.*`. Invariant: crashes and connections happen
only where and while the program runs; the bad version crashes forty times as often as the one before it.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.frames import BUCKET, CONTEXT, DEVICE, USER, gauge, shaped
from muster.estate.identifiers import system_uid
from muster.estate.rhythm import HOUR
from muster.estate.software import MIB
from muster.estate.today import APPLICATION_UIDS, Today

SECOND = 1_000_000
BAD_FACTOR = 40
BINARY = pl.col("binary_uid").alias("@binary")
APPLICATION = (
    pl.col("application").replace_strict(APPLICATION_UIDS, default=None, return_dtype=pl.String).alias("@application")
)
ROOTS = (("temp", 4), ("removable_drive", 3), ("net_drive", 3), ("recycle_bin", 2))
RUNNER = (  # programs of the system run under its own account
    pl.when((pl.col("visibility") == "system") & (pl.col("platform") == "windows"))
    .then(pl.lit(system_uid("windows")))
    .when((pl.col("visibility") == "system") & (pl.col("platform") == "macos"))
    .then(pl.lit(system_uid("macos")))
    .when(pl.col("visibility") == "system")
    .then(pl.lit(system_uid("linux")))
    .otherwise(pl.col("user"))
    .alias("@user")
)
DESTINATIONS = (
    ("outlook.helvora.example", "internet", "Ireland", "198.51.100.10", 443, "Cloud Office", "eu-west-1"),
    ("teams.helvora.example", "internet", "Ireland", "198.51.100.24", 443, "Cloud Office", "eu-west-1"),
    ("files.helvora.example", "intranet", "Switzerland", "10.10.0.20", 445, None, None),
    ("intranet.helvora.example", "intranet", "Switzerland", "10.10.0.30", 443, None, None),
    ("cdn.example.net", "internet", "Germany", "203.0.113.80", 443, "Example CDN", "eu-central-1"),
    ("api.example.org", "internet", "United States", "192.0.2.44", 443, "Example Cloud", "us-east-1"),
    ("cdn6.example.net", "internet", "Netherlands", "2001:db8:20::80", 443, "Example CDN", "eu-west-4"),
)
FIELDS = ("domain", "type", "country", "ip_address", "port", "owner", "datacenter_region")


def events(today: Today) -> pl.DataFrame:
    """Rows of `execution.events`."""
    seconds, hours = pl.col("length") / SECOND, pl.col("length") / HOUR
    front = pl.col("visibility") == "foreground"
    rows = today.running.lazy().with_columns(
        (pl.col("cpu") * hours * pl.col("load") * (0.5 * dice.bell("cpu")).exp()).clip(0.05, None).alias("work"),
        (pl.col("footprint") * MIB * (0.25 * dice.bell("memory")).exp()).alias("bytes"),
        (seconds * pl.when(front).then(dice.between("present", 0.4, 1.0)).otherwise(1.0)).alias("alive"),
        (
            pl.when(pl.col("attended") & front).then(pl.col("focus") * dice.between("focus", 0.2, 1.6)).otherwise(0)
            * seconds
        ).alias("focused"),
        (dice.share("traffic") ** 3 * 40 * MIB * hours).alias("down"),
        pl.when(dice.share("net") < 0.5).then(dice.whole("connections", 1, 40)).otherwise(0).alias("connections"),
    )
    count, connections = pl.col("length") / (60 * SECOND), pl.col("connections")
    linked = pl.when(connections > 0).then(connections)
    freeze = pl.when(pl.col("bad")).then(0.2).otherwise(0.008 * pl.col("age"))
    return shaped(
        rows,
        BUCKET,
        (DEVICE, RUNNER, BINARY, APPLICATION),
        (pl.col("alive") * SECOND).cast(pl.Int64).alias("execution_duration"),
        (pl.col("work") * 1000).cast(pl.Int64).mul(1000).alias("cpu_time"),
        gauge("memory", pl.col("bytes"), count, 0.2, whole=True),
        gauge("real_memory", pl.col("bytes") * 0.8, count, 0.2, whole=True),
        pl.when(dice.share("freeze") < freeze * hours)
        .then(1 + (6 * dice.share("freezes") ** 2).cast(pl.Int64))
        .otherwise(0)
        .alias("number_of_freezes"),
        (pl.col("bytes") / 4096 * dice.between("faults", 0.1, 2)).cast(pl.Int64).alias("number_of_page_faults"),
        pl.col("down").cast(pl.Int64).alias("incoming_traffic"),
        (pl.col("down") * 0.2).cast(pl.Int64).alias("outgoing_traffic"),
        gauge("incoming_throughput", pl.col("down") * 8 / seconds, count, 0.9),
        gauge("outgoing_throughput", pl.col("down") * 1.6 / seconds, count, 0.9),
        gauge("connection_establishment_time", _handshake(), linked, 0.5, whole=True),
        connections.alias("number_of_established_connections"),
        (dice.share("no host") < 0.02).cast(pl.Int64).alias("number_of_no_host_connections"),
        (dice.share("no service") < 0.03).cast(pl.Int64).alias("number_of_no_service_connections"),
        (dice.share("rejected") < 0.01).cast(pl.Int64).alias("number_of_rejected_connections"),
        pl.col("visibility").alias("highest_process_visibility"),
        _root(0.004),
        (pl.when(pl.col("work") > 0.12 * seconds).then(pl.col("work") * 0.3).otherwise(0) * SECOND)
        .cast(pl.Int64)
        .alias("cpu.duration_with_high_usage"),
        (pl.min_horizontal("focused", "alive") * SECOND).cast(pl.Int64).alias("focus_time"),
        dice.whole("started", 0, 2).alias("number_of_started_processes"),
        gauge("gpu_usage", pl.when(front).then(4.0).otherwise(0.0) * dice.share("gpu"), count, 0.9),
        CONTEXT,
    )


def crashes(today: Today) -> pl.DataFrame:
    """Rows of `execution.crashes`."""
    chance = pl.col("crashes") * pl.when(pl.col("bad")).then(BAD_FACTOR).otherwise(1) * (pl.col("length") / HOUR)
    rows = today.running.filter((pl.col("visibility") != "system") & (dice.share("crash") < chance))
    folder = pl.when(pl.col("platform") == "windows").then(pl.lit("C:\\Program Files\\")).otherwise(pl.lit("/opt/"))
    return shaped(
        rows,
        (pl.col("start") + (pl.col("length") * dice.share("crash at")).cast(pl.Int64)).alias("time"),
        (DEVICE, USER, BINARY, APPLICATION),
        pl.lit(1, dtype=pl.Int64).alias("number_of_crashes"),
        pl.col("visibility").alias("process_visibility"),
        (dice.share("on start") < pl.when(pl.col("bad")).then(0.6).otherwise(0.1)).alias("crash_on_start"),
        (folder + pl.col("binary")).alias("binary_path"),
        _root(0.25),
        CONTEXT,
    )


def connections(today: Today) -> pl.DataFrame:
    """Rows of `connection.events`."""
    rows = _connected(today, "connection", 0.3).with_columns(
        dice.whole("tried", 1, 60).alias("tried"), (dice.share("loss") ** 4 * 0.2 * pl.col("latency")).alias("loss")
    )
    rows = rows.with_columns((pl.col("tried") * pl.col("loss")).cast(pl.Int64).alias("failed"))
    failed, udp = pl.col("failed"), dice.share("udp") < 0.15
    return shaped(
        rows,
        BUCKET,
        (DEVICE, USER, BINARY, APPLICATION),
        pl.when(APPLICATION.is_not_null()).then(pl.col("domain")).alias("@network_application"),
        _destination(),
        pl.when(udp).then(pl.lit("udp")).otherwise(pl.lit("tcp")).alias("transport_protocol"),
        pl.when(pl.col("to_ip_address").str.contains(":", literal=True))
        .then(pl.lit("ipv6"))
        .otherwise(pl.lit("ipv4"))
        .alias("ip_version"),
        pl.col("tried").alias("number_of_connections"),
        failed.alias("number_of_failed_connections"),
        gauge("failed_connection_ratio", failed / pl.col("tried"), pl.col("tried"), 0.0),
        (pl.col("tried") - failed).alias("number_of_established_connections"),
        (failed // 3).alias("number_of_no_host_connections"),
        (failed - failed // 3 - failed // 4).alias("number_of_no_service_connections"),
        (failed // 4).alias("number_of_rejected_connections"),
        gauge("connection_establishment_time", _handshake(), pl.col("tried") - failed, 0.5, whole=True),
        (pl.col("tried") * 90_000 * dice.share("in")).cast(pl.Int64).alias("incoming_traffic"),
        (pl.col("tried") * 20_000 * dice.share("out")).cast(pl.Int64).alias("outgoing_traffic"),
        CONTEXT,
    )


def transfers(today: Today, protocol: str) -> pl.DataFrame:
    """Rows of `connection.tcp_events` or `connection.udp_events`."""
    rows = _connected(today, protocol, 0.05 if protocol == "tcp" else 0.02).with_columns(
        dice.whole("tried", 1, 30).alias("tried")
    )
    return shaped(
        rows,
        BUCKET,
        (DEVICE, USER, BINARY, APPLICATION),
        _destination(),
        pl.col("tried").alias("number_of_connections"),
        (pl.col("tried") * 90_000 * dice.share("in")).cast(pl.Int64).alias("incoming_traffic"),
        (pl.col("tried") * 20_000 * dice.share("out")).cast(pl.Int64).alias("outgoing_traffic"),
        CONTEXT,
    )


def _root(chance: float) -> pl.Expr:
    """A place programs should not run from, seldom."""
    return pl.when(dice.share("root") < chance).then(dice.weighted("rooted", ROOTS)).alias("binary_path_root")


def _connected(today: Today, label: str, chance: float) -> pl.LazyFrame:
    """The running programs that talk, each with a place it talks to."""
    rows = today.running.lazy().filter(dice.share(label) < chance)
    schema = {name: pl.Int64 if name == "port" else pl.String for name in FIELDS}
    places = pl.DataFrame(DESTINATIONS, schema=schema, orient="row").with_row_index("place").cast({"place": pl.Int64})
    places = places.rename({name: f"to_{name}" for name in FIELDS if name != "domain"})
    return rows.with_columns(dice.whole("to", 0, len(DESTINATIONS) - 1).alias("place")).join(
        places.lazy(), on="place", maintain_order="left"
    )


def _destination() -> list[pl.Expr]:
    return [pl.col("domain" if name == "domain" else f"to_{name}").alias(f"destination.{name}") for name in FIELDS]


def _handshake() -> pl.Expr:
    """Time to set up a connection, in microseconds: slow at the slow site, a little slower from home."""
    home = pl.when(pl.col("location") == "Remote").then(1.6).otherwise(1.0)
    return 18_000 * pl.col("latency") * home * (0.4 * dice.bell("handshake")).exp()
