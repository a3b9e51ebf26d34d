"""The calls people have: one row a call and participant, with the quality of sound and picture.

In: one day of the estate. Out: the frame for `collaboration.sessions`. Invariant: a call lies within the hours in
which its device is on; poor quality has a cause: the slow site, a weak radio at home, one bad driver of the radio.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.frames import CONTEXT, DEVICE, USER, shaped
from muster.estate.rhythm import MINUTE
from muster.estate.today import Today

MILLISECOND = 1_000
DEVICES = ("Headset H340", "Built-in microphone", "Speakerphone S50")
RADIOS = (("Intel Wi-Fi 6E AX211", 6), ("Realtek RTL8852BE", 3), ("MediaTek Wi-Fi 7 MT7925", 1))
BAD_DRIVER = "23.60.1.2"
POOR_LOSS = 0.03
VERSIONS = {
    "teams": "25290.205.4069.4894",
    "zoom": "6.6.6.19875",
    "skype_for_business": "16.0.18526.20168",
    "lync": "15.0.5603.1000",
}
PHONE_SHARE = 0.04  # of the calls are taken on a phone beside the machine


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
    link = pl.when((pl.col("form") == "laptop") & (dice.share("radio", "base") < 0.7)).then(
        dice.weighted("link", [("wifi", 95), ("cellular", 5)], "base")
    )
    rows = rows.with_columns(
        link.otherwise(pl.lit("ethernet")).alias("link"), (dice.share("phone") < PHONE_SHARE).alias("phone")
    )
    wireless, driver = pl.col("link") == "wifi", dice.pick("driver", (BAD_DRIVER, "23.160.0.4"), "base")
    start = (pl.col("first") + (pl.col("last") - pl.col("first") - 15 * MINUTE) * dice.share("starts")).cast(pl.Int64)
    radio = pl.when(wireless & (driver == BAD_DRIVER)).then(2.5).when(wireless).then(1.2).otherwise(1.0)
    loss = (dice.share("loss") ** 5 * 0.05 * pl.col("latency") * radio).round(4)
    rows = rows.with_columns(
        wireless.alias("wifi"), driver.alias("driver"), start.alias("call.start_time"), loss.alias("loss")
    )
    rows = rows.with_columns((pl.col("call.start_time") + dice.whole("minutes", 3, 14) * MINUTE).alias("call.end_time"))
    tool = dice.weighted("which", [("teams", 78), ("zoom", 20), ("skype_for_business", 1), ("lync", 1)])
    rows = rows.with_columns(tool.alias("tool"))
    return shaped(
        rows,
        (_code("session").alias("id"), DEVICE, USER),
        pl.col("link").alias("connection_type"),
        (_code("call").alias("call.id"), pl.col("call.start_time"), pl.col("call.end_time")),
        (pl.col("call.end_time") - pl.col("call.start_time")).alias("duration"),
        dice.weighted("kind", [("group_call", 58), ("peer_to_peer", 40), ("unknown", 2)]).alias("call.type"),
        _quality(pl.col("loss")).alias("call.quality"),
        pl.col("tool").alias("application.type"),
        pl.col("tool").replace_strict(VERSIONS).alias("application.version"),
        pl.when("phone")
        .then(dice.pick("handset", ("ios", "android"), "base"))
        .when(pl.col("platform") == "macos")
        .then(pl.lit("macos"))
        .otherwise(pl.lit("windows"))
        .alias("participant_device.type"),
        _equipment(),
        _stream("audio", pl.col("loss"), ("inbound_latency", "outbound_latency")),
        (pl.col("loss") * dice.between("concealed in", 0.3, 0.8)).round(4).alias("audio.inbound_rocs"),
        (pl.col("loss") * dice.between("concealed out", 0.3, 0.8)).round(4).alias("audio.outbound_rocs"),
        _stream("video", pl.col("loss") * 1.4, ()),
        CONTEXT,
    )


def _equipment() -> list[pl.Expr]:
    machine = pl.when(~pl.col("phone"))
    radio = pl.when(pl.col("wifi") & ~pl.col("phone"))
    facts = {
        "microphone": machine.then(dice.pick("microphone", DEVICES, "base")),
        "speaker": machine.then(dice.pick("speaker", DEVICES, "base")),
        "camera": machine.then(dice.pick("camera", ("Built-in camera", "Webcam C920"), "base")),
        "microphone_driver": machine.then(dice.pick("sound", ("10.0.26100.1", "6.0.9757.1"), "base")),
        "speaker_driver": machine.then(dice.pick("sound", ("10.0.26100.1", "6.0.9757.1"), "base")),
        "camera_driver": machine.then(dice.pick("picture", ("10.0.26100.2", "10.0.22621.1"), "base")),
        "vendor_wifi_driver": radio.then(dice.weighted("vendor", RADIOS, "base")),
        "vendor_wifi_driver_version": radio.then(pl.col("driver")),
    }
    return [value.alias(f"participant_device.{name}") for name, value in facts.items()]


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
    """Poor above a loss; unknown for the calls of the old tools, which do not measure it."""
    measured = pl.col("tool").is_in(["teams", "zoom"])
    return (
        pl.when(~measured).then(pl.lit("unknown")).when(loss > POOR_LOSS).then(pl.lit("poor")).otherwise(pl.lit("good"))
    )


def _time(milliseconds: pl.Expr) -> pl.Expr:
    return milliseconds.round(0).cast(pl.Int64) * MILLISECOND


def _code(label: str) -> pl.Expr:
    return pl.concat_str(pl.lit(f"{label}-"), dice.mixed(pl.col("state"), dice.word(label)).cast(pl.String))
