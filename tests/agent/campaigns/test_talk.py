"""Scripts ask whoever is logged in, and hear what came of it.

Comes in: small scripts in Bash and Python, a presenter that answers by hand. Goes out: what the scripts heard.
Invariant: what a person chose is with the script alone; a question whose asker is gone is taken away.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event

import msgspec
import pytest

from agent import wire
from agent.accounts import Account, Accounts
from agent.campaigns.desk import Asking, CannotShowError, Desk
from agent.campaigns.person import Person
from agent.campaigns.questions import LONGEST, MOST_QUESTIONS, Answered, Campaign, Choice, Question, Reply, reply
from agent.campaigns.talk import AT_ONCE, LINE_BYTES, Talk, listening
from agent.clock import SteadyClock
from agent.runner import Ended, ProcessRunner
from tests.agent.scripts import job

pytestmark = pytest.mark.slow
NOW, LATER = Choice("now", "Now"), Choice("later", "Later today")
WHEN = Question("when", "When shall it be?", "single", (NOW, LATER))
WHAT = Question("what", "What shall go?", "multiple", (Choice("cache", "The cache"), Choice("logs", "Old logs")))
CAMPAIGN = Campaign("#ask", "A question", (WHEN, WHAT, Question("why", "Why?", "text")))
FULL: dict[str, list[str]] = {"when": ["now"], "what": ["cache", "logs"], "why": ["because SECRET"]}


class Answering:
    """A presenter whose person does what a test says. `asked` are the questions shown, `taken` those taken away."""

    def __init__(self, does: Callable[[Asking], Answered | None] = lambda _: Answered("fully", FULL)) -> None:
        self._does = does
        self.asked: list[Asking] = []
        self.up, self.taken = Event(), Event()

    def show(self, asking: Asking) -> Reply:
        self.asked.append(asking)
        asking.shown()
        self.up.set()
        answered = self._does(asking)
        while answered is None:
            if (over := asking.over()) is not None:
                self.taken.set()
                return over
            time.sleep(0.01)
        return reply(asking.sheet.campaign, answered)


def waits(asking: Asking) -> None:
    return None


class Nobody:
    def show(self, asking: Asking) -> Reply:
        raise CannotShowError("no desktop")


def desk(*presenters: Answering | Nobody) -> Desk:
    return Desk(presenters, lambda account: Person("anna", os.geteuid(), os.getegid()), "portal.example")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o700)
    yield tmp_path
    assert list((tmp_path / "runs").iterdir()) == []


def run(
    folder: Path,
    text: str,
    at: Desk,
    *,
    language: str = "bash",
    timeout: int = 20,
    cancelled: Event | None = None,
    awaited: list[int | None] | None = None,
    campaigns: tuple[Campaign, ...] = (CAMPAIGN,),
    outputs: Mapping[str, str] | None = None,
) -> Ended:
    work = job(text, language=language, timeout=timeout, outputs=outputs or {"s": "string", "l": "string_list"})
    work = replace(work, content=msgspec.structs.replace(work.content, campaigns=campaigns))
    runner = ProcessRunner(folder / "runs", SteadyClock(), Accounts(), desk=at)
    heard = [] if awaited is None else awaited
    return runner.run(work, lambda _: None, cancelled or Event(), heard.append)


SOURCES = (
    '"$MUSTER/output.sh"',
    '"${NEXTHINK}"/bash/nxt_ra_script_output.sh',
    '"${NEXTHINK}/bash/nxt_campaign_action.sh"',
)
ASK = """set -eu
nxt_run_campaign "#ask"
nxt_get_campaign_status status
nxt_get_response_answer answers what
nxt_get_response_answer one when
nxt_write_output_string s "$status ${one[0]}"
nxt_write_output_string_list l "${answers[@]}"
if nxt_get_response_answer free why; then exit 3; fi
[ "${#free[@]}" -eq 0 ]
"""
PYTHON = """
import muster_campaign, muster_output as out
response = muster_campaign.run("#ask", timeout=60)
out.write_string("s", f"{response.status} {response.answer('when')[0]}")
out.write_string_list("l", response.answer("what"))
assert response.answer("why") == [] == response.answer("unknown")
assert response.person == "anna"
"""


@pytest.mark.parametrize(
    ("language", "text"),
    [*(("bash", f". {source}\n{ASK}") for source in SOURCES), ("python", PYTHON)],
    ids=["ours", "vendor", "campaigns", "python"],
)
def test_a_script_asks_and_goes_by_the_answer(folder: Path, language: str, text: str) -> None:
    awaited: list[int | None] = []
    anna = Answering()
    ended = run(folder, text, desk(anna), language=language, awaited=awaited)
    assert (ended.state, ended.detail, ended.error) == ("success", "", "")
    assert ended.outputs == {"s": "fully now", "l": ["cache", "logs"]}
    [asking] = anna.asked
    assert (asking.sheet.asker, asking.sheet.action, asking.sheet.campaign) == ("portal.example", "#test", CAMPAIGN)
    assert [at is None for at in awaited] == [False, True]


STATUS = '. "$MUSTER/output.sh"; nxt_run_campaign{0} || true; nxt_get_campaign_status s; nxt_get_response_answer a when'
STATUS += ' || true; muster_output string s "$s ${{#a[@]}}"'


@pytest.mark.parametrize(
    ("answered", "heard"),
    [
        (Answered("postponed", FULL), "postponed 0"),
        (Answered("declined"), "declined 0"),
        (Answered("notificationfailed", {}, "a full-screen window is active"), "notificationfailed 0"),
        (Answered("fully", {"when": ["now"]}), "notificationfailed 0"),
        (Answered("fully", FULL | {"when": ["never"]}), "notificationfailed 0"),
        (Answered("fully", FULL | {"when": ["now", "later"]}), "notificationfailed 0"),
        (Answered("fully", FULL | {"what": ["logs", "logs"]}), "notificationfailed 0"),
    ],
)
def test_what_is_not_answered_in_full_is_empty(folder: Path, answered: Answered, heard: str) -> None:
    ended = run(folder, STATUS.format(' "#ask"'), desk(Answering(lambda _: answered)))
    assert ended.outputs["s"] == heard
    assert (answered.status == "notificationfailed") <= (answered.detail in ended.error)


def test_a_timeout_takes_the_question_away(folder: Path) -> None:
    anna = Answering(waits)
    ended = run(folder, STATUS.format('_with_timeout "#ask" 1'), desk(anna))
    assert (ended.outputs["s"], anna.taken.is_set()) == ("timeout 0", True)


@pytest.mark.parametrize("seconds", ["0", "604800", "ten", "-1", "9" * 40, ""])
def test_a_timeout_has_bounds(folder: Path, seconds: str) -> None:
    anna = Answering()
    ended = run(folder, STATUS.format(f'_with_timeout "#ask" "{seconds}"'), desk(anna))
    assert (ended.outputs["s"], anna.asked, "this is no question" in ended.error) == ("notificationfailed 0", [], True)


def test_no_question_waits_for_longer_than_a_day(folder: Path) -> None:
    anna = Answering()
    run(folder, STATUS.format('_with_timeout "#ask" 604799'), desk(anna))
    assert LONGEST - 60 < anna.asked[0].left() <= LONGEST


@pytest.mark.parametrize(
    ("campaigns", "said"),
    [((CAMPAIGN,), "the action has no campaign '#other'"), ((), "the action has no campaigns")],
)
def test_a_campaign_that_the_action_does_not_have(folder: Path, campaigns: tuple[Campaign, ...], said: str) -> None:
    anna = Answering()
    ended = run(folder, STATUS.format(' "#other"'), desk(anna), campaigns=campaigns)
    assert (ended.outputs["s"], anna.asked) == ("notificationfailed 0", [])
    assert said in ended.error


def test_nobody_can_be_asked(folder: Path) -> None:
    ended = run(folder, STATUS.format(' "#ask"'), desk(Nobody()))
    assert (ended.outputs["s"], ended.error) == ("notificationfailed 0", "campaign #ask: no desktop")
    ended = run(folder, STATUS.format(' "#ask"'), Desk())
    assert "no way to ask anybody" in ended.error


def test_the_next_way_is_tried(folder: Path) -> None:
    ended = run(folder, STATUS.format(' "#ask"'), desk(Nobody(), Answering()))
    assert ended.outputs["s"] == "fully 1"


def test_an_agent_that_cannot_be_reached(folder: Path) -> None:
    text = 'rm "$MUSTER/questions"; touch "$MUSTER/questions"; ' + STATUS.format(' "#ask"')
    assert run(folder, text, desk(Answering())).outputs["s"] == "connectionfailed 0"
    text = "export MUSTER_PYTHON=/nonexistent; " + STATUS.format(' "#ask"')
    assert run(folder, text, desk(Answering())).outputs["s"] == "connectionfailed 0"


def test_two_scripts_never_ask_at_once(folder: Path, tmp_path: Path) -> None:
    release = Event()

    def in_time(asking: Asking) -> Answered:
        assert release.wait(20)
        return Answered("declined")

    anna = Answering(in_time)
    at = desk(anna)
    ends: dict[str, Ended] = {}
    first = threading.Thread(target=lambda: ends.update(first=run(folder, STATUS.format(' "#ask"'), at)))
    first.start()
    assert anna.up.wait(20)
    second = run(folder, STATUS.format(' "#ask"'), at)
    release.set()
    first.join()
    assert second.outputs["s"] == "notificationfailed 0"
    assert "another question is on the screen" in second.error
    assert ends["first"].outputs["s"] == "declined 0"
    assert run(folder, STATUS.format(' "#ask"'), at).outputs["s"] == "declined 0"


def test_a_cancel_takes_the_question_away(folder: Path) -> None:
    anna, cancelled = Answering(waits), Event()
    ends: list[Ended] = []
    script = threading.Thread(
        target=lambda: ends.append(run(folder, STATUS.format(' "#ask"'), desk(anna), cancelled=cancelled))
    )
    script.start()
    assert anna.up.wait(20)
    cancelled.set()
    assert anna.taken.wait(20)
    script.join()
    assert ends[0].state == "cancelled"


def test_who_asked_and_is_gone_takes_the_question_along(folder: Path) -> None:
    """The script kills the part of it that asks, and goes on."""
    anna = Answering(waits)
    text = f""". "$MUSTER/output.sh"
