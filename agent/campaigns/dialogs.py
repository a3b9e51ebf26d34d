"""A question as dialogs of a program that the desktop brings: zenity, yad or kdialog, where there is no Tk.

In: a sheet; a word to say when the first dialog is up; a descriptor that ends when the agent does. Out: an `Answered`,
None where there is no such program. Invariants: what a campaign says never reaches a program as an option or as markup;
labels are told apart by their number, not by what a program prints of them; a dialog ends when the agent does.
"""

from __future__ import annotations

import html
import os
import select
import shutil
import subprocess
from collections.abc import Callable

from agent.campaigns.questions import MOST_WRITTEN, Answered, Question, Sheet

Shown = Callable[[], None]
LATER, NEVER = "Later", "No thanks"
LOOK_SECONDS = 0.2
MOST_SAID = 65_536


def ask(sheet: Sheet, shown: Shown, lifeline: int) -> Answered | None:
    """Show one dialog a question; None if there is no program for it."""
    found = [(name, path) for name in ("zenity", "yad", "kdialog") if (path := shutil.which(name))]
    if not found:
        return None
    name, path = found[0]
    answers: dict[str, list[str]] = {}
    comments: dict[str, str] = {}
    first = True
    if name == "kdialog":  # its lists have no third button
        code, _ = _run([path, *_begin(sheet)], lifeline, shown)
        first = False
        if code != 0:
            return Answered("declined" if code == 1 else "postponed")
    for place, question in enumerate(sheet.campaign.questions):
        while question.label not in answers:
            command = [path, *(_kdialog if name == "kdialog" else _gtk)(sheet, question, place, yad=name == "yad")]
            code, said = _run(command, lifeline, shown if first else lambda: None)
            first = False
            if code != 0:
                no = code == 1 and LATER not in said and name != "kdialog"
                return Answered("declined" if no else "postponed")
            answers[question.label] = given = _chosen(question, said)
            if question.kind == "text" and not sheet.kept and said.strip():
                comments[question.label] = said.strip()[:MOST_WRITTEN]
            if question.kind != "text" and (not given or (question.kind != "multiple" and len(given) > 1)):
                del answers[question.label]
    return Answered("fully", {label: given for label, given in answers.items() if given}, comments=comments)


def _chosen(question: Question, said: str) -> list[str]:
    """The labels whose numbers a program printed."""
    if question.kind == "text":
        return []
    numbers = dict.fromkeys(int(part) for part in said.replace("|", " ").split() if part.isascii() and part.isdigit())
    return [question.offered[number - 1] for number in numbers if 1 <= number <= len(question.offered)]


def _texts(question: Question) -> list[str]:
    return [_plain(choice.text) for choice in question.choices] or list(question.offered)


def _plain(text: str) -> str:
    """A text that is no option, whatever it begins with."""
    return f" {text}" if text.startswith("-") else text


def _gtk(sheet: Sheet, question: Question, place: int, *, yad: bool) -> list[str]:
    """The options of zenity and yad."""
    count = len(sheet.campaign.questions)
    which = f" ({place + 1} of {count})" if count > 1 else ""
    asked = f"{html.escape(sheet.asker)} asks:\n\n{html.escape(question.text)}{html.escape(_goes(sheet, question))}"
    head = [f"--title={sheet.campaign.title}{which}", f"--text={asked}", "--width=480"]
    if yad:
        head += ["--button=Done:0", f"--button={LATER}:2", f"--button={NEVER}:1"]
    else:
        head += ["--ok-label=Done", f"--cancel-label={NEVER}", f"--extra-button={LATER}"]
    if question.kind == "text":
        return ["--entry", *head]
    kind = "--checklist" if question.kind == "multiple" else "--radiolist"
    columns = ["--column=", "--column=n", "--column=", "--hide-column=2", "--print-column=2", "--height=360"]
    rows = [part for number, text in enumerate(_texts(question), 1) for part in ("FALSE", str(number), text)]
    return ["--list", kind, *head, *columns, *(["--no-markup"] if yad else []), *rows]


def _goes(sheet: Sheet, question: Question) -> str:
    """Where a text goes that somebody writes, if it does not stay here."""
    if question.kind != "text" or sheet.kept:
        return ""
    return f"\n\nWhat you write is sent to {sheet.asker}."


def _begin(sheet: Sheet) -> list[str]:
    text = f"{sheet.asker} asks:\n\n{sheet.campaign.title}"
    labels = ["--yes-label", "Answer", "--no-label", NEVER, "--cancel-label", LATER]
    return ["--title", _plain(sheet.campaign.title), *labels, "--warningyesnocancel", _plain(html.escape(text))]


def _kdialog(sheet: Sheet, question: Question, place: int, *, yad: bool) -> list[str]:
    head = ["--title", _plain(sheet.campaign.title)]
    text = _plain(html.escape(question.text + _goes(sheet, question)))
    if question.kind == "text":
        return [*head, "--inputbox", text]
    kind = "--checklist" if question.kind == "multiple" else "--radiolist"
    rows = [part for number, shown in enumerate(_texts(question), 1) for part in (str(number), shown, "off")]
    return [*head, "--separate-output", kind, text, *rows]


def _run(command: list[str], lifeline: int, shown: Shown) -> tuple[int, str]:
    """The exit code of a dialog and what it printed; it is ended with the agent."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        shown()
        said = b""
        while True:
            ready = select.select([process.stdout.fileno(), lifeline], [], [], LOOK_SECONDS)[0]
            if lifeline in ready and not os.read(lifeline, 512):
                process.terminate()
                return 2, ""
            if process.stdout.fileno() in ready:
                more = os.read(process.stdout.fileno(), 4096)
                said += more
                if not more or len(said) > MOST_SAID:
                    break
        return process.wait(), said.decode("utf-8", "replace")
