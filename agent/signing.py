"""What the agent writes down about an execution, from what the core asks for: intents, and ends with their signature.

In: jobs and drafts of reports. Out: records for the journals, and the event that says that one is stored. Invariant: an
order and a turn of a local schedule go the same way and differ only here.
"""

from __future__ import annotations

import msgspec

from agent import events as e
from agent import statements, wire
from agent.identity import Keys
from agent.journal import Filed, Intent, Journal
from agent.local_journal import Began, Ended, LocalJournal
from agent.orders import Job

Record = Intent | Filed | Began | Ended


def intent(job: Job, now: int) -> Intent | Began:
    """That a job is about to start."""
    if job.turn is not None:
        return Began(job.run, job.attempt, job.turn)
    return Intent(job.run, job.attempt, job.nonce, job.expires_at, job.action, now)


def signed(
    draft: e.StoreReport | e.StoreLocalReport, device: str, keys: Keys
) -> tuple[Filed | Ended, e.ReportStored | e.LocalReportStored]:
    """A report with the device's signature, and what to say when it is on the disk."""
    outcome = wire.encode(draft.outcome)
    if isinstance(draft, e.StoreLocalReport):
        said = statements.local_report_bytes(draft.schedule, device, draft.sequence, draft.state, outcome)
        local = wire.LocalReport(draft.schedule, draft.sequence, draft.state, msgspec.Raw(outcome), keys.sign(said))
        return Ended(local, draft.memory.failures, draft.memory.silent_until), e.LocalReportStored(local)
    said = statements.report_bytes(draft.run, device, draft.attempt, draft.nonce, draft.state, outcome)
    report = wire.Report(draft.run, draft.attempt, draft.nonce, draft.state, msgspec.Raw(outcome), keys.sign(said))
    return Filed(report, draft.expires_at), e.ReportStored(report, draft.expires_at)


def named(report: wire.Report | wire.LocalReport) -> tuple[str, int, str]:
    """What a verdict names a report by."""
    if isinstance(report, wire.LocalReport):
        return report.schedule, report.sequence, report.state
    return report.run, report.attempt, report.state


def write(record: Record, journal: Journal, local: LocalJournal) -> None:
    """Write a record into the journal it belongs to, durably. Raises OSError."""
    if isinstance(record, Began | Ended):
        local.write(record)
    else:
        journal.write(record)
