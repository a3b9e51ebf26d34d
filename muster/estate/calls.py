"""The calls people have: one row a call and participant, with the quality of sound and picture.

In: one day of the estate. Out: the frame for `collaboration.sessions`. Invariant: a call lies within the hours in
which its device is on; poor quality has a cause: the slow site, a weak radio at home.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.frames import CONTEXT, DEVICE, USER, shaped
from muster.estate.rhythm import MINUTE
from muster.estate.today import Today

MILLISECOND = 1_000
DEVICES = ("Headset H340", "Built-in microphone", "Speakerphone S50")
POOR_LOSS = 0.03


def sessions(today: Today) -> pl.DataFrame:
    """Rows of `collaboration.sessions`: up to four calls a person and working day."""
    rows = (
        today.daily.lazy()
        .filter(pl.col("attended"))
        .join(pl.LazyFrame({"call": [0, 1, 2, 3]}), how="cross", maintain_order="left_right")
    )
    rows = rows.with_columns(dice.mixed(pl.col("state"), pl.col("call") + 1).alias("state")).filter(
        dice.share("calls") < 0.5
    )
    wireless = (pl.col("form") == "laptop") & (dice.share("radio", "base") < 0.7)
    start = (pl.col("first") + (pl.col("last") - pl.col("first") - 15 * MINUTE) * dice.share("starts")).cast(pl.Int64)
    loss = (dice.share("loss") ** 5 * 0.05 * pl.col("latency") * pl.when(wireless).then(1.5).otherwise(1.0)).round(4)
    rows = rows.with_columns(wireless.alias("wifi"), start.alias("call.start_time"), loss.alias("loss"))
    rows = rows.with_columns((pl.col("call.start_time") + dice.whole("minutes", 3, 14) * MINUTE).alias("call.end_time"))
    teams = dice.share("which") < 0.8
    return shaped(
        rows,
        (_code("session").alias("id"), DEVICE, USER),
        pl.when(pl.col("wifi")).then(pl.lit("wifi")).otherwise(pl.lit("ethernet")).alias("connection_type"),
        (_code("call").alias("call.id"), pl.col("call.start_time"), pl.col("call.end_time")),
        dice.weighted("kind", [("group_call", 3), ("peer_to_peer", 2)]).alias("call.type"),
        _quality(pl.col("loss")).alias("call.quality"),
        pl.when(teams).then(pl.lit("teams")).otherwise(pl.lit("zoom")).alias("application.type"),
        pl.when(teams)
        .then(pl.lit("25290.205.4069.4894"))
        .otherwise(pl.lit("6.6.6.19875"))
        .alias("application.version"),
        pl.when(pl.col("platform") == "macos")
        .then(pl.lit("macos"))
        .otherwise(pl.lit("windows"))
        .alias("participant_device.type"),
        _equipment(),
        _stream("audio", pl.col("loss"), ("inbound_latency", "outbound_latency")),
        pl.lit(0.0).alias("audio.inbound_rocs"),
        pl.lit(0.0).alias("audio.outbound_rocs"),
        _stream("video", pl.col("loss") * 1.4, ()),
        CONTEXT,
    )


def _equipment() -> list[pl.Expr]:
    prefix = "participant_device."
    radio = pl.when(pl.col("wifi"))
    return [
        dice.pick("microphone", DEVICES, "base").alias(f"{prefix}microphone"),
        dice.pick("speaker", DEVICES, "base").alias(f"{prefix}speaker"),
        dice.pick("camera", ("Built-in camera", "Webcam C920"), "base").alias(f"{prefix}camera"),
        pl.lit("10.0.26100.1").alias(f"{prefix}microphone_driver"),
        pl.lit("10.0.26100.1").alias(f"{prefix}speaker_driver"),
        pl.lit("10.0.26100.2").alias(f"{prefix}camera_driver"),
        radio.then(pl.lit("Intel Wi-Fi 6E AX211")).alias(f"{prefix}vendor_wifi_driver"),
        radio.then(dice.pick("driver", ("23.60.1.2", "23.160.0.4"), "base")).alias(
            f"{prefix}vendor_wifi_driver_version"
        ),
    ]


def _stream(kind: str, loss: pl.Expr, more: tuple[str, ...]) -> list[pl.Expr]:
    """Quality, loss and delays of sound or picture, both ways."""
    columns = [_quality(loss).alias(f"{kind}.quality")]
    for way in ("inbound", "outbound"):
        delay = 24 * pl.col("latency") * (0.4 * dice.bell(f"{kind} {way}")).exp()
        columns += [
            loss.round(4).alias(f"{kind}.{way}_packet_loss"),
            _time(4 + loss * 600).alias(f"{kind}.{way}_jitter"),
            _time(delay * 2).alias(f"{kind}.{way}_rtt"),
        ]
        columns += [_time(delay).alias(f"{kind}.{name}") for name in more if name.startswith(way)]
    return columns


def _quality(loss: pl.Expr) -> pl.Expr:
    return pl.when(loss > POOR_LOSS).then(pl.lit("poor")).otherwise(pl.lit("good"))


def _time(milliseconds: pl.Expr) -> pl.Expr:
    return milliseconds.round(0).cast(pl.Int64) * MILLISECOND


def _code(label: str) -> pl.Expr:
    return pl.concat_str(pl.lit(f"{label}-"), dice.mixed(pl.col("state"), dice.word(label)).cast(pl.String))
