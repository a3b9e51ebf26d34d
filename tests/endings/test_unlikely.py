"""Ends that no honest portal and no whole machine brings about: each by the part that says it.

Comes in: jobs, journals, a host that fails. Goes out: states and details. Invariant: what can be had of a real agent in
a process of its own stands in `test_endings`.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from msgspec import structs

from agent import events as e
from agent import signing, statements, wire
from agent.accounts import Accounts
from agent.clock import SteadyClock
from agent.core import step
from agent.host.fake import FakeHost
from agent.host.linux import LinuxHost
from agent.host.profiles import profile
from agent.identity import Enrolment, ensure_keys
from agent.journal import Journal
from agent.local_journal import LocalJournal
from agent.orders import Job
from agent.outputs import TOTAL_BYTES
from agent.runner import Ended
from agent.runtime import Agent, Parts
from agent.secret_values import SecretError, memory_file, opened
from agent.state import State
from tests.agent.scripts import job, run
from tests.agent.test_local_schedules import begun, configured, local, turn_start
from tests.agent.test_orders import DEVICE, PORTAL, public, trust


def test_a_crash_between_the_intent_and_the_start(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    signing.write(signing.intent(job("true"), 1), journal, LocalJournal(tmp_path))
    journal.close()
    again = Journal(tmp_path)
    _, commands = step(State(trust()), e.Recovered(tuple(again.known.values())), 5)
    again.close()
    [report] = [command for command in commands if isinstance(command, e.StoreReport)]
    said = "the agent stopped before the start was reported; the script was ended and is not run again"
    assert (report.state, report.outcome.detail) == ("interrupted", said)


def test_a_job_without_a_script(tmp_path: Path) -> None:
    ended = run(tmp_path, replace(job("true"), script=None))
    assert (ended.state, ended.detail) == ("failure", "there is no script")


def test_outputs_that_are_too_much_together(tmp_path: Path) -> None:
    lists = {f"l{number}": "string_list" for number in range(4)}
    write = "; ".join(f'muster_output string_list {name} "${{texts[@]}}"' for name in lists)
    fill = 'long=$(printf "x%.0s" {1..1000}); for i in {1..32}; do texts+=("$long"); done'
    text = f'. "$MUSTER/output.sh"; {fill}; {write}'
    ended = run(tmp_path, job(text, outputs=lists))
    assert (ended.state, ended.exit_code) == ("failure", 0)
    assert f"output l3 makes the outputs larger than {TOTAL_BYTES} bytes" in ended.detail


def test_a_simulation_that_is_not_of_its_form() -> None:
    host = FakeHost(profile(1, 3), SteadyClock())
    work = job("true")
    work = replace(work, content=structs.replace(work.content, simulate={"duration": "soon"}))
    ended = asyncio.run(host.execute(work, lambda at: None, Event()))
    assert (ended.state, ended.detail[:15]) == ("failure", "not simulated: ")


def test_a_device_without_a_key_opens_no_secret() -> None:
    work = job("true")
    with pytest.raises(SecretError, match="this device has no key to open secrets with"):
        opened(replace(work, content=structs.replace(work.content, secrets=("pin",))), None)


def test_a_system_without_files_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(SecretError, match="no files in memory"):
        memory_file({"pin": b"1"})


def test_who_is_no_account_of_this_agent() -> None:
    with pytest.raises(Exception, match="runs nothing as 'nobody'"):
        Accounts().of("nobody", None)


def test_a_local_turn_that_is_stopped_before_it_starts() -> None:
    one = local()
    state, commands = step(configured(one), e.Tick(), turn_start(one))
    [work] = begun(commands)
    named = (work.run, DEVICE, work.attempt, "n")
    cancel = wire.Cancel(*named, PORTAL.sign(statements.cancel_bytes(*named)))
    state, _ = step(state, e.Pulled(wire.Work(cancels=[cancel])), turn_start(one))
    _, commands = step(state, e.IntentStored(work), turn_start(one))
    [report] = [command for command in commands if isinstance(command, e.StoreLocalReport)]
    assert (report.state, report.outcome.detail) == ("cancelled", "stopped before it started")


class BrokenHost(LinuxHost):
    """A machine on which running a script fails in a way that nobody foresaw."""

    async def execute(self, job: Job, *_: Any) -> Ended:
        """Fail."""
        raise MemoryError


def test_an_agent_that_fails_says_so(tmp_path: Path) -> None:
    keys, clock = ensure_keys(tmp_path), SteadyClock()
    pinned = Enrolment("http://127.0.0.1:9", DEVICE, DEVICE, 1, False, public(PORTAL), [], "unrestricted")

    async def whole(executor: ThreadPoolExecutor) -> tuple[wire.Report, ...]:
        host = BrokenHost(tmp_path / "runs", clock)
        agent = Agent(Parts(tmp_path, pinned, keys, host, clock, executor, lambda *_, **__: None))
        stop, work = asyncio.Event(), job("true")
        running = asyncio.create_task(agent.run(stop))
        await asyncio.sleep(0)
        agent.state = replace(agent.state, running={(work.run, work.attempt): work})
        agent.post(e.IntentStored(work))
        async with asyncio.timeout(20):
            while not agent.state.unsent:
                await asyncio.sleep(0.01)
        stop.set()
        await running
        return agent.state.unsent

    with ThreadPoolExecutor(2) as executor:
        [report] = asyncio.run(whole(executor))
    assert report.state == "failure"
    assert b"the agent failed to run the script: MemoryError" in bytes(report.outcome)
