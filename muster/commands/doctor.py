"""`muster doctor`: look whether a data folder holds what was written to it.

In: a folder. Out: what is damaged, or that nothing is. Invariant: it changes nothing, and may run beside a portal.
"""

from __future__ import annotations

from dataclasses import asdict

from muster import registry
from muster.errors import MusterError
from muster.options import Options, Parser, add_data, add_json, print_json, print_rows

DESCRIPTION = (
    "Look whether a data folder holds what was written to it: digests, journal, control database. Changes nothing."
)
EXAMPLES = """\
examples:
  muster doctor --data /var/lib/muster"""


def arguments(parser: Parser) -> None:
    """The options."""
    add_data(parser, required=True, meaning="the data folder")
    add_json(parser)


def run(options: Options) -> None:
    """Look, print, and fail if something is damaged."""
    found = [asdict(finding) for finding in registry.part("checkup").findings(options.data)]
    damaged = [finding for finding in found if finding["problem"]]
    if options.json:
        print_json({"sound": not damaged, "files": found})
    elif damaged:
        print_rows(damaged, {"file": "file", "problem": "problem"}, as_json=False, empty="")
    else:
        print(f"{len(found)} files checked, all as they were written")
    if damaged:
        raise MusterError(
            f"{len(damaged)} of {len(found)} files are damaged.",
            "Restore them from a backup; what is not named here is sound.",
            "damaged",
        )
