"""The control database's public face: one object whose parts each own their tables.

In: a database URL (`sqlite:///...`) and the instant of opening. Out: `Control`. Invariant: everything here is
synchronous and safe to call from any thread; the portal calls it in worker threads. What spans several parts in one
transaction stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import local
from typing import TypeVar

from sqlalchemy import Connection, text

from storage.control import deadlines, enrolment
from storage.control.accounts import Accounts
from storage.control.actions import Actions
from storage.control.api_credentials import ApiCredentials
from storage.control.audit import Audit
from storage.control.authors import Authors
from storage.control.campaign_dispatch import CampaignDispatch
from storage.control.campaign_responses import CampaignResponses
from storage.control.campaigns import Campaigns
from storage.control.configured import Configured
from storage.control.credentials import Credentials
from storage.control.database import Database
from storage.control.deadlines import Deadlines
from storage.control.dispatch import Dispatch
from storage.control.enrolment import Enrolment
from storage.control.erasure import Erasures
from storage.control.errors import RefusedError
from storage.control.executions import Change, Executions
from storage.control.leases import Leases
from storage.control.local_schedules import LocalSchedules
from storage.control.outbox import Outbox
from storage.control.people_present import PeoplePresent
from storage.control.postgres import is_postgres
from storage.control.presence import Presence
from storage.control.progress import Progress
from storage.control.roles import Roles
from storage.control.runs import Run, RunRequest, Runs
from storage.control.saved_queries import SavedQueries
from storage.control.schedules import Decision, Firing, Schedule, Schedules
from storage.control.sessions import Sessions
from storage.control.sites import Site, Sites
from storage.control.states import State
from storage.control.tokens import Tokens
from storage.control.vault import Vault
from storage.control.webhooks import Webhooks
from storage.control.workflow_executions import WorkflowExecutions
from storage.control.workflows import Workflows

T = TypeVar("T")
Listener = Callable[[Change], None]


class Control:
    """The open control database."""

    def __init__(self, url: str, *, now: int) -> None:
        self._database = Database(url)
        self._listeners: list[Listener] = []
        self._local = local()
        self.accounts = Accounts(self._database)
        self.roles = Roles(self._database)
        self.sessions = Sessions(self._database)
        self.tokens = Tokens(self._database)
        self.credentials = Credentials(self._database)
        self.api_credentials = ApiCredentials(self._database)
        self.sites = Sites(self._database)
        self.enrolment = Enrolment(self._database)
        self.actions = Actions(self._database)
        self.authors = Authors(self._database)
        self.vault = Vault(self._database)
        self.saved_queries = SavedQueries(self._database)
        self.configured = Configured(self._database)
        self.campaigns = Campaigns(self._database)
        self.campaign_responses = CampaignResponses(self._database)
        self.campaign_dispatch = CampaignDispatch(self._database)
        self.people_present = PeoplePresent(self._database)
        self.runs = Runs(self._database)
        self.executions = Executions(self._database)
        self.dispatch = Dispatch(self._database, self._tell)
        self.deadlines = Deadlines(self._database, self._tell)
        self.progress = Progress(self._database, self._tell)
        self.webhooks = Webhooks(self._database)
        self.workflows = Workflows(self._database)
        self.workflow_executions = WorkflowExecutions(self._database, self._tell)
        self.leases = Leases(self._database)
        self.schedules = Schedules(self._database)
        self.local_schedules = LocalSchedules(self._database)
        self.presence = Presence(self._database)
        self.outbox = Outbox(self._database)
        self.audit = Audit(self._database)
        self.erasures = Erasures(self._database, self._tell)
        self.site: Site = self.sites.ensure_standard(now=now)

    @property
    def epoch(self) -> str:
        """A UUID that belongs to this database alone: outbox sequence numbers mean something only together with it."""
        return self.site.id

    def listen(self, listener: Listener) -> None:
        """Have `listener` called for every change of an execution once it is durable, in the thread that made it;
        it must be quick."""
        self._listeners.append(listener)

    def create_run(self, request: RunRequest, *, now: int) -> tuple[Run, bool]:
        """As `runs.create_run`, telling listeners of the executions that came into being."""
        run, new = self.runs.create_run(request, now=now)
        if new:
            self._tell(Change(run.id, device, State.WAITING_ON_DEVICE) for device in sorted(set(request.devices)))
        return run, new

    def decide_due(
        self, schedule: Schedule, decisions: Sequence[Decision], next_at: int | None, *, token: int, now: int
    ) -> list[Firing]:
        """As `schedules.decide`, telling listeners of the executions that came into being."""
        firings, changes = self.schedules.decide(schedule, decisions, next_at, token=token, now=now)
        self._tell(changes)
        return firings

    def revoke_device(self, uid: str, *, by: str, now: int) -> bool:
        """Close a device's identity and cancel what it has not begun; False if it was closed already. Raises
        NotFoundError."""

        def work(connection: Connection) -> tuple[bool, list[Change]]:
            if not enrolment.revoke(connection, uid, by=by, now=now):
                return False, []
            return True, deadlines.cancel_all_of(connection, uid, by=by, now=now)

        done, changes = self._database.write(work)
        self.enrolment.forget(uid)
        self._tell(changes)
        return done

    def check(self) -> None:
        """Raise UnavailableError where the database can be read or written no more. Writes nothing that stays."""
        with self._database.read() as connection:
            connection.execute(text("SELECT 1"))
        self._database.write(lambda connection: connection.execute(text("SELECT 1")))

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()

    @contextmanager
    def one_instant(self) -> Iterator[None]:
        """Have all that this thread reads meanwhile see one instant."""
        with self._database.one_instant():
            yield

    def together(self, work: Callable[[], T]) -> T:
        """Have all that `work` writes here be one transaction, whose parts fail each alone; durable, and told to
        listeners, when this returns. Raises UnavailableError."""
        told: list[Change] = []

        def noted() -> T:
            before = getattr(self._local, "told", None)
            self._local.told = told
            try:
                return work()
            finally:
                self._local.told = before

        result = self._database.together(noted)
        self._tell(told)
        return result

    def _tell(self, changes: Iterable[Change]) -> None:
        if (later := getattr(self._local, "told", None)) is not None:
            later.extend(changes)  # they are not durable yet
            return
        for change in changes:
            for listener in self._listeners:
                listener(change)


def open_control(path: Path, *, now: int, url: str | None = None) -> Control:
    """The control database in a file, made (readable by its owner alone) and brought to the newest schema where
    needed; or the one of a server, where `url` names one (`postgresql://USER@HOST/DATABASE`). Raises RefusedError,
    UnavailableError."""
    if url is not None:
        if not is_postgres(url):
            raise RefusedError("bad_url", "the database's address is no URL as postgresql://USER@HOST/DATABASE")
        return Control(url, now=now)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    return Control(f"sqlite:///{path}", now=now)
