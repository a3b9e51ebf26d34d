"""The window itself, on a virtual screen: keys in, answers out.

Comes in: keys, by xdotool, on an Xvfb of the test's own. Goes out: what the program says. Invariant: the whole way is
the real one: the agent's presenter starts the program, and Tk shows it. Left out where Xvfb, xdotool or Tk are missing;
nothing here uses the screen of whoever runs the tests.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from agent.campaigns import focus
from agent.campaigns.desk import Asking, CannotShowError
from agent.campaigns.desktop import COMMAND, Window
from agent.campaigns.person import Person
from agent.campaigns.questions import Campaign, Choice, Question, Reply, Sheet

CHOICES = (Choice("a", "First"), Choice("b", "Second"))
SHEET = Sheet(
    Campaign(
        "#ask",
        "A question",
        (
            Question("one", "Which?", "single", CHOICES),
            Question("some", "Which of them?", "multiple", CHOICES),
            Question("rate", "How was it?", "rating"),
            Question("why", "Why?", "text"),
        ),
    ),
    "portal.example",
    "#test",
)
LACKING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
LACKING += [] if importlib.util.find_spec("tkinter") else ["Tk"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(LACKING), reason=f"there is no {', '.join(LACKING)}")]


@pytest.fixture
def display() -> Iterator[str]:
    """A screen of our own."""
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1000x700x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL) as server:
        os.close(theirs)
        with os.fdopen(ours) as said:
            number = said.readline().strip()
        yield f":{number}"
        server.terminate()


class Desktop:
    """Somebody at that screen, to whom a question is put."""

    def __init__(self, display: str, seconds: float = 40.0, sheet: Sheet = SHEET) -> None:
        self.environment = {"DISPLAY": display, "PATH": os.environ["PATH"]}
        self.shown, self.gone = threading.Event(), threading.Event()
        self.replies: list[Reply | Exception] = []
        whom = Person("anna", os.geteuid(), os.getegid(), (), "/", {"DISPLAY": display})
        self._asking = Asking(sheet, whom, time.monotonic() + seconds, self.gone.is_set, self.shown.set)
        self.thread = threading.Thread(target=self._show)
        self.thread.start()

    def _show(self) -> None:
        try:
            self.replies.append(Window().show(self._asking))
        except CannotShowError as error:
            self.replies.append(error)

    def press(self, *keys: str) -> None:
        """Press keys in the window; there is no window manager that gives it the keyboard."""
        assert self.shown.wait(30)
        window = ["search", "--sync", "--onlyvisible", "--name", "portal.example: A question", "windowfocus", "--sync"]
        for command in (window, ["key", "--delay", "60", *keys]):
            subprocess.run(["xdotool", *command], env=self.environment, check=True, timeout=10)

    def press_until_it_goes(self, key: str) -> None:
        """Press a key as somebody does who sees that nothing happened: without a window manager the keyboard may be
        nobody's for a moment when a page takes the place of another."""
        for _ in range(8):
            self.thread.join(3)
            if not self.thread.is_alive():
                return
            with suppress(subprocess.SubprocessError):  # the window went meanwhile
                self.press(key)


def test_the_window_can_be_answered_with_the_keyboard(display: str) -> None:
    anna = Desktop(display)
    anna.press("Return", "2", "Return", "1", "2", "Return", "4", "Return", "x", "y", "Return")
    anna.thread.join(30)
    assert anna.replies == [Reply("fully", "", {"one": ("b",), "some": ("a", "b"), "rate": ("4",)})]


def test_what_is_written_to_the_portal_is_sent(display: str) -> None:
    asked = Campaign("#ask", "A question", (Question("why", "Why?", "text"),))
    anna = Desktop(display, sheet=Sheet(asked, "portal.example", ""))
    anna.press("h", "i", "Return")
    anna.thread.join(30)
    assert anna.replies == [Reply("fully", comments={"why": "hi"})]


@pytest.mark.parametrize(
    ("keys", "status"),
    [(["1", "Escape"], "postponed"), (["alt+n"], "declined"), (["1", "Return", "Escape"], "postponed")],
)
def test_the_window_can_be_put_off(display: str, keys: list[str], status: str) -> None:
    anna = Desktop(display)
    anna.press(*keys)
    anna.press_until_it_goes(keys[-1])
    assert anna.replies == [Reply(status)]  # type: ignore[arg-type]


def test_the_window_goes_with_its_time_and_with_its_asker(display: str) -> None:
    late, left = Desktop(display, 6), None
    late.thread.join(30)
    assert late.replies == [Reply("timeout")]
    assert late.shown.is_set()
    left = Desktop(display)
    assert left.shown.wait(30)
    left.gone.set()
    left.thread.join(30)
    assert isinstance(left.replies[0], Reply)
    found = subprocess.run(
        ["xdotool", "search", "--name", "A question"], env=left.environment, capture_output=True, check=False
    )
    assert found.stdout == b""


def test_the_window_goes_with_the_agent(display: str) -> None:
    """Its standard input ends when the agent does, in whatever way."""
    environment = {"DISPLAY": display, "PATH": os.environ["PATH"]}
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as window:
        assert window.stdin is not None
        assert window.stdout is not None
        window.stdin.write(msgspec.json.encode(SHEET) + b"\n")
        window.stdin.flush()
        assert window.stdout.readline() == b"shown\n"
        window.stdin.close()
        assert window.wait(30) == 0


def test_a_screen_that_is_not_there(tmp_path: Path) -> None:
    anna = Desktop(":4242")
    anna.thread.join(30)
    assert [str(reply) for reply in anna.replies] == ["no program on this device can show a window"]


@pytest.mark.skipif(shutil.which("xprop") is None, reason="there is no xprop")
def test_a_full_screen_window_is_not_disturbed(display: str) -> None:
    anna = Desktop(display)
    assert anna.shown.wait(30)
    environment = anna.environment
    search = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "portal.example: A question"]
    number = subprocess.run(search, env=environment, capture_output=True, text=True, check=True).stdout.split()[0]
    assert focus.protected(environment) == ""
    for where, name, kind, value in (
        (["-root"], "_NET_ACTIVE_WINDOW", "32x", hex(int(number))),
        (["-id", number], "_NET_WM_STATE", "32a", "_NET_WM_STATE_FULLSCREEN"),
    ):
        subprocess.run(["xprop", *where, "-f", name, kind, "-set", name, value], env=environment, check=True)
    assert focus.protected(environment) == focus.FULL
    anna.gone.set()
    anna.thread.join(30)
