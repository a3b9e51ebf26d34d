"""How the machines do: processor, memory and disk by bucket, boots, resets, blue screens, and the network adapter in
use.

In: one day of the estate. Out: frames for `device_performance.*` and `connectivity.events`. Invariant: a bad value
has a cause that a query can find: an old model, too little memory, a nearly full drive, a slow site, a weak radio.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.frames import BUCKET, CONTEXT, DEVICE, gauge, level, moment, shaped
from muster.estate.rhythm import DAY
from muster.estate.today import Today
from muster.estate.world import BAD_BLUE_SCREENS, GIB, WIFI

SECOND = 1_000_000


def events(today: Today) -> pl.DataFrame:
    """Rows of `device_performance.events`."""
    count = pl.col("length") / (30 * SECOND)
    seconds = pl.col("length") / SECOND
    rows = (
        today.active.lazy()
        .with_columns(_busy().alias("busy"))
        .with_columns(
            (4 + 10 * pl.col("load") * pl.col("age").sqrt() * pl.col("busy") * (0.4 * dice.bell("cpu")).exp())
            .clip(0.5, 88)
            .alias("normalized"),
            (
                (0.3 + 0.34 * pl.col("busy") * (16 * GIB / pl.col("memory")) ** 0.75 + 0.06 * dice.bell("memory")).clip(
                    0.12, 0.97
                )
            ).alias("used"),
            (pl.col("free") - pl.col("fill") * ((pl.col("start") - today.estate.start) / DAY))
            .clip(0.002, 0.95)
            .alias("left"),
        )
    )
    rows = rows.with_columns(
        (pl.col("used") * pl.col("memory")).alias("used_bytes"),
        (pl.col("left") * pl.col("disk")).alias("left_bytes"),
        ((pl.col("used") - 0.88).clip(0, 0.1) * 8).alias("pressed"),
    )
    pressed = pl.col("pressed")
    return shaped(
        rows,
        BUCKET,
        DEVICE,
        gauge("cpu_usage", pl.col("normalized") * pl.col("threads"), count, 0.6),
        gauge("normalized_cpu_usage", pl.col("normalized"), count, 0.6),
        gauge("cpu_queue_length", pl.col("normalized") / 40, count, 0.8),
        level("number_of_logical_processors", pl.col("threads"), count, whole=True),
        gauge("used_memory", pl.col("used_bytes"), count, 0.05, whole=True),
        gauge("free_memory", pl.col("memory") - pl.col("used_bytes"), count, 0.05, whole=True),
        level("installed_memory", pl.col("memory"), count, whole=True),
        gauge("memory_swap_rate", pressed * 4_000_000 + 200 * dice.share("swap"), count, 0.7),
        pl.when(pressed > 0.4)
        .then(pl.lit("high"))
        .when(pressed > 0)
        .then(pl.lit("medium"))
        .otherwise(pl.lit("normal"))
        .alias("memory_pressure"),
        (pl.when(pressed > 0.4).then(seconds * 0.6).otherwise(0) * SECOND)
        .cast(pl.Int64)
        .alias("duration_with_high_memory_pressure"),
        (pl.when(pressed > 0).then(seconds * 0.3).otherwise(0) * SECOND)
        .cast(pl.Int64)
        .alias("duration_with_medium_memory_pressure"),
        gauge("system_drive_usage", pl.col("disk") - pl.col("left_bytes"), count, 0.001, whole=True),
        level("system_drive_capacity", pl.col("disk"), count, whole=True),
        gauge("system_drive_free_space", pl.col("left_bytes"), count, 0.001, whole=True),
        level(
            "non_system_drive_capacity",
            pl.col("data"),
            _where("desktop", count),
            whole=True,
        ),
        level(
            "non_system_drive_free_space",
            pl.col("data_free"),
            _where("desktop", count),
            whole=True,
        ),
        (seconds * ((pl.col("normalized") - 25) / 100).clip(0, 1) * SECOND)
        .cast(pl.Int64)
        .alias("cpu.duration_with_high_usage"),
        gauge("cpu.frequency_ratio", 70 + 30 * dice.share("clock"), count, 0.1),
        gauge("cpu.dpc_usage", 0.6 * dice.share("dpc"), count, 0.9),
        gauge("cpu.interrupt_usage", 0.9 * dice.share("interrupt"), count, 0.9),
        gauge("gpu.usage", 3 + 18 * pl.col("busy") * dice.share("gpu"), count, 0.8),
        gauge(
            "disk_queue_length",
            pl.when(pl.col("left") < 0.03).then(2.2).otherwise(0.25) * (0.5 + dice.share("queue")),
            count,
            0.8,
        ),
        gauge("read_operations_per_second", 20 + 160 * pl.col("busy") * dice.share("reads"), count, 0.8),
        gauge("write_operations_per_second", 15 + 110 * pl.col("busy") * dice.share("writes"), count, 0.8),
        CONTEXT,
    )


def boots(today: Today) -> pl.DataFrame:
    """Rows of `device_performance.boots`: most mornings, slow at the slow site and on old machines."""
    kind = pl.when(pl.col("platform") == "windows").then(
        dice.weighted("kind", [("full_boot", 4), ("fast_startup", 4), ("hibernate_resume", 2)])
    )
    rows = today.daily.filter(
        (pl.col("first_hour") < 13) & (dice.share("boots") < pl.when(pl.col("always")).then(0.12).otherwise(0.7))
    )
    rows = rows.with_columns(kind.otherwise(pl.lit("full_boot")).alias("type"))
    seconds = (
        pl.when(pl.col("type") == "full_boot").then(21.0).otherwise(8.0)
        * pl.col("boot")
        * (0.3 * dice.bell("boot")).exp()
    )
    return shaped(
        rows,
        (pl.col("first") + dice.whole("minute", 0, 120) * SECOND).alias("time"),
        DEVICE,
        pl.col("type"),
        ((seconds * 1000).round(0).cast(pl.Int64) * 1000).alias("duration"),
        pl.lit(1, dtype=pl.Int64).alias("number_of_boots"),
        CONTEXT,
    )


def hard_resets(today: Today) -> pl.DataFrame:
    """Rows of `device_performance.hard_resets`: rare, oftener on old machines."""
    rows = today.daily.filter(dice.share("reset") < 0.004 * pl.col("age"))
    return shaped(rows, moment("reset at"), DEVICE, pl.lit(1, dtype=pl.Int64).alias("number_of_hard_resets"), CONTEXT)


def system_crashes(today: Today) -> pl.DataFrame:
    """Rows of `device_performance.system_crashes`: Windows machines, oftener old ones."""
    rows = today.daily.filter((pl.col("platform") == "windows") & (dice.share("stop") < 0.004 * pl.col("age")))
    labels = [label for label, _ in BAD_BLUE_SCREENS]
    rows = rows.with_columns(dice.pick("label", labels).alias("label"))
    codes = pl.col("label").replace_strict(labels, [code for _, code in BAD_BLUE_SCREENS], return_dtype=pl.Int64)
    return shaped(
        rows,
        moment("stop at"),
        DEVICE,
        pl.lit(1, dtype=pl.Int64).alias("number_of_system_crashes"),
        pl.col("label"),
        codes.alias("error_code"),
        pl.col("label")
        .replace_strict(labels, [f"0x{code:08X}" for _, code in BAD_BLUE_SCREENS])
        .alias("error_code_hexadecimal"),
        CONTEXT,
    )


def connectivity(today: Today) -> pl.DataFrame:
    """Rows of `connectivity.events`: every second bucket, Wi-Fi at home and on laptops, weak for one person in ten."""
    rows = today.active.lazy().filter(dice.share("seen") < 0.5)
    wireless = (pl.col("form") == "laptop") & (
        dice.share("wireless", "day_state") < pl.when(pl.col("location") == "Remote").then(0.85).otherwise(0.6)
    )
    tethered = pl.when((pl.col("form") == "laptop") & (pl.col("location") == "Remote")).then(
        dice.weighted("tethered", [("cellular", 12), ("bluetooth", 4), ("ethernet", 84)], "day_state")
    )
    rows = rows.with_columns(
        wireless.alias("wifi"),
        tethered.otherwise(pl.lit("ethernet")).alias("wired"),
        (dice.share("weak", "base") < 0.1).alias("weak"),
        dice.share("band", "day_state").alias("wave"),
    )
    wifi, count = pl.col("wifi"), pl.when(pl.col("wifi")).then(pl.col("length") / (60 * SECOND))
    signal = pl.when(wifi).then(pl.when(pl.col("weak")).then(-79.0).otherwise(-57.0) + 5 * dice.bell("signal"))
    rate = pl.when(pl.col("weak")).then(30e6).otherwise(480e6) * (0.6 + 0.8 * dice.share("rate"))
    band = (
        pl.when(pl.col("wave") < 0.2)
        .then(pl.lit("2.4GHz"))
        .when(pl.col("wave") < 0.8)
        .then(pl.lit("5GHz"))
        .otherwise(pl.lit("6GHz"))
    )
    channel = pl.when(pl.col("wave") < 0.2).then(6).when(pl.col("wave") < 0.8).then(44).otherwise(37)
    ssid = (
        pl.when(pl.col("location") == "Onsite").then(dice.pick("ssid", WIFI, "day_state")).otherwise(pl.lit("HomeNet"))
    )
    number = pl.col("number").cast(pl.String).str.zfill(4)
    return shaped(
        rows,
        BUCKET,
        DEVICE,
        pl.when(wifi).then(pl.lit("wifi")).otherwise(pl.col("wired")).alias("primary_physical_adapter.type"),
        gauge("wifi.signal_strength", signal, count, -0.08),
        gauge("wifi.noise_level", pl.when(wifi).then(-92 + 2 * dice.bell("noise", "day_state")), count, -0.03),
        gauge("wifi.receive_rate", pl.when(wifi).then(rate), count),
        gauge("wifi.transmission_rate", pl.when(wifi).then(rate * 0.8), count),
        pl.when(wifi).then(ssid).alias("wifi.ssid"),
        pl.when(wifi).then(band).alias("wifi.band"),
        pl.when(wifi)
        .then(
            pl.concat_str(
                pl.lit("02:00:5e:"), number.str.slice(0, 2), pl.lit(":"), number.str.slice(2, 2), pl.lit(":01")
            )
        )
        .alias("wifi.bssid"),
        pl.when(wifi).then(channel).cast(pl.Int64).alias("wifi.channel"),
        CONTEXT,
    )


def _busy() -> pl.Expr:
    """How hard a person works a machine at the local hour, 0 to 1: two humps around lunch; idle machines do a
    little."""
    hour = pl.col("local")
    morning, afternoon = (-((hour - 10.2) ** 2) / 5).exp(), (-((hour - 15.2) ** 2) / 7).exp()
    return pl.when(pl.col("attended")).then(0.25 + 0.75 * pl.max_horizontal(morning, afternoon)).otherwise(0.12)


def _where(form: str, count: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("form") == form).then(count)
