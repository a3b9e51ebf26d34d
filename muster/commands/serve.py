"""`muster serve`: a portal over a data folder, until it is told to stop.

In: a folder, an address. Out: the address on standard output once it takes requests; logs on standard error.
Invariant: it is reachable from this machine only, unless --host says otherwise.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from muster import registry
from muster.commands.store import CONTROL, LAKE
from muster.errors import UsageError
from muster.options import Options, Parser, add_data, size
from muster.shown import size_text

DESCRIPTION = "Run a portal over a data folder, until Ctrl-C or SIGTERM. The folder is made if it is not there."
EXAMPLES = """\
examples:
  muster serve --data /var/lib/muster
  muster serve --data ./data --port 0                        (any free port; a second instance on another folder)
  muster users create anna --permissions all --data /var/lib/muster            (the first account)"""

SIZES = (
    ("query-here", 256 << 20, "a query that reads more runs in a process of its own"),
    ("query-memory", 1 << 30, "memory that such a process may have for a query"),
    ("query-kept", 64 << 20, "answers that are kept for those who ask the same again"),
    (
        "cache",
        4 << 30,
        "columns that are kept beside sealed files, for queries to read as they are; 0 keeps none",
    ),
    ("lake-cache", 64 << 30, "closed days that stay in the folder when they are in the lake"),
    ("scrub-rate", 8 << 20, "sealed files that are looked over a second, again and again; 0 looks at none"),
)


def arguments(parser: Parser) -> None:
    """The options."""
    add_data(parser, required=True, meaning="the data folder")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument("--port", type=int, default=8080, help="port to listen on, 0 for any free one (default: 8080)")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a host name under which people reach it; may be given again",
    )
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="the address of what it hands out, such as exported files (default: the one that it was asked under)",
    )
    parser.add_argument("--tls", action="store_true", help="browsers reach it over TLS (a proxy in front sees to that)")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="serve TLS with this certificate (PEM)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="the private key of --tls-cert (PEM)")
    parser.add_argument(
        "--tls-next-cert",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a certificate that is shown later: devices are told of its key now. SIGHUP reads all files again",
    )
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="an address or network (10.0.0.0/8) of a proxy whose X-Forwarded-For counts; may be given again "
        "(default: none, nobody's word for an address is believed)",
    )
    parser.add_argument("--zone", help="time zone of the instance, fixed when the folder is made (default: UTC)")
    parser.add_argument("--imports", action="store_true", help="let programs with the permission import write history")
    parser.add_argument(
        "--allow-local-webhooks",
        action="store_true",
        help="let webhooks reach this machine and its link (for trying them out)",
    )
    parser.add_argument(
        "--new-ids",
        type=int,
        default=20_000,
        metavar="N",
        help="new binaries, users, ... that one device may bring into being a day, of each kind; what is beyond counts "
        "as `other` (default: 20000)",
    )
    grown = parser.add_argument_group("several portals (docs/deployment.md)")
    grown.add_argument("--control", metavar="URL", default=os.environ.get("MUSTER_CONTROL"), help=CONTROL)
    grown.add_argument(
        "--store",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="where `muster store` answers, unix:PATH or HOST:PORT; may be given again, for standbys",
    )
    grown.add_argument("--store-secret", type=Path, metavar="FILE", help="the file that is given to `muster store`")
    classic = parser.add_argument_group("classic APIs (docs/engines.md)")
    classic.add_argument("--engines", metavar="LIST", help="the sites that this portal serves (default: all)")
    classic.add_argument(
        "--act-timeout", type=int, default=60, metavar="N", help="seconds a call of Act waits (default: 60, 1 to 600)"
    )
    classic.add_argument(
        "--act-devices", type=int, default=10_000, metavar="N", help="most devices of such a call (default: 10000)"
    )
    parser.add_argument("--lake", metavar="URL", help=LAKE)
    sizes = parser.add_argument_group("sizes, such as 512MB or 4GB")
    for option, default, meaning in SIZES:
        sizes.add_argument(
            f"--{option}", type=size, default=default, metavar="SIZE", help=f"{meaning} (default: {size_text(default)})"
        )
    parser.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="what is logged (default: info)",
    )


def run(options: Options) -> None:
    """Serve."""
    if (options.tls_cert is None) != (options.tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together.", "Give both, or neither.")
    registry.part("serve").serve(
        Path(options.data),
        host=options.host,
        port=options.port,
        names=options.name,
        tls=options.tls,
        zone=options.zone,
        imports=options.imports,
        local_webhooks=options.allow_local_webhooks,
        log_level=options.log_level,
        certificate=None if options.tls_cert is None else (options.tls_cert, options.tls_key),
        coming=options.tls_next_cert,
        most_new=options.new_ids,
        shared=(options.control, tuple(options.store), options.store_secret),
        classic=(options.engines, options.act_timeout, options.act_devices),
        lake=options.lake,
        public_url=options.public_url,
        trusted=options.trusted_proxy,
        sizes={name: getattr(options, name) for name in (option.replace("-", "_") for option, _, _ in SIZES)},
        say=lambda text: print(text, file=sys.stdout, flush=True),
    )
