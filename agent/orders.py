"""Whether an order may run here, decided from the order and what the device pinned, without a side effect.

In: an order as it came, the device's trust, the portal's time. Out: a job that may start, or the state it ends in with
the reason, or that it is to be ignored because the portal we pinned never said it. Invariants: every check that a
stranger, a replaying network or a portal in wrong hands could fail is here; a parameter is never looked at before the
signatures are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from agent import statements, wire
from agent.identity import Policy, verify
from agent.wire_configuration import LocalOrder

PARAMETER_BYTES = 30_000
NEVER = 1 << 62
Head = tuple[str, int, str, str, int]  # run, attempt, nonce, action, expires_at
LANGUAGES = {"linux": ("bash", "python"), "macos": ("bash", "zsh", "python"), "windows": ("powershell", "python")}


@dataclass(frozen=True, slots=True)
class Trust:
    """What a device goes by: its own uid, the keys it pinned, what it is, whose scripts it runs, and the highest serial
    it has seen of each action."""

    device: str
    portal_key: bytes
    authors: tuple[bytes, ...]
    platform: str
    simulated: bool = False
    policy: Policy = "signed_trusted"
    serials: Mapping[str, int] = field(default_factory=dict)

    def seen(self, job: Job) -> Trust:
        """The trust after a job was let through: no older version of its action is."""
        if job.serial <= self.serials.get(job.action, 0):
            return self
        return replace(self, serials={**self.serials, job.action: job.serial})


@dataclass(frozen=True, slots=True)
class Job:
    """An order that may start. `script` is None on a simulated device, which answers from `content.simulate`; `serial`
    is that of the author's signature, 0 where none was looked at; `secrets` are sealed for this device. What a local
    schedule began has its `turn`; its `run` is the schedule and its `attempt` the sequence."""

    run: str
    attempt: int
    nonce: str
    action: str
    expires_at: int
    content: wire.Content
    script: wire.Script | None
    inputs: dict[str, str]
    serial: int = 0
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    turn: int | None = None

    @property
    def local(self) -> bool:
        """Whether a local schedule began it."""
        return self.turn is not None


@dataclass(frozen=True, slots=True)
class Denied:
    """The order is the portal's, but it does not run: the state to report, and why."""

    state: wire.State
    detail: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """The order is not for us, or not the portal's: nothing is reported, only logged."""

    reason: str


def examine(order: wire.Order, trust: Trust, portal_now: int) -> Job | Denied | Foreign:
    """Decide about an order. `portal_now` is the portal's time, as far as the device knows it."""
    if order.device != trust.device:
        return Foreign("the order is for another device")
    if not verify(trust.portal_key, order.signature, statements.order_bytes(order)):
        return Foreign("the order is not signed by the pinned portal key")
    raw = bytes(order.content)
    if wire.action_version(raw) != order.action_version:
        return Denied("policy_denied", "the content is not the version that the order names")
    if portal_now >= order.expires_at:
        return Denied("expired", "the order expired before this device could start it")
    if reason := forbidden(trust, order):
        return Denied("policy_denied", reason)
    return _job(order, (order.run, order.attempt, order.nonce, order.action, order.expires_at), trust)


def examine_local(order: LocalOrder, trust: Trust, sequence: int, turn: int) -> Job | Denied | Foreign:
    """Decide about a turn of a local schedule, by the same rules."""
    if order.device != trust.device:
        return Foreign("it is for another device")
    if not verify(trust.portal_key, order.signature, statements.local_order_bytes(order)):
        return Foreign("it is not signed by the pinned portal key")
    if wire.action_version(bytes(order.content)) != order.action_version:
        return Denied("policy_denied", "the content is not the version that the schedule names")
    if reason := forbidden(trust, order):
        return Denied("policy_denied", reason)
    job = _job(order, (order.schedule, sequence, "local", order.action, NEVER), trust)
    return replace(job, turn=turn) if isinstance(job, Job) else job


def _job(order: wire.Order | LocalOrder, head: Head, trust: Trust) -> Job | Denied:
    try:
        content = msgspec.json.decode(bytes(order.content), type=wire.Content)
    except msgspec.MsgspecError as error:
        return Denied("old_collector", f"this version of the agent cannot read the action: {error}"[:1000])
    script = content.scripts.get(trust.platform)
    if not trust.simulated:
        if script is None:
            return Denied("no_script", f"the action has no script for {trust.platform}")
        if script.language not in LANGUAGES[trust.platform]:
            return Denied("old_collector", f"this version of the agent runs no {script.language} on {trust.platform}")
    inputs, problem = _inputs(content, order.parameters, trust.platform)
    if problem:
        return Denied("policy_denied", problem)
    if lacking := sorted(set(content.secrets) - set(order.secrets)):
        return Denied("policy_denied", f"the order lacks the secret {lacking[0]}, which was not granted to the action")
    serial = order.serial if trust.policy == "signed_trusted" else 0
    return Job(*head, content, None if trust.simulated else script, inputs, serial, order.secrets)


def forbidden(trust: Trust, order: wire.Order | LocalOrder) -> str:
    """Why the execution policy of this device lets an order not run, empty where it does."""
    if trust.policy == "disabled":
        return "this device runs no scripts: its execution policy is disabled"
    if trust.policy == "unrestricted":
        return ""
    said = statements.author_bytes(order.action, order.action_version, order.serial)
    author = order.author
    if author is None or not any(verify(key, author, said) for key in trust.authors):
        return "no trusted author signed this version of the action"
    if order.serial < trust.serials.get(order.action, 0):
        return "a newer version of the action ran here before; this one must be signed anew (`muster actions sign`)"
    return ""


def _inputs(content: wire.Content, given: dict[str, str], platform: str) -> tuple[dict[str, str], str]:
    """The value of every input of a platform's script in the order of the manifest, and what is wrong with them, if
    anything."""
    declared = {item.name for item in content.inputs}
    if unknown := sorted(set(given) - declared):
        return {}, f"the action has no input {unknown[0]!r}"
    values = {}
    for item in content.inputs:
        value = given.get(item.name)
        if value is None:
            value = item.default if item.default is not None else next(iter(item.allowed), "")
        elif item.allowed and not item.custom and value not in item.allowed:
            return {}, f"the value of input {item.name} is not one that the action allows"
        if "\0" in value:
            return {}, f"the value of input {item.name} holds a NUL character"
        if not item.platforms or platform in item.platforms:
            values[item.name] = value
    if sum(len(value.encode("utf-8", "surrogatepass")) for value in values.values()) > PARAMETER_BYTES:
        return {}, f"the inputs together are larger than {PARAMETER_BYTES} bytes"
    return values, ""