"$MUSTER_PYTHON" -I -S "$MUSTER/muster_campaign.py" wait "#ask" &
while ! [ -e {folder}/up ]; do sleep 0.05; done
kill -9 $!
while ! [ -e {folder}/taken ]; do sleep 0.05; done
muster_output string s gone
"""

    def mark() -> None:
        assert anna.up.wait(20)
        (folder / "up").touch()
        assert anna.taken.wait(20)
        (folder / "taken").touch()

    marks = threading.Thread(target=mark)
    marks.start()
    ended = run(folder, text, desk(anna))
    marks.join()
    assert (ended.state, ended.outputs) == ("success", {"s": "gone"})


@pytest.mark.slow
def test_waiting_takes_nothing_from_the_scripts_time(folder: Path) -> None:
    awaited: list[int | None] = []

    def slowly(asking: Asking) -> Answered:
        assert not Event().wait(2.5)
        return Answered("declined")

    anna = Answering(slowly)
    ended = run(folder, STATUS.format(' "#ask"') + "; sleep 0.1", desk(anna), timeout=2, awaited=awaited)
    assert (ended.state, ended.outputs["s"]) == ("success", "declined 0")
    ended = run(folder, STATUS.format(' "#ask"') + "; sleep 20", desk(anna), timeout=2)
    assert ended.detail.startswith("timed out after 2 s")


def test_a_run_asks_a_bounded_number_of_times(folder: Path) -> None:
    anna = Answering(lambda _: Answered("declined"))
    text = f"import muster_campaign as c\nfor _ in range({MOST_QUESTIONS}): assert c.run('#ask').status == 'declined'\n"
    text += "last = c.run('#ask')\nassert (last.status, last.answers) == ('notificationfailed', {}), last.detail\n"
    ended = run(folder, text, desk(anna), language="python")
    assert (ended.state, len(anna.asked), ended.error.count("campaign #ask: ")) == ("success", MOST_QUESTIONS, 1)


def test_what_stands_alone_outlives_its_run_but_not_a_cancel(folder: Path) -> None:
    anna, cancelled = Answering(waits), Event()
    awaited: list[int | None] = []
    text = '. "$MUSTER/output.sh"; nxt_run_standalone_campaign "#ask"; nxt_get_campaign_status s; '
    text += "muster_output string s $s"
    ended = run(folder, text, desk(anna), cancelled=cancelled, awaited=awaited)
    assert (ended.outputs["s"], awaited, anna.taken.is_set()) == ("fully", [], False)
    cancelled.set()
    assert anna.taken.wait(20)
    assert run(folder, text, desk(Nobody())).outputs["s"] == "notificationfailed"


HOSTILE = """
import os, socket
here = os.open(os.environ["MUSTER"], os.O_RDONLY)
def say(data, close=False):
    with socket.socket(socket.AF_UNIX) as talk:
        talk.connect(f"/proc/self/fd/{here}/questions")
        talk.sendall(data)
        if close: return
        talk.shutdown(socket.SHUT_WR)
        try:
            return talk.recv(65536)
        except ConnectionResetError:
            return b""
