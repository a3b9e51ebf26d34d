"""`muster doctor`: look whether a data folder holds what was written to it, and repair what can be.

In: a folder. Out: what is damaged, what was done about it, and the way out for the rest. Invariant: it changes nothing
unless asked to, and may then run beside a portal; it gives rows up only by the name of their file.
"""

from __future__ import annotations

from dataclasses import asdict

from muster import registry
from muster.errors import MusterError, UsageError
from muster.options import Options, Parser, add_data, add_json, print_json, print_rows

DESCRIPTION = (
    "Look whether a data folder holds what was written to it: digests, journal, control database. Changes nothing "
    "without --repair, which needs the portal stopped."
)
EXAMPLES = """\
examples:
  muster doctor --data /var/lib/muster
  muster doctor --data /var/lib/muster --repair       (states, cache, Delta logs, files that nothing names)
  muster doctor --data /var/lib/muster --repair --give-up segments/x-2026-11-22-00000007.arrow
                                                      (a damaged file goes to quarantine; its rows are lost)"""


def arguments(parser: Parser) -> None:
    """The options."""
    add_data(parser, required=True, meaning="the data folder")
    parser.add_argument("--deep", action="store_true", help="read every byte of what lies in the lake, too")
    parser.add_argument("--repair", action="store_true", help="repair what can be; the portal must be stopped")
    parser.add_argument(
        "--give-up",
        action="append",
        default=[],
        metavar="FILE",
        help="with --repair: do without the rows of this damaged file, which is kept in quarantine; may be given again",
    )
    add_json(parser)


def run(options: Options) -> None:
    """Repair if asked to; look, print, and fail if something is damaged."""
    if options.give_up and not options.repair:
        raise UsageError("--give-up is a way to repair.", "Say --repair, too.")
    done = registry.part("checkup").repaired(options.data, options.give_up) if options.repair else []
    for text in done if not options.json else ():
        print(text)
    found = [asdict(finding) for finding in registry.part("checkup").findings(options.data, deep=options.deep)]
    damaged = [finding for finding in found if finding["problem"]]
    if options.json:
        print_json({"sound": not damaged, "repaired": done, "files": found})
    elif damaged:
        print_rows(
            damaged, {"file": "file", "told": "holds", "problem": "problem", "way": "way out"}, as_json=False, empty=""
        )
    else:
        print(f"{len(found)} files checked, all as they were written")
    if damaged:
        raise MusterError(
            f"{len(damaged)} of {len(found)} files are damaged.",
            "What is not named here is sound.",
            "damaged",
        )
