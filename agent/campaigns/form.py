"""A question as a small window, with Tk.

In: a sheet; a word to say when it is on the screen; a descriptor that ends when the agent does. Out: an `Answered`, or
NoScreenError. Invariants: everything can be done with the keyboard; putting it off and declining are always one key
away, and closing the window puts it off; what is written into a text stays in the window, unless the portal asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from agent.campaigns.questions import MOST_WRITTEN, Answered, Question, Sheet

try:
    import tkinter
    from tkinter import font, ttk
except ImportError:  # Python without Tk
    tkinter = None  # type: ignore[assignment]

WIDTH = 460  # pixels of a line of text
PAPER, INK, SOFT, PALE, BUTTON, PRESSED = "#ffffff", "#1c1c1e", "#57575c", "#a0a0a5", "#eeeef0", "#dcdce0"
KEPT, TOLD = "What you write here stays on this screen.", "What you write here is sent to {}."


class NoScreenError(Exception):
    """There is no Tk, or no screen that it reaches."""


def ask(sheet: Sheet, shown: Callable[[], None], lifeline: int) -> Answered:
    """Show the window until it is answered or the agent is gone. Raises NoScreenError."""
    if tkinter is None:
        raise NoScreenError("Python has no Tk here")
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        raise NoScreenError(str(error)) from None
    return _Form(root, sheet, lifeline).ask(shown)


class _Form:
    """The window, one question after the other."""

    def __init__(self, root: Any, sheet: Sheet, lifeline: int) -> None:
        self._root, self._sheet = root, sheet
        self._place = 0
        self._answers: dict[str, list[str]] = {}
        self._comments: dict[str, str] = {}
        self._written: Any = None
        self._answered = Answered("postponed")
        root.title(f"{sheet.asker}: {sheet.campaign.title}")
        root.resizable(False, False)
        root.attributes("-topmost", True)
        root.protocol("WM_DELETE_WINDOW", lambda: self._end("postponed"))
        root.bind("<Escape>", lambda _: self._end("postponed"))
        root.bind("<Alt-n>", lambda _: self._end("declined"))
        root.tk.createfilehandler(lifeline, tkinter.READABLE, lambda *_: os.read(lifeline, 512) or root.destroy())
        self._frame = ttk.Frame(root, padding=20)
        self._frame.columnconfigure(0, minsize=WIDTH)
        self._frame.grid(sticky="nsew")
        style = ttk.Style(root)
        style.theme_use("clam")
        style.configure(".", background=PAPER, foreground=INK)
        style.map(".", background=[("active", PAPER)])
        style.configure("TButton", background=BUTTON, padding=6)
        style.map("TButton", background=[("disabled", PAPER), ("active", PRESSED)], foreground=[("disabled", PALE)])
        self._page()

    def ask(self, shown: Callable[[], None]) -> Answered:
        """Run until somebody did something."""
        self._root.update_idletasks()
        width, height = self._root.winfo_reqwidth(), self._root.winfo_reqheight()
        left = (self._root.winfo_screenwidth() - width) // 2
        top = (self._root.winfo_screenheight() - height) // 3
        self._root.geometry(f"+{max(left, 0)}+{max(top, 0)}")
        self._root.wait_visibility()
        shown()
        self._root.mainloop()
        return self._answered

    # --- a page --------------------------------------------------------------------------------
    def _page(self) -> None:
        for child in self._frame.winfo_children():
            child.destroy()
        questions = self._sheet.campaign.questions
        question = questions[self._place]
        self._head(f"{self._place + 1} of {len(questions)}" if len(questions) > 1 else "")
        ttk.Label(self._frame, text=question.text, wraplength=WIDTH, justify="left").grid(sticky="w", pady=(0, 8))
        self._chosen: list[tuple[str, Any]] = []
        self._written = None
        body = ttk.Frame(self._frame)
        body.grid(sticky="w", padx=8)
        first = self._body(body, question)
        self._buttons(last=self._place == len(questions) - 1)
        self._root.bind("<Return>", lambda _: self._next())
        first.focus_set()
        self._look()

    def _head(self, place: str) -> None:
        bold = font.nametofont("TkDefaultFont").copy()
        bold.configure(weight="bold", size=abs(bold.cget("size")) + 3)
        self._bold = bold  # Tk forgets a font that nobody holds
        ttk.Label(self._frame, text=self._sheet.says, wraplength=WIDTH, foreground=SOFT).grid(sticky="w")
        title = ttk.Label(self._frame, text=self._sheet.campaign.title, font=bold, wraplength=WIDTH, justify="left")
        title.grid(sticky="w", pady=(2, 10))
        if place:
            ttk.Label(self._frame, text=place, foreground=SOFT).grid(sticky="w")

    def _body(self, body: Any, question: Question) -> Any:
        """What can be chosen; the part that the keyboard begins with."""
        if question.kind == "text":
            return self._text(body)
        texts = [choice.text for choice in question.choices] or list(question.offered)
        one = tkinter.StringVar(self._root)
        parts = []
        for number, (label, text) in enumerate(zip(question.offered, texts, strict=True)):
            if question.kind == "multiple":
                some = tkinter.BooleanVar(self._root)
                part: Any = ttk.Checkbutton(body, text=text, variable=some, command=self._look)
                self._chosen.append((label, some))
            else:
                part = ttk.Radiobutton(body, text=text, variable=one, value=label, command=self._look)
                self._chosen.append((label, one))
            across = question.kind == "rating"
            part.grid(row=0 if across else number, column=number if across else 0, sticky="w", padx=4, pady=2)
            parts.append(part)
            if number < 9:
                self._root.bind(str(number + 1), lambda _, part=part: part.invoke())
        return parts[0]

    def _text(self, body: Any) -> Any:
        written = tkinter.Text(body, width=56, height=4, wrap="word")

        def on(act: Callable[[], None]) -> Callable[[Any], str]:
            def done(event: Any) -> str:
                act()
                return "break"  # and not what the key means in a text

            return done

        written.bind("<Tab>", on(self._leave))
        written.bind("<Return>", on(self._next))
        written.grid()
        self._written = written
        goes = KEPT if self._sheet.kept else TOLD.format(self._sheet.asker)
        ttk.Label(body, text=goes, foreground=SOFT).grid(sticky="w")
        return written

    def _buttons(self, *, last: bool) -> None:
        row = ttk.Frame(self._frame)
        row.grid(sticky="ew", pady=(16, 0))
        row.columnconfigure(2, weight=1)
        no = ttk.Button(row, text="No thanks", underline=0, command=lambda: self._end("declined"))
        later = ttk.Button(row, text="Later", command=lambda: self._end("postponed"))
        self._go = ttk.Button(row, text="Done" if last else "Next", command=self._next, default="active")
        for column, button in ((0, no), (1, later), (3, self._go)):
            button.grid(row=0, column=column, padx=4)
            button.bind("<Return>", self._pressed)

    @staticmethod
    def _pressed(event: Any) -> str:
        event.widget.invoke()
        return "break"  # and not the key of the whole window

    # --- what is done --------------------------------------------------------------------------
    def _given(self) -> list[str]:
        """The labels that are chosen on this page."""
        return [label for label, known in self._chosen if known.get() in (True, label)]

    def _leave(self) -> None:
        self._go.focus_set()

    def _look(self) -> None:
        """Only a full answer goes on."""
        text = self._sheet.campaign.questions[self._place].kind == "text"
        self._go.state(["!disabled" if text or self._given() else "disabled"])

    def _next(self) -> None:
        question = self._sheet.campaign.questions[self._place]
        given = self._given()
        if question.kind != "text" and not given:
            return
        if given:
            self._answers[question.label] = given
        written = "" if self._written is None or self._sheet.kept else self._written.get("1.0", "end").strip()
        if written:
            self._comments[question.label] = written[:MOST_WRITTEN]
        for number in range(9):
            self._root.unbind(str(number + 1))
        self._place += 1
        if self._place < len(self._sheet.campaign.questions):
            self._page()
        else:
            self._answered = Answered("fully", self._answers, comments=self._comments)
            self._root.destroy()

    def _end(self, status: str) -> None:
        self._answered = Answered("declined" if status == "declined" else "postponed")
        self._root.destroy()
