"""When the devices of the estate were connected to the portal.

In: one day of the estate. Out: rows of `device.presences`. Invariant: a device is connected about as long as it is on
that day, and no interval reaches past the day; all have ended, as open ones are the portal's to know.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.frames import DEVICE, shaped
from muster.estate.rhythm import MINUTE
from muster.estate.today import Today

REASONS = (("portal_lost", 0.004), ("portal_stopped", 0.02), ("silent", 0.09))  # up to which share; else it left


def presences(today: Today) -> pl.DataFrame:
    """Rows of `device.presences`."""
    rows = today.daily.with_columns(
        (pl.col("first") + (dice.between("came", 0.1, 6.0) * MINUTE).cast(pl.Int64)).alias("came"),
        (pl.col("last") - (dice.between("went", 0.0, 5.0) * MINUTE).cast(pl.Int64)).alias("went"),
    )
    reason = pl.lit("left")
    for name, below in reversed(REASONS):
        reason = pl.when(dice.share("end", "state") < below).then(pl.lit(name)).otherwise(reason)
    return shaped(
        rows,
        (pl.col("came").alias("start_time"), pl.col("went").alias("end_time")),
        (DEVICE,),
        (pl.col("went") - pl.col("came")).alias("duration"),
        pl.lit("ended").alias("status"),
        reason.alias("reason"),
    )