ask = b'{"ask": "wait", "campaign": "#ask", '
for bad in (b"\\n", b"{}\\n", b"[]\\n", b"\\xff\\n", b"x" * 4096, b"{" * 4000 + b"\\n", ask[:-2] + b"\\n",
            ask + b'"timeout": 1e400}\\n', ask + b'"more": 1}\\n', ask + b'"ask": 1}\\n'):
    assert b"this is no question" in say(bad), bad
for _ in range(200): say(b"", close=True)
import muster_campaign
assert muster_campaign.run("#ask").status == "fully"
"""


def test_hostile_messages_stop_nothing(folder: Path) -> None:
    anna = Answering()
    ended = run(folder, HOSTILE, desk(anna), language="python")
    assert (ended.state, ended.error, len(anna.asked)) == ("success", "", 1)


def test_the_socket_is_its_owners(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-long-name-for-a-folder"] * 8)
    deep.mkdir(parents=True)
    with listening(deep / "questions"):
        assert len(str(deep)) > 108
        assert (deep / "questions").stat().st_mode & 0o777 == 0o600


def test_answers_are_nowhere_but_with_the_script(folder: Path) -> None:
    """A text is not even told to the script; a choice is, but goes nowhere by itself."""
    choice = Question("when", "When?", "single", (Choice("zebra", "Zebra"),))
    campaign = Campaign("#ask", "A question", (choice, Question("why", "Why?", "text")))
    anna = Answering(lambda _: Answered("fully", {"when": ["zebra"], "why": ["xylophone"]}))
    text = ". \"$MUSTER/output.sh\"; nxt_run_campaign '#ask'; nxt_get_response_answer a when; [ $a = zebra ]; "
    text += f'set > {folder}/known; ! grep -rq --exclude=script "zebra\\|xylophone" "$MUSTER"'
    ended = run(folder, text, desk(anna), campaigns=(campaign,))
    assert (ended.state, ended.error) == ("success", "")
    known = (folder / "known").read_text()
    assert ("zebra" in known, "xylophone" in known) == (True, False)
    assert "zebra" not in repr(ended)
    assert "zebra" not in repr(Reply("fully", "", {"when": ("zebra",)}))


def test_the_wire_carries_what_a_manifest_says() -> None:
    content = {"scripts": {"linux": {"language": "bash", "text": "true"}}, "timeout": 60}
    content["campaigns"] = [
        {"nql_id": "#ask", "title": "A", "questions": [{"label": "l", "text": "t", "kind": "rating"}]}
    ]
    read = msgspec.convert(content, wire.Content)
    assert read.campaigns[0].questions[0].offered == ("1", "2", "3", "4", "5")
    assert LINE_BYTES > 256
    assert AT_ONCE >= 2
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(content | {"campaigns": content["campaigns"] * 9}, wire.Content)  # type: ignore[operator]


@pytest.mark.parametrize(("run_as", "asked"), [("user", "anna"), ("service", None), ("system", None)])
def test_who_is_asked(folder: Path, run_as: str, asked: str | None) -> None:
    """The person whose account the script has; nobody sits behind a service account."""
    whom: list[Account | None] = []

    def find(account: Account | None) -> Person:
        whom.append(account)
        return Person("anna", os.geteuid(), os.getegid())

    content = msgspec.structs.replace(job("").content, campaigns=(CAMPAIGN,), run_as=run_as)
    account = Account("anna", os.geteuid(), os.getegid(), (), "/", "/bin/sh")
    with (
        Talk(
            replace(job(""), content=content),
            folder / "questions",
            account,
            Desk((Answering(),), find),
            SteadyClock(),
            lambda until: None,
            Event(),
        ),
        socket.socket(socket.AF_UNIX) as talk,
    ):
        talk.settimeout(20)
        talk.connect(str(folder / "questions"))
        talk.sendall(b'{"ask": "wait", "campaign": "#ask"}\n')
        assert b'"fully"' in talk.recv(65_536)
    (folder / "questions").unlink()
    (folder / "runs").mkdir()
    assert [one and one.name for one in whom] == [asked]
