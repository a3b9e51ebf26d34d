"""The program `muster`: finds the command, runs it, and turns what went wrong into one clear line.

In: the command line. Out: an exit code: 0 done, 1 failed, 2 wrong usage, 3 a query with errors, 4 the data folder is
held by another process, 5 a run that did not end well everywhere, 6 queries with warnings only or a folder that differs
from the portal, 130 interrupted.
Invariant: a person never sees a traceback unless they asked for it with `--debug`; only the module of the command that
was asked for is loaded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from importlib.metadata import version

from muster.errors import FAILED, INTERRUPTED, USAGE, MusterError
from muster.registry import COMMANDS, command

HEAD = """\
usage: muster COMMAND [options]

Ask every device a question in NQL, act on the answer, read the result back as data."""
EPILOG = """\
examples:
  muster demo                                     a portal to try everything on
  muster query "devices | list name, entity"      ask the portal at MUSTER_URL, with the token in MUSTER_TOKEN
  muster serve --data /var/lib/muster             a portal of your own

`muster COMMAND --help` tells about one command.

exit codes: 0 done, 1 failed, 2 wrong usage, 3 a query with errors, 4 the data folder is held by another process,
5 a run that did not end well everywhere, 6 queries with warnings only or a folder that differs, 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given) if given and given[0] in COMMANDS else _without_command(given)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has enough of it
        return 0


def _run(given: list[str]) -> int:
    name, rest = given[0], given[1:]
    module = command(name)
    parser = argparse.ArgumentParser(
        prog=f"muster {name}",
        description=module.DESCRIPTION,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    module.arguments(parser)
    options = parser.parse_args(rest)
    try:
        with ExitStack() as options.opened:
            code: int | None = module.run(options)
    except BrokenPipeError:
        raise
    except Exception as error:
        if options.debug:
            raise
        return _told(error)
    return code or 0


def _without_command(given: list[str]) -> int:
    if given and given[0] in {"--version", "-V"}:
        print(f"muster {version('muster-nql')}")
        return 0
    if given and given[0] not in {"--help", "-h", "help"}:
        close = get_close_matches(given[0], COMMANDS, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        print(f"muster: there is no command {given[0]!r}.{meant} `muster --help` lists them all.", file=sys.stderr)
        return USAGE
    listed = "\n".join(f"  {name:<12}{text}" for name, (_, text) in COMMANDS.items())
    print(f"{HEAD}\n\ncommands:\n{listed}\n\n{EPILOG}")
    return 0


def _told(error: Exception) -> int:
    if isinstance(error, MusterError):
        print(f"muster: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"        {error.hint}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, OSError):
        print(f"muster: {error}", file=sys.stderr)
        return FAILED
    print(
        f"muster: {type(error).__name__}: {error}\n        This is our mistake. --debug shows where it happened.",
        file=sys.stderr,
    )
    return FAILED
