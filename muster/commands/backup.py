"""`muster backup`: a copy of a data folder, taken beside a running portal or of a stopped one.

In: a data folder, a name. Out: a folder, or a file that ends in `.tar`. Invariant: what is printed as done has been
read back and compared.
"""

from __future__ import annotations

from pathlib import Path

from muster import registry
from muster.options import Options, Parser, add_data, add_json, tell

DESCRIPTION = (
    "Copy a data folder: tables, control database, keys. The portal may run meanwhile. The backup holds all that the "
    "portal knows, its keys among it: keep it as you keep the folder itself."
)
EXAMPLES = """\
examples:
  muster backup --data /var/lib/muster /backup/muster-monday
  muster backup --data /var/lib/muster /backup/muster-monday.tar          (one file)
  muster restore /backup/muster-monday.tar --data ./again                 (into a new folder)"""


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("to", type=Path, help="a folder that is not there yet, or a file ending in .tar")
    add_data(parser, required=True, meaning="the data folder")
    add_json(parser)


def run(options: Options) -> None:
    """Make it."""
    made = registry.part("backup").make(options.data, options.to)
    said = {"files": len(made.files), "bytes": made.bytes, "manifest": made.manifest, "created": made.created}
    tell(options, f"{len(made.files)} files, {made.bytes:,} bytes in {options.to}, compared", said)
