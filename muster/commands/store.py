"""`muster store`: the process that holds the tables for several portals, or a standby of it.

In: a data folder, the control database, an address. Out: words on standard output when it waits and when it serves.
Invariant: of all that are started on one control database, one at a time serves.
"""

from __future__ import annotations

import os
from pathlib import Path

from muster import registry
from muster.options import Options, Parser, add_data, size

DESCRIPTION = (
    "Hold the tables of a data folder for several portals, until Ctrl-C or SIGTERM. Started a second time it is a "
    "standby: it waits, and serves within seconds when the first is gone."
)
EXAMPLES = """\
examples:
  muster store --data /srv/muster --control postgresql://muster@db/muster --listen unix:/run/muster/store.sock
  muster store --data /srv/muster --control postgresql://muster@db/muster --listen 10.0.0.5:7411 --secret store.secret
  muster serve --data /srv/muster --control postgresql://muster@db/muster --store 10.0.0.5:7411 --store 10.0.0.6:7411 \\
               --store-secret store.secret"""
CONTROL = (
    "the PostgreSQL database that portals and stores share, postgresql://USER@HOST/DATABASE (default: MUSTER_CONTROL, "
    "else a file in the data folder); its password is taken from PGPASSWORD, or from the file that PGPASSFILE names"
)

LAKE = (
    "an object store that closed days go to from now on, s3://BUCKET/PREFIX; the folder remembers it. Endpoint, region "
    "and credentials are taken from the environment: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ..."
)


def arguments(parser: Parser) -> None:
    """The options."""
    add_data(parser, required=True, meaning="the data folder, as the portals see it, too")
    parser.add_argument("--control", metavar="URL", default=os.environ.get("MUSTER_CONTROL"), help=CONTROL)
    parser.add_argument("--listen", required=True, metavar="ADDRESS", help="unix:PATH or HOST:PORT")
    parser.add_argument(
        "--secret", type=Path, metavar="FILE", help="what portals must know, 32 bytes or more; needed with HOST:PORT"
    )
    parser.add_argument("--lake", metavar="URL", help=LAKE)
    parser.add_argument(
        "--lake-cache",
        type=size,
        default=64 << 30,
        metavar="SIZE",
        help="closed days that stay in the folder when they are in the lake (default: 64.0 GB)",
    )
    parser.add_argument("--zone", help="time zone of the instance, fixed when the folder is made (default: UTC)")
    parser.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="what is logged (default: info)",
    )


def run(options: Options) -> None:
    """Wait, then serve."""
    registry.part("store").run(
        options.data,
        options.control,
        options.listen,
        options.secret,
        options.zone,
        options.log_level,
        (options.lake, options.lake_cache),
        lambda text: print(text, flush=True),
    )
