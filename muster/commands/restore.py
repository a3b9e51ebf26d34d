"""`muster restore`: a data folder made of a backup.

In: a backup, a folder that is new or empty. Out: the folder, ready for `muster serve`. Invariant: nothing is written
over, and a backup that is not whole gives no folder.
"""

from __future__ import annotations

from pathlib import Path

from muster import registry
from muster.options import Options, Parser, add_data, add_json, tell

DESCRIPTION = (
    "Make a data folder of a backup, into a folder that is new or empty. Serve it in the place of the lost one, never "
    "beside it: both would go by the same keys."
)
EXAMPLES = """\
examples:
  muster restore /backup/muster-monday.tar --data /var/lib/muster-new
  muster restore /backup/muster-monday.tar --data /var/lib/muster-new --erased /backup/erased.json
  muster serve --data /var/lib/muster-new"""


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("source", type=Path, help="what `muster backup` made")
    parser.add_argument(
        "--erased", type=Path, metavar="FILE",
        help="erase again whom this list names; `muster erasures --json` printed it",
    )  # fmt: skip
    add_data(parser, required=True, meaning="the folder to make")
    add_json(parser)


def run(options: Options) -> None:
    """Make the folder."""
    made, again = registry.part("backup").restore(options.source, options.data, options.erased)
    said = {"files": len(made.files), "bytes": made.bytes, "manifest": made.manifest, "created": made.created,
            "to_erase_again": again}  # fmt: skip
    text = f"{len(made.files)} files, {made.bytes:,} bytes in {options.data}, compared"
    if options.erased is not None:
        text += f"; {again} that were erased since are erased again when the portal starts"
    else:
        text += "; who was erased since is back: restore with --erased, if anybody was"
    tell(options, text, said)
