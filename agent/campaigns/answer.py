"""What `muster-agent answer` does: asks in this terminal whatever question waits on this machine.

In: the questions of agents that run as the system or as ourselves, what is typed. Out: the answers to the agent that
asked, an exit code. Invariants: nothing typed is kept here; an agent of another account is not talked
to; whoever mistypes is asked again.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TextIO

import msgspec

from agent.campaigns.questions import MOST_BYTES, MOST_WRITTEN, Answered, Question, Sheet
from agent.campaigns.talk import line, peer
from agent.campaigns.terminal import Taken, place, printable, waiting

PATIENCE = 5.0
KEYS = "l: later, n: no thanks"
LISTED = Path("/proc/net/unix")


class _PutOffError(Exception):
    """The person puts it off, or declines."""


def answer(state: Path | None, typed: TextIO = sys.stdin, shown: TextIO = sys.stdout) -> int:
    """Ask what waits, of one agent if its folder is named. 0 if something was answered, 1 if nothing waits."""
    found = waiting(LISTED.read_text(errors="replace").splitlines())
    mine = [name for name in found if state is None or name.startswith(place(state) + "/")]
    ends = [_asked(name, typed, shown) for name in mine]
    if not any(ends):
        print("No question waits.", file=shown)
    return 0 if any(ends) else 1


def _asked(name: str, typed: TextIO, shown: TextIO) -> bool:
    """Ask one question; False if it is not for us."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        try:
            agent.connect(f"\0{name}")
            if peer(agent) not in {0, os.geteuid()}:
                return False
            said = line(agent, PATIENCE, MOST_BYTES)
            sheet = msgspec.json.decode(said, type=Sheet) if said else None
        except (OSError, msgspec.MsgspecError):
            return False
        if sheet is None:
            return False
        answered = _ask(sheet, typed, shown)
        try:
            agent.sendall(msgspec.json.encode(answered) + b"\n")
            taken = msgspec.json.decode(line(agent, PATIENCE), type=Taken)
        except (OSError, msgspec.MsgspecError):
            taken = Taken("nobody waits for the answer any more")
        print(taken.problem.capitalize() + "." if taken.problem else "Thank you.", file=shown)
        return True


def _ask(sheet: Sheet, typed: TextIO, shown: TextIO) -> Answered:
    campaign, answers, comments = sheet.campaign, dict[str, list[str]](), dict[str, str]()
    for_ = f" (action {printable(sheet.action)})" if sheet.action else ""
    print(f"{printable(sheet.asker)} asks{for_}:", file=shown)
    print(f"\n  {printable(campaign.title)}\n", file=shown)
    try:
        for number, question in enumerate(campaign.questions, 1):
            place_ = f"{number} of {len(campaign.questions)}. " if len(campaign.questions) > 1 else ""
            print(f"{place_}{printable(question.text)}", file=shown)
            if question.kind == "text":
                text = _text(sheet, typed, shown)
                comments |= {question.label: text} if text and not sheet.kept else {}
            else:
                answers[question.label] = _one(question, typed, shown)
    except _PutOffError as put:
        return Answered("postponed" if put.args == ("l",) else "declined")
    return Answered("fully", answers, comments=comments)


def _text(sheet: Sheet, typed: TextIO, shown: TextIO) -> str:
    goes = "stays here" if sheet.kept else f"is sent to {printable(sheet.asker)}"
    return _line(f"(What you write {goes}. Enter alone leaves it out.) ", typed, shown).strip()[:MOST_WRITTEN]


def _one(question: Question, typed: TextIO, shown: TextIO) -> list[str]:
    for number, choice in enumerate(question.choices, 1):
        print(f"  {number}  {printable(choice.text)}", file=shown)
    wanted = {"multiple": "Numbers, such as 1,2", "rating": "A number from 1 to 5"}.get(question.kind, "A number")
    while True:
        said = _line(f"{wanted} ({KEYS}): ", typed, shown).strip().lower()
        if said in ("l", "n"):
            raise _PutOffError(said)
        parts = [part for part in said.replace(",", " ").split() if part]
        places = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 3]
        good = all(1 <= place_ <= len(question.offered) for place_ in places) and len(places) == len(parts)
        if good and places and (question.kind == "multiple" or len(places) == 1):
            return [question.offered[place_ - 1] for place_ in dict.fromkeys(places)]
        print("That is none of the choices.", file=shown)


def _line(prompt: str, typed: TextIO, shown: TextIO) -> str:
    shown.write(prompt)
    shown.flush()
    said = typed.readline()
    if not said:
        raise _PutOffError("l")
    return said
