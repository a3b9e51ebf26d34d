"""`muster lsp`: a language server for NQL, started by an editor.

In: the editor's messages on standard input. Out: answers on standard output. Invariant: nothing else is printed there.
What is said is the language's matter (`muster.language`), how it is said that of `muster.lsp`.
"""

from __future__ import annotations

from importlib.metadata import version

from muster import registry
from muster.errors import MusterError
from muster.language import STRICT, language
from muster.options import Options, Parser, add_portal_if_named

DESCRIPTION = """\
Help with queries in editors: a language server that an editor starts and talks to over standard input and output.

It marks errors and warnings as you type, completes, tells what a name means, lays queries out, offers fixes, and says
in plain English what a query asks. Without --url, the actions, campaigns, trends and custom fields that a query names
are taken for granted; with it, the portal says which there are, and completion knows the values in its data.
docs/editors.md tells how to set up Visual Studio Code, Neovim, Helix and others."""
EXAMPLES = """\
examples:
  muster lsp                                         what an editor starts
  muster lsp --strict nexthink                       and nothing that Nexthink itself does not take
  muster lsp --url http://127.0.0.1:8080             with the names and values of a portal (token: MUSTER_TOKEN)

It comes with the extra: pip install 'muster-nql[lsp]'"""
PARTS = frozenset({"pygls", "lsprotocol"})


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("--stdio", action="store_true", help="the only way there is; editors may say so")
    parser.add_argument("--strict", choices=[STRICT], help="refuse everything that is not in NQL itself")
    add_portal_if_named(parser)


def run(options: Options) -> None:
    """Serve one editor until it is done."""
    try:
        server = registry.part("lsp")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in PARTS:
            raise
        raise MusterError("The language server is not installed.", "pip install 'muster-nql[lsp]'", "no_lsp") from error
    server.serve(language(options), version("muster-nql"))
