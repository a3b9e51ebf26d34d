"""The program `muster-agent`: enroll this device, run the agent, say how it stands, answer its questions.

In: the command line, and a one-time key from a file, the environment or a prompt, never from the command line, where
others could read it. Out: an exit code; what happens is logged as JSON lines on standard error. Invariant: a person
who made a mistake is told what to do.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import re
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent import files, statements, status
from agent.authors import AuthorFileError, read
from agent.campaigns import answer, here
from agent.clock import SteadyClock
from agent.enrolling import enroll
from agent.exchange import RefusedError, UnreachableError
from agent.host.linux import LinuxHost
from agent.identity import ENROLMENT_FILE, POLICIES, Enrolment, IdentityError, load_enrolment, load_keys
from agent.log import line
from agent.runtime import Agent, Parts
from agent.tls import Pinning, pinned, verified
from agent.version import __version__

KEY_VARIABLE = "MUSTER_ENROL_KEY"
_FORESEEN = (
    IdentityError,
    AuthorFileError,
    UnreachableError,
    RefusedError,
    files.UnsafeFolderError,
    status.BusyError,
    OSError,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the program; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except _FORESEEN as error:
        print(f"muster-agent: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="muster-agent", description="The device side of Muster.")
    parser.add_argument("--version", action="version", version=f"muster-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    enrolling = commands.add_parser(
        "enroll",
        help="make this device known to a portal",
        description="Make this device known to a portal with a one-time key (see `muster enroll-key`).",
        epilog=f"Without --key-file the key is taken from the environment variable {KEY_VARIABLE}, else asked for.",
    )
    enrolling.add_argument("--url", required=True, help="the portal's address, such as https://muster.example")
    enrolling.add_argument("--key-file", metavar="FILE", help="a file that holds the key; - for standard input")
    enrolling.add_argument("--name", default=None, help="the device's name, instead of this machine's")
    enrolling.add_argument(
        "--policy",
        choices=POLICIES,
        default="signed_trusted",
        help="whose scripts it runs: nobody's, the portal's, those trusted authors signed (default: %(default)s)",
    )
    enrolling.add_argument(
        "--author",
        action="append",
        type=Path,
        default=[],
        metavar="FILE.pub",
        help="trust this author instead of those that the portal names; may be given again",
    )
    known = enrolling.add_mutually_exclusive_group()
    known.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="the authorities whose certificate the server must show (default: this system's)",
    )
    known.add_argument(
        "--tls-pin", metavar="HEX", help="the SHA-256 of the server's public key (SPKI), instead of any authority"
    )
    enrolling.add_argument("--again", action="store_true", help="enroll again what is enrolled already")
    running = commands.add_parser("run", help="collect, run orders, report; until stopped")
    running.add_argument(
        "--ask",
        choices=here.WAYS,
        default="anywhere",
        help="where scripts may put questions to people: a window, else a terminal; a terminal; not at all "
        "(default: %(default)s)",
    )
    answering = commands.add_parser("answer", help="answer the question that waits for you on this device")
    answering.add_argument("--state", type=Path, metavar="DIR", help="only that of the agent of this folder")
    standing = commands.add_parser("status", help="say how the agent of this device stands")
    standing.add_argument("--json", action="store_true", help="as JSON")
    for command in (enrolling, running, standing):
        command.add_argument(
            "--state", type=Path, default=_default(), metavar="DIR", help="its folder (default: %(default)s)"
        )
    return parser


def _default() -> Path:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return Path("/var/lib/muster-agent") if root else Path.home() / ".local" / "state" / "muster-agent"


def _enroll(options: argparse.Namespace) -> int:
    folder: Path = options.state
    if (folder / ENROLMENT_FILE).exists() and not options.again:
        known = load_enrolment(folder)
        raise IdentityError(f"this device is enrolled with {known.url} as {known.device}; use --again to do it anew")
    pinned = enroll(
        options.url,
        _key(options.key_file),
        folder,
        name=options.name or socket.gethostname(),
        called=options.name,
        platform="linux",
        policy=options.policy,
        authors=[read(path)[0] for path in options.author],
        server=_server(options),
    )
    print(f"Enrolled with {pinned.url} as device {pinned.device}.")
    print(_whose(pinned))
    print(f"Start the agent with: muster-agent run --state {folder}")
    return 0


def _server(options: argparse.Namespace) -> Pinning | None:
    if options.tls_pin is None:
        return verified(options.ca) if options.ca is not None else None
    text = options.tls_pin.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise IdentityError("--tls-pin is the SHA-256 of the server's public key: 64 hexadecimal digits")
    return pinned([bytes.fromhex(text)])


def _whose(pinned: Enrolment) -> str:
    if pinned.policy != "signed_trusted":
        return f"Execution policy: {pinned.policy}."
    if not pinned.authors:
        return "It trusts no author yet and runs no script: give --author FILE.pub, or enroll again when there is one."
    return f"It runs what these authors signed: {', '.join(map(statements.fingerprint, pinned.authors))}."


def _key(file: str | None) -> str:
    if file == "-":
        key = sys.stdin.readline()
    elif file is not None:
        key = Path(file).read_text(encoding="utf-8")
    elif KEY_VARIABLE in os.environ:
        key = os.environ[KEY_VARIABLE]
    elif sys.stdin.isatty():
        key = getpass.getpass("One-time key: ")
    else:
        raise IdentityError(f"no key: give --key-file, or set {KEY_VARIABLE}")
    if not key.strip():
        raise IdentityError("the key is empty")
    return key.strip()


def _run(options: argparse.Namespace) -> int:
    folder = files.private_folder(options.state)
    enrolment, keys = load_enrolment(folder), load_keys(folder)
    status.hold(folder)
    clock = SteadyClock()
    with ThreadPoolExecutor(2, "agent") as executor:
        desk = here.desk(folder, enrolment.url, options.ask)
        host = LinuxHost(folder / "runs", clock, keys.sealing, desk, enrolment.name)
        asyncio.run(_until_stopped(Parts(folder, enrolment, keys, host, clock, executor, line)))
    return 0


async def _until_stopped(parts: Parts) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parts.log("info", "the agent runs", version=__version__, device=parts.enrolment.device, portal=parts.enrolment.url)
    await Agent(parts).run(stop)
    parts.log("info", "the agent has stopped")


def _status(options: argparse.Namespace) -> int:
    folder: Path = options.state
    known, facts = load_enrolment(folder), status.read(folder)
    running = True
    try:
        os.close(status.hold(folder))
        running = False
    except status.BusyError:
        pass
    said = {
        "portal": known.url,
        "device": known.device,
        "collector": known.collector,
        "runs": running,
        "simulated": known.simulated,
        "policy": known.policy,
        "authors": len(known.authors),
    }
    said |= msgspec.to_builtins(facts) if facts is not None and running else {}
    if options.json:
        print(msgspec.json.encode(said).decode())
    else:
        for name, value in said.items():
            if value is not None:
                print(f"{name.replace('_', ' '):<16} {_said(name, value)}")
    return 0 if running else 3


def _said(name: str, value: object) -> object:
    """A figure of the agent as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "time" and isinstance(value, int):
        return f"{datetime.fromtimestamp(value // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return value


def _answer(options: argparse.Namespace) -> int:
    return answer.answer(options.state)


_COMMANDS = {"enroll": _enroll, "run": _run, "status": _status, "answer": _answer}
