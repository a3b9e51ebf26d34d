"""`muster lake`: how a data folder does without its object store again.

In: a folder that no portal holds. Out: a sentence. Invariant: the lake is emptied only when all that lay there is back
and whole.
"""

from __future__ import annotations

from muster import registry
from muster.options import Options, Parser, add_data, add_json, tell, verbs

DESCRIPTION = "The object store of a data folder. `muster serve --lake URL` gives it one; `muster doctor` looks at it."
EXAMPLES = """\
examples:
  muster serve --data /var/lib/muster --lake s3://muster/estate --lake-cache 20GB
  muster doctor --data /var/lib/muster --deep
  muster lake leave --data /var/lib/muster                  (the portal must be stopped)"""


def arguments(parser: Parser) -> None:
    """The options."""
    leave = verbs(parser)("leave", "bring all closed days back into the folder, then empty the lake")
    add_data(leave, required=True, meaning="the data folder")
    add_json(leave)


def run(options: Options) -> None:
    """Leave the lake."""
    url, objects = registry.part("lake").leave(options.data)
    text = f"All closed days are in {options.data} again; {objects:,} objects left {url}"
    tell(options, text, {"url": url, "objects": objects})
