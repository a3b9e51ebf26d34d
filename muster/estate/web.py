"""What people do in their browsers: pages, transactions and errors of the company's web applications.

In: one day of the estate. Out: frames for `web.*`. Invariant: a slow page has a cause that a query can find, in the
part of the load time it belongs to: the slow site in `network`, the outage of the CRM's servers in `backend`, an old
machine in `client`.
"""

from __future__ import annotations

import polars as pl

from muster.estate import dice
from muster.estate.frames import BUCKET, CONTEXT, DEVICE, USER, gauge, shaped
from muster.estate.rhythm import DAY
from muster.estate.software import WEB
from muster.estate.today import Today

SECOND = 1_000_000
BINARY = pl.col("binary_uid").alias("@binary")
APPLICATION = pl.col("application_uid").alias("@application")
ERRORS = ((404, "Not found"), (500, "Internal server error"), (503, "Service unavailable"), (403, "Forbidden"))
FRUSTRATING, AVERAGE = 8_000, 4_000  # milliseconds
URL = pl.concat_str(pl.lit("https://"), "host", pl.lit("/"), "slug").alias("url")


def page_views(today: Today) -> pl.DataFrame:
    """Rows of `web.page_views`."""
    rows = _pages(today)
    views, soft = pl.col("views"), dice.share("soft") < 0.3
    resources = views * dice.whole("resources", 8, 60)
    wireless = (pl.col("form") == "laptop") & (dice.share("wireless", "day_state") < 0.7)
    return shaped(
        rows,
        BUCKET,
        (DEVICE, USER, APPLICATION, BINARY),
        pl.col("page").alias("@page"),
        views.alias("number_of_page_views"),
        _experience(pl.col("overall")),
        soft.alias("is_soft_navigation"),
        [
            part
            for name in ("overall", "backend", "network", "client")
            for part in _milliseconds(f"page_load_time.{name}", pl.col(name), views)
        ],
        URL,
        pl.when(wireless)
        .then(pl.lit("wifi"))
        .otherwise(dice.weighted("adapter", [("ethernet", 96), ("bluetooth", 4)], "day_state"))
        .alias("adapter_type"),
        dice.whole("tabs", 1, 25).alias("number_of_active_tabs"),
        dice.whole("large", 0, 3).alias("number_of_large_resources"),
        resources.alias("number_of_resources"),
        (resources * pl.col("errors") * dice.share("broken")).cast(pl.Int64).alias("number_of_resource_errors"),
        _milliseconds("largest_resource_load_time", pl.col("overall") * 0.6, views),
        _milliseconds("unload_event", 20 + 60 * dice.share("unload"), views),
        CONTEXT,
    )


def events(today: Today) -> pl.DataFrame:
    """Rows of `web.events`: time spent in each web application."""
    rows = today.views.filter(dice.share("timed") < 0.6).with_columns(pl.lit("").alias("slug"))
    spent = pl.col("length") * dice.between("spent", 0.05, 0.5)
    return shaped(
        rows, BUCKET, (DEVICE, USER, APPLICATION, BINARY), spent.cast(pl.Int64).alias("duration"), URL, CONTEXT
    )


def errors(today: Today) -> pl.DataFrame:
    """Rows of `web.errors`."""
    chance = pl.col("errors") * 4 * pl.when(pl.col("outage")).then(12).otherwise(1)
    rows = (
        _pages(today)
        .filter(dice.share("fails") < chance)
        .with_columns(dice.whole("code", 0, len(ERRORS) - 1).alias("which"))
    )
    codes = (
        pl.DataFrame(ERRORS, schema={"code": pl.Int64, "label": pl.String}, orient="row")
        .with_row_index("which")
        .cast({"which": pl.Int64})
    )
    return shaped(
        rows.join(codes.lazy(), on="which", maintain_order="left"),
        BUCKET,
        (DEVICE, USER, APPLICATION),
        dice.whole("failures", 1, 3).alias("number_of_errors"),
        (pl.col("code"), pl.col("label"), URL),
        CONTEXT,
    )


