"""What `muster demo` does: a portal with an account, starter actions, a history, this machine's agent and simulated
devices.

In: a folder (or none: a temporary one), a port. Out: the page to open, said when everything is ready. Invariants:
every part is the real one; a second start on the same folder keeps what is there and writes no history again;
whatever ends the demo, its children end with it, and a temporary folder is removed.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements
from muster import healing, serving, signing
from muster.children import Children
from muster.clock import now
from muster.commands.users import PERMISSIONS, new_password
from muster.content import folder
from muster.errors import MusterError
from muster.estate import configured
from muster.estate.load import planned, store
from muster.estate.population import device
from nql.catalog.load import builtin
from portal import logs
from portal.access.passwords import Passwords
from portal.app import Portal
from portal.saved_queries.messages import SavedQueryBody
from portal.server import bound
from portal.settings import Settings
from portal.trust.service import checking
from storage.control.authors import Offer
from storage.control.campaign_definition import CampaignDefinition
from storage.control.manifest import Manifest
from storage.control.workflow_definition import Workflow
from storage.tables.api import Closed

ACCOUNT, ACTOR = "admin", "local:demo"
AUTHOR, AUTHOR_FILE = "demo", "author.key"
KEY_LIFE = 3_600_000_000
USUAL_PORT = 8080
PATIENCE = 15.0
CONTENT = ("content", "../content")  # beside the package where it is installed, else beside it in a checkout


OWN = (
    """devices | where name == "HOST" | list name, operating_system.name, hardware.memory, uid""",
    """execution.events during past 2h | where device.name == "HOST"
    | summarize t = cpu_time.sum() by binary.name | sort t desc | limit 10""",
)
ESTATE = (
    """execution.crashes during past 7d
    | summarize total = number_of_crashes.sum() by binary.name, binary.version | sort total desc | limit 10""",
    """device_performance.boots during past 7d | where type == full_boot
    | summarize average = duration.avg() by device.entity | sort average desc""",
    """devices | include device_performance.events during past 2d | compute free = system_drive_free_space.avg()
    | where free < 20GB | list name, entity, free | sort free asc""",
)
READ_BACK = """remote_action.#disk_hot_spots.executions during past 2h
    | list device.name, status, outputs.largest_folder, outputs.free_space"""


class Remembered(msgspec.Struct, frozen=True):
    """What a demo keeps in its folder: what its history was made from, and whether all of it is stored."""

    seed: int
    devices: int
    days: int
    now: int
    stored: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for."""

    data: Path
    host: str
    port: int | None
    devices: int
    days: int
    connected: int
    seed: int
    agent: bool


Say = Callable[[str], None]
Told = Callable[[float], None]


def run(plan: Plan, say: Say, told: Told) -> None:
    """Run a demo until told to stop. `say` hears what happens, `told` how far the history is. Raises MusterError."""
    logs.configure("error")
    plan.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    stage = Stage(plan, say, told)
    try:
        serving.run(
            Settings(plan.data, plan.host, free_port(plan), log_level="error", local_webhooks=True), stage.begin
        )
    finally:
        stage.end()
    if stage.failure is not None:
        raise stage.failure


def free_port(plan: Plan) -> int:
    """The port that was asked for; else the usual one, or any free one where another program has that."""
    if plan.port is not None:
        return plan.port
    try:
        bound(plan.host, USUAL_PORT).close()
    except OSError:
        return 0
    return USUAL_PORT


