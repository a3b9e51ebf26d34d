"""`muster people`: forget a person that the tables know (`users` in NQL).

In: a name or uid. Out: what would go, and that it is gone. Invariant: accounts of the portal are the matter of
`muster users`, and no erasure touches them.
"""

from __future__ import annotations

from muster import erasing
from muster.options import Options, Parser, verbs

DESCRIPTION = (
    "People who use devices, as the tables know them (`muster query users`). Not accounts of the portal: those are "
    "`muster users`. Erasing takes a person out of all tables, files and logs, for ever."
)
EXAMPLES = """\
examples:
  muster people erase anna.meier@zrh-lt-0001 --preview
  muster people erase S-1-5-21-1004336348-1177238915-682003330-512
  muster people erase anna.meier@zrh-lt-0001 --yes --json"""


def arguments(parser: Parser) -> None:
    """The options."""
    erase = verbs(parser)("erase", "forget people, for ever, after showing what would go")
    erasing.add_erase(erase, what="people")


def run(options: Options) -> None:
    """Erase."""
    erasing.erase(options, "users", what="people")