def transactions(today: Today) -> pl.DataFrame:
    """Rows of `web.transactions`."""
    rows = (
        _loads(today).join(TRANSACTIONS.lazy(), on="site_key", maintain_order="left").filter(dice.share("does") < 0.12)
    )
    ended = dice.weighted(
        "ended", [("completed", 94), ("time_out", 2), ("aborted_unload", 2), ("aborted_input", 1), ("aborted_new", 1)]
    )
    time, count = pl.col("overall") * 1.8, dice.whole("transactions", 1, 4)
    return shaped(
        rows,
        BUCKET,
        (DEVICE, USER, APPLICATION),
        pl.col("transaction").alias("@transaction"),
        count.alias("number_of_transactions"),
        _milliseconds("duration", time, count),
        _experience(time),
        ended.alias("status"),
        CONTEXT,
    )


def page_views_summary(today: Today) -> pl.DataFrame:
    """Rows of `web.page_views_summary`: one an application and day."""
    counted = _pages(today).group_by("application_uid").agg(pl.col("views").sum()).sort("application_uid")
    start = pl.lit(today.day.number * DAY, dtype=pl.Int64)
    return shaped(
        counted,
        (
            start.alias("start_time"),
            (start + DAY).alias("end_time"),
            pl.lit(DAY, dtype=pl.Int64).alias("bucket_duration"),
        ),
        APPLICATION,
        pl.col("views").alias("number_of_page_views"),
    )


def _loads(today: Today) -> pl.LazyFrame:
    """The opened applications with the parts of their load time, in milliseconds."""
    backend = (
        pl.col("load_time") * 380 * pl.when(pl.col("outage")).then(7).otherwise(1) * (0.4 * dice.bell("backend")).exp()
    )
    home = pl.when(pl.col("location") == "Remote").then(1.3).otherwise(1.0)
    network = pl.col("load_time") * 240 * pl.col("latency") * home * (0.4 * dice.bell("network")).exp()
    client = pl.col("load_time") * 330 * pl.col("age") ** 0.5 * (0.3 * dice.bell("client")).exp()
    parts = today.views.lazy().with_columns(backend.alias("backend"), network.alias("network"), client.alias("client"))
    return parts.with_columns((pl.col("backend") + pl.col("network") + pl.col("client")).alias("overall"))


def _pages(today: Today) -> pl.LazyFrame:
    """The opened applications, each with one of its pages."""
    chosen = (dice.share("page") * pl.col("page_count")).cast(pl.Int64).alias("page_number")
    counts = PAGES.group_by("site_key").len("page_count")
    rows = (
        _loads(today)
        .join(counts.lazy(), on="site_key", maintain_order="left")
        .with_columns(chosen, dice.whole("views", 1, 9).alias("views"))
    )
    return rows.join(PAGES.lazy(), on=["site_key", "page_number"], maintain_order="left")


def _milliseconds(name: str, value: pl.Expr, count: pl.Expr) -> list[pl.Expr]:
    return gauge(name, value * 1000, count, 0.5, whole=True)


def _experience(milliseconds: pl.Expr) -> pl.Expr:
    slow = (
        pl.when(milliseconds > FRUSTRATING)
        .then(pl.lit("frustrating"))
        .when(milliseconds > AVERAGE)
        .then(pl.lit("average"))
    )
    return slow.otherwise(pl.lit("good")).alias("experience_level")


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


PAGES = pl.DataFrame(
    [(item.key, number, page, _slug(page)) for item in WEB for number, page in enumerate(item.pages)],
    schema={"site_key": pl.String, "page_number": pl.Int64, "page": pl.String, "slug": pl.String},
    orient="row",
)
TRANSACTIONS = pl.DataFrame(
    [(item.key, item.transactions[0]) for item in WEB],
    schema={"site_key": pl.String, "transaction": pl.String},
    orient="row",
)