class Stage:
    """Sets everything up beside the running portal, in a thread of its own."""

    def __init__(self, plan: Plan, say: Say, told: Told) -> None:
        self._plan, self._say, self._told = plan, say, told
        self._children = Children(plan.data / "logs")
        self._thread: threading.Thread | None = None
        self._ended = False
        self.failure: Exception | None = None

    def begin(self, address: str, portal: Portal) -> None:
        """Start setting up; called when the portal takes requests."""
        self._say(f"portal      {address}")
        self._thread = threading.Thread(target=self._set_up, args=(address, portal, serving.stopper()), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop the children, and what is still being set up."""
        self._ended = True
        self._children.stop()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _set_up(self, address: str, portal: Portal, stop: Callable[[], None]) -> None:
        try:
            self._prepare(address, portal)
        except Exception as error:
            if self._ended or isinstance(error, Closed):
                return  # it was told to stop while it was being set up
            self.failure = error
            stop()

    def _prepare(self, address: str, portal: Portal) -> None:
        plan, known = self._plan, remembered(self._plan)
        password = make_account(portal)
        healing.define(portal, plan.data / "demo-volume", by=ACTOR)
        count = define_content(portal)
        sign_actions(portal, author_key(plan.data / AUTHOR_FILE))
        self._say(f"actions     {count} defined, and signed by the demo's own author ({plan.data / AUTHOR_FILE})")
        moved = known.url != address
        uids = [device(known.seed, number).uid for number in range(plan.connected)]
        self._children.start_simulated(
            address, keys(portal, uids) if moved else [], plan.data / "simulated", plan.connected, known.seed
        )
        host = socket.gethostname()
        if plan.agent:
            key = keys(portal, None)[0] if moved else None
            self._children.start_agent(address, key, plan.data / "agent", host)
            self._say(f"agent       this machine, {host}")
        if not known.stored:
            rows = self._write_history(portal, known)
            days = f"{known.days} day" if known.days == 1 else f"{known.days} days"
            self._say(f"history     {rows:,} rows: {days} of {known.devices} simulated devices")
        self._children.wait_for_simulated()
        remember(plan, msgspec.structs.replace(known, stored=True, url=address))
        self._say(f"connected   {plan.connected} of the simulated devices")
        names = [device(known.seed, number).name for number in range(plan.connected)]
        if healing.schedule(portal, ACCOUNT, names, by=ACTOR):
            self._say(f"schedules   {healing.WATCH} and {healing.CLEAN}, every minute")
        self._say(page(address, password, host if plan.agent else None, plan.data))

    def _write_history(self, portal: Portal, known: Remembered) -> int:
        remember(self._plan, known)
        whole = planned(known.devices, known.days, known.seed, known.now, self._plan.connected)
        return asyncio.run(store(portal.tables, builtin(), whole, self._told)).rows


def remembered(plan: Plan) -> Remembered:
    """What the folder's demo is, or what a new one will be."""
    file = plan.data / "demo.json"
    if file.is_file():
        try:
            return msgspec.json.decode(file.read_bytes(), type=Remembered)
        except msgspec.MsgspecError as error:
            raise MusterError(
                f"{file} is damaged: {error}.", "Choose another folder, or remove this one.", "demo"
            ) from error
    return Remembered(plan.seed, plan.devices, plan.days, now())


def remember(plan: Plan, known: Remembered) -> None:
    """Keep what the demo is."""
    (plan.data / "demo.json").write_bytes(msgspec.json.encode(known))


def make_account(portal: Portal) -> str | None:
    """The account to sign in with and its password; None if there is one already."""
    if portal.control.accounts.count():
        return None
    password = new_password()
    portal.control.accounts.create(ACCOUNT, Passwords().hash(password), PERMISSIONS, "UTC", by=ACTOR, now=now())
    return password


def define_content(portal: Portal) -> int:
    """Define the starter content, and what the history needs configured; how many actions there are."""
    control, by, at = portal.control, ACTOR, now()
    items = folder.read(content())
    for item in items:
        match item.kind:
            case "action":
                control.actions.save_action(msgspec.convert(item.body, Manifest), by=by, now=at)
            case "query":
                body = msgspec.convert(item.body, SavedQueryBody)
                control.saved_queries.save(item.nql_id, body.name, body.description, body.text, by=by, now=at)
            case "campaign":
                control.campaigns.save(msgspec.convert(item.body, CampaignDefinition), by=by, now=at)
            case "workflow":
                control.workflows.save(msgspec.convert(item.body, Workflow), by=by, now=at)
            case "schedule":
                raise ValueError(f"{item.label}: the demo's schedules are those of healing.py")
    control.configured.declare(configured.items(), by=by, now=at)
    portal.catalogs.refresh()
    return sum(item.kind == "action" for item in items)


def author_key(path: Path) -> Ed25519PrivateKey:
    """The demo's own author: devices run what it signed. It lies beside the portal here, and in real life elsewhere."""
    return signing.load_key(path, None) if path.exists() else signing.make_key(path, AUTHOR, None)[0]


def sign_actions(portal: Portal, key: Ed25519PrivateKey) -> None:
    """Have the portal and its devices trust the author, who signs the starter actions that nobody signed."""
    authors = portal.control.authors
    authors.add(AUTHOR, signing.public(key), by=ACTOR, now=now())
    for action in portal.control.actions.everything():
        known = action.origin == "library" or action.nql_id in healing.ACTIONS
        if known and authors.is_draft(action.nql_id, action.version):
            serial = now()
            said = statements.author_bytes(action.nql_id, action.version, serial)
            offer = Offer(signing.public(key), serial, key.sign(said), checking(said))
            authors.sign(action.nql_id, action.version, offer, by=ACTOR, now=serial)


def content() -> Path:
    """Where the starter content lies."""
    here = Path(__file__).parent
    places = [(here / place).resolve() for place in CONTENT]
    return next((place for place in places if (place / "actions").is_dir()), places[0])


def keys(portal: Portal, uids: list[str] | None) -> list[str]:
    """One-time keys: one for each simulated device of these uids, or one for a real device."""
    count = 1 if uids is None else len(uids)
    made = portal.control.enrolment.create_enrol_keys(
        count, simulated=uids is not None, expires_at=now() + KEY_LIFE, by=ACTOR, now=now(), devices=uids
    )
    return [secret for _, secret in made]


def queries(host: str | None) -> list[str]:
    """Queries worth trying on a demo; `host` is the name of the real device, if there is one."""
    texts = [*(OWN if host else ()), *ESTATE]
    return [" ".join(text.split()).replace("HOST", host or "") for text in texts]


def page(address: str, password: str | None, host: str | None, data: Path) -> str:
    """What is said when everything is ready."""
    wait = "The agent of this machine tells what runs on it (2) after a minute.\n" if host else ""
    secret = f"{password}   (shown this once)" if password else "the one that was shown at the first start"
    texts = queries(host)
    listed = "\n".join(f"  {number}. {text}" for number, text in enumerate(texts, 1))
    return f"""
Muster is ready.  Open {address}

  sign in as   {ACCOUNT}
  password     {secret}

On the command line:
  export MUSTER_URL={address}
  export MUSTER_TOKEN=$(muster tokens create shell --account {ACCOUNT} --data {quote(str(data))})

{len(texts)} queries worth trying:
{listed}

{wait}Select devices in a result, run #disk_hot_spots on them, and read what came back:
  {" ".join(READ_BACK.split())}

To see a script that asks, run #ask_and_clear_cache on this machine: a window comes up, or a line in your terminals.
There answer with: muster-agent answer

Volumes over 90 % full are found and cleaned by schedules, within minutes:
  {" ".join(healing.FULL.split())}
  {" ".join(healing.STORY.split())}

Ctrl-C stops everything."""
