"""Notebook magic: `%load_ext muster`, `%muster connect URL`, and cells that begin with `%%nql`.

In: cells of NQL; `$name` in them takes the value of the notebook's variable `name`. Out: Polars frames. Invariants: a
token comes from the environment or from a prompt that does not show it, never from the notebook's text; a query that
cannot run shows its diagnostics under carets, as an error that stops the notebook, without a traceback.
"""

from __future__ import annotations

import argparse
import getpass
import shlex
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

import polars as pl

from muster.api import DEFAULT_URL
from muster.client import Client, connect
from muster.errors import MusterError, UsageError
from muster.language import Language
from muster.notebook_help import Completer
from muster.parameters import names_in
from muster.signing_in import find_credential, find_token

HELP = """\
%muster connect [URL]     connect to a portal (the token: MUSTER_TOKEN, a token file, or a prompt)
%muster status            where this notebook is connected
%muster disconnect        let go of the connection

%%nql [--name df] [--zone Europe/Zurich] [--strict nexthink] [--quiet] [--explain]
devices | where name == $host | list name, entity        $host: the variable `host` of the notebook"""


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext muster`."""
    magics = Magics(shell)
    shell.register_magic_function(magics.muster, "line", "muster")
    shell.register_magic_function(magics.nql, "line_cell", "nql")
    shell.Completer.custom_matchers.append(Completer(magics.language))


class Magics:
    """The magics of one notebook, and its connection."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._client: Client | None = None

    def muster(self, line: str) -> str | None:
        """%muster connect URL | status | disconnect"""
        words = shlex.split(line)
        match words:
            case ["connect", *rest] if len(rest) <= 1:
                return self._connect(rest[0] if rest else DEFAULT_URL)
            case ["status"]:
                return self._status()
            case ["disconnect"]:
                self._disconnect()
                return "not connected"
        print(HELP)
        return None

    def nql(self, line: str, cell: str | None = None) -> pl.DataFrame | None:
        """%%nql [--name NAME] [--zone ZONE] [--strict nexthink] [--quiet] [--explain], or %nql TEXT"""
        if cell is None:
            return self._ask(line)
        options = _options(line)
        if options.explain:
            print(self._connected().explain(cell, zone=options.zone))
            return None
        frame = self._ask(cell, options.zone, options.strict)
        if options.name:
            self._shell.user_ns[options.name] = frame
        return None if options.quiet else frame

    def _ask(self, text: str, zone: str | None = None, strict: Literal["nexthink"] | None = None) -> pl.DataFrame:
        values = variables(text, self._shell.user_ns)
        return self._connected().query(text, zone=zone, strict=strict, parameters=values).polars()

    def _connected(self) -> Client:
        if self._client is None:
            raise UsageError("This notebook is not connected.", "Run `%muster connect URL` first.", "not_connected")
        return self._client

    def language(self) -> Language | None:
        """The language of the portal that this notebook is connected to, if it is."""
        return None if self._client is None else self._client.language

    def _connect(self, url: str) -> str:
        self._disconnect()
        self._client = self._opened(url)
        return self._status()

    def _opened(self, url: str) -> Client:
        token, credential = find_token(), find_credential()
        if token is None and credential is None:
            token = getpass.getpass("API token: ").strip()
        return connect(url, token, credential=None if token else credential)

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _status(self) -> str:
        if self._client is None:
            return "not connected"
        return f"connected to {self._client.url} as {self._client.whoami()['name']}"


def variables(text: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the parameters of a query among the variables of a notebook. Raises UsageError for one that is
    not there."""
    names = names_in(text)
    if missing := [name for name in names if name not in namespace]:
        raise UsageError(
            f"The query asks for ${missing[0]}.",
            f"Set the variable `{missing[0]}` in the notebook first.",
            "no_variable",
        )
    return {name: namespace[name] for name in names}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise MusterError(
            f"%%nql: {message}.",
            "The options are --name NAME, --zone ZONE, --strict nexthink, --quiet and --explain.",
            "usage",
        )


def _options(line: str) -> argparse.Namespace:
    parser = _Parser(prog="%%nql", add_help=False)
    parser.add_argument("--name", type=_identifier)
    parser.add_argument("--zone")
    parser.add_argument("--strict", choices=["nexthink"])
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--explain", action="store_true")
    return parser.parse_args(shlex.split(line))


def _identifier(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a variable")
    return text
