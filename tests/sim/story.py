"""What people and fate do in a world: asking, cancelling, revoking, looking; power, disks, clocks and cables.

In: a world. Out: its story, played to the end of all trouble. Invariant: which act comes when follows from the seed;
an act that the portal refuses, or that a crash swallows, simply did not happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from portal.actions.messages import AskRun
from portal.errors import ApiError
from portal.schedules.messages import ScheduleBody
from storage.control.errors import ControlError
from tests.sim import judge
from tests.sim.start import HOUR
from tests.sim.world import DAY, World

ACTS = 12
FAILED = (
    'remote_action.executions during past 30d | where request_id == $run and status == "failure" | list execution_id'
)
CADENCES: tuple[dict[str, Any], ...] = ({"every": "1h"}, {"hourly": {"minute": 20}}, {"every": "2h"})
Act = Callable[[World], Awaitable[None]]


async def play(world: World) -> None:
    """The whole story, and the judgement."""
    await world.open_portal()
    for device in world.devices.values():
        device.boot()
    await schedule(world)
    await attempt(world, follow)
    world.net.faults = world.random.choice((0.0, 0.1, 0.25))
    for _ in range(ACTS):
        act = world.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        await attempt(world, act)
        await world.pass_time(world.random.expovariate(1 / 900), 500)
    await world.peace()
    await judge.look(world, at_peace=True)
    judge.check(world)


async def attempt(world: World, act: Act) -> None:
    """Try something that the portal may refuse, or not live to answer."""
    try:
        await act(world)
    except (ApiError, ControlError) as error:
        world.tell(f"{act.__name__} was refused: {error}")


async def ask(world: World) -> None:
    """Somebody asks for a run."""
    chance = world.random
    action = chance.choice(("#plain", "#plain", "#plain", "#again", "#asks", "#draft"))
    plan: dict[str, Any] = {}
    if chance.random() < 0.3:
        plan |= {"waves": ["1", "50%", "100%"], "soak": chance.choice((0, 300))}
        plan |= {"gate": FAILED} if chance.random() < 0.7 else {}
    if chance.random() < 0.4:
        plan["retries"] = {"attempts": chance.choice((2, 3)), "backoff": chance.choice((1, 30))}
    if chance.random() < 0.25:
        plan["once_every"] = 3600
    if chance.random() < 0.1:
        plan["window"] = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "22:00", "to": "06:00"}
    target: dict[str, Any] = {"devices": chance.sample(world.busy, chance.choice((1, 2, 3, 5)))}
    if chance.random() < 0.1:
        plan |= {"mode": "follow", "limits": {"devices": 3}}
        target = {"nql": f'devices | where name in ["pc-{chance.randrange(50)}", "pc-{chance.randrange(50)}"]'}
    expires = max(chance.choice((60, 300, 3600, 86_400)), 3600 if plan.get("soak") else 60)
    expires = 2 * 86_400 if "window" in plan else expires  # else the portal refuses most of them
    body = {"action": action, "target": target, "plan": plan, "expires_in": expires, "allow_draft": True}
    asked = msgspec.convert(body, AskRun)
    for _number in range(2 if "once_every" in plan and chance.random() < 0.5 else 1):  # each wants to be the only one
        view, _ = await world.portal.spawn(world.portal.actions.begin(world.caller, asked))
        world.runs.append(view.run.id)
        world.tell(f"run {view.run.id[-6:]} of {action} on {view.run.device_count} devices, {expires} s, {plan}")


async def cancel(world: World) -> None:
    """Somebody cancels a run, or one device of it."""
    if not world.runs:
        return
    run = world.random.choice(world.runs[-4:])
    mine = [one.device for one in world.portal.control.executions.of_run(run)]
    device = world.random.choice([None, *mine[:2]])
    world.tell(f"run {run[-6:]} is cancelled{'' if device is None else f' on {device[-6:]}'}")
    await world.portal.spawn(world.portal.actions.cancel(world.caller, run, device))


async def halt(world: World) -> None:
    """Somebody halts a run, and resumes it later."""
    if not world.runs:
        return
    run = world.random.choice(world.runs[-3:])
    world.tell(f"run {run[-6:]} is halted")
    await world.portal.spawn(world.portal.actions.halt(world.caller, run, "let us see"))
    await world.pass_time(world.random.expovariate(1 / 300), 200)
    await world.portal.spawn(world.portal.actions.resume(world.caller, run))
    world.tell(f"run {run[-6:]} is resumed")


async def again(world: World) -> None:
    """Somebody has what failed tried once more."""
    if world.runs:
        run = world.random.choice(world.runs)
        from_run = msgspec.convert({"allow_draft": True}, judge.AskRetry)
        view, _ = await world.portal.spawn(world.portal.actions.retry(world.caller, run, from_run))
        world.runs.append(view.run.id)
        world.tell(f"run {view.run.id[-6:]} tries again what failed in {run[-6:]}")


async def resume(world: World) -> None:
    """Somebody lets a halted run go on."""
    for run in world.every_run():
        if run.state == "halted":
            world.tell(f"run {run.id[-6:]} is resumed")
            await world.portal.spawn(world.portal.actions.resume(world.caller, run.id))


async def schedule(world: World) -> None:
    """Somebody makes a schedule."""
    chance = world.random
    number = len(world.portal.control.schedules.everything())
    names = ", ".join(f'"pc-{chance.randrange(20)}"' for _ in range(2))
    plan = {"limits": {"devices": 1}} if chance.random() < 0.2 else {}
    definition = {
        "action": chance.choice(("#plain", "#again")),
        "target": f"devices | where name in [{names}]",
        "cadence": chance.choice(CADENCES),
        "missed": chance.choice(("skip", "once", "all")),
        "plan": plan,
    }
    body = msgspec.convert({"name": "S", "definition": definition}, ScheduleBody)
    await world.portal.spawn(world.portal.schedules.save(world.caller, f"#s{number}", body, new=True))
    world.tell(f"schedule #s{number}: {definition}")


async def follow(world: World) -> None:
    """Somebody makes a schedule that devices follow on their own clocks, or has those that are there stopped."""
    chance, control = world.random, world.portal.control
    if world.local and chance.random() < 0.3:
        nql_id = chance.choice(sorted(world.local))
        world.tell(f"schedule {nql_id} is switched off or on")
        enabled = control.schedules.schedule(nql_id).enabled
        await world.portal.spawn(world.portal.schedules.enable(world.caller, nql_id, not enabled))
        return
    names = ", ".join(f'"pc-{number}"' for number in chance.sample(range(25), 3))
    definition = {
        "action": chance.choice(("#plain", "#again", "#asks")),
        "target": f"devices | where name in [{names}]",
        "cadence": {"every": chance.choice(("10min", "1h"))},
        "local": True,
    }
    nql_id = f"#local{len(world.local)}"
    body = msgspec.convert({"name": "L", "definition": definition}, ScheduleBody)
    await world.portal.spawn(world.portal.schedules.save(world.caller, nql_id, body, new=True))
    world.local.add(nql_id)
    world.tell(f"schedule {nql_id}: {definition}")


async def revoke(world: World) -> None:
    """A device is closed for ever."""
    uid = world.random.choice(world.uids[:25])
    world.tell(f"device {uid[-6:]} is revoked")
    world.ledger.closing.add(uid)
    control, before = world.portal.control, world.portal
    await before.spawn(before.devices.revoke(world.caller, uid))
    if before.alive and control.enrolment.device(uid) is not None:
        world.ledger.revoked.setdefault(uid, world.net.now)


async def clone(world: World) -> None:
    """Somebody copies a machine, with its disk; both run, and are asked for something before and after it is seen."""
    chance = world.random
    uid = chance.choice([uid for uid in world.uids[25:] if uid not in world.ledger.copied])
    world.tell(f"device {uid[-6:]} is copied")
    for number in range(3):
        body = {"action": "#plain", "target": {"devices": [uid]}, "expires_in": 86_400}
        view, _ = await world.portal.spawn(world.portal.actions.begin(world.caller, msgspec.convert(body, AskRun)))
        world.tell(f"run {view.run.id[-6:]} is for {uid[-6:]}")
        if number == 0:
            await asyncio.sleep(chance.expovariate(1 / 5))
            world.copy(uid)
        await world.pass_time(chance.expovariate(1 / 120), 60)


async def decide(world: World) -> None:
    """An administrator decides about the devices that are held; now and then without looking at the machines."""
    for uid in world.held():
        if world.random.random() < 0.25 or uid not in world.copies:
            world.tell(f"device {uid[-6:]} is released, and both machines stay")
            await world.portal.spawn(world.portal.devices.release(world.caller, uid))
        else:
            await world.decide(uid)


async def rotate(world: World) -> None:
    """The portal gets a new key."""
    world.tell("the portal's key is rotated")
    await world.portal.spawn(world.portal.trust.rotate(world.caller))


async def look(world: World) -> None:
    """Somebody asks the data for all executions."""
    await judge.look(world)


async def kill_agents(world: World) -> None:
    """The power goes on some devices, mostly those at work, and comes back; for some after days."""
    chance = world.random
    busy = [device.uid for device in world.devices.values() if device.alive and device.state.running]
    some = {*chance.sample(world.busy, 5), *busy}
    for uid in sorted(some):
        device = world.devices[uid]
        world.tell(f"device {uid[-6:]} is killed")
        device.kill()
        seconds = chance.choice((0.0, 1.0, chance.expovariate(1 / 60), chance.expovariate(1 / 86_400)))
        asyncio.get_running_loop().call_later(seconds, _boot, world, uid)


async def strike(world: World) -> None:
    """A run is asked for, and moments later the power goes where it arrives, or the portal is killed."""
    chance = world.random
    await attempt(world, ask)
    if not world.runs:
        return
    mine = [one.device for one in world.portal.control.executions.of_run(world.runs[-1])]
    if chance.random() < 0.3:
        await asyncio.sleep(chance.uniform(0, 3) if chance.random() < 0.5 else chance.uniform(0, 30))
        await world.crash_portal(chance.choice((0.0, 5.0)))
        return
    for uid in mine:
        await asyncio.sleep(chance.expovariate(2))
        device = world.devices[uid]
        if device.alive:
            world.tell(f"device {uid[-6:]} is struck")
            device.kill()
            asyncio.get_running_loop().call_later(chance.choice((0.0, 5.0, 60.0)), _boot, world, uid)


async def kill_portal(world: World) -> None:
    """The portal is killed and comes back, while something is under way."""
    await asyncio.sleep(world.random.expovariate(1 / 2))
    await world.crash_portal(world.random.choice((0.0, 2.0, 120.0)))


async def storm(world: World) -> None:
    """The portal is killed again and again."""
    for _ in range(2):
        await world.crash_portal(world.random.expovariate(1 / 5))
        await asyncio.sleep(world.random.expovariate(1 / 10))
        await world.pass_time(5, 5)


async def cut(world: World) -> None:
    """Cables are pulled out of some devices, and put back later."""
    chance = world.random
    some = set(chance.sample(world.busy, 5))
    world.net.cut |= some
    world.tell(f"{len(some)} devices are cut off")
    seconds = chance.choice((30.0, 300.0, 1800.0))
    asyncio.get_running_loop().call_later(seconds, world.net.cut.difference_update, some)


async def fill_disks(world: World) -> None:
    """The disks of some devices, or of the tables, are full for a while."""
    chance, loop = world.random, asyncio.get_running_loop()
    if chance.random() < 0.4:
        world.refuse(True)
        loop.call_later(chance.expovariate(1 / 600), world.refuse, False)
        return
    some = [world.devices[uid] for uid in chance.sample(world.busy, 10)]
    for device in some:
        device.full = True
        loop.call_later(chance.expovariate(1 / 600), setattr, device, "full", False)


async def set_clocks(world: World) -> None:
    """Clocks are set by an hour or a day: of devices, and in some worlds of the portal."""
    chance = world.random
    if world.steps and chance.random() < 0.5:
        world.step_clock(chance.choice((-HOUR, HOUR, -DAY, DAY)))
        return
    for uid in chance.sample(world.busy, 6):
        device = world.devices[uid]
        device.wall += chance.choice((-HOUR, HOUR, -DAY, DAY))
        if chance.random() < 0.5:
            device.kill()
            _boot(world, uid)


def _boot(world: World, uid: str) -> None:
    if not world.devices[uid].alive:
        world.devices[uid].boot()


WEIGHTS: dict[Act, int] = {
    ask: 10, strike: 8, cancel: 3, halt: 2, resume: 1, again: 1, schedule: 1, revoke: 1, look: 3, rotate: 1,
    kill_agents: 2, kill_portal: 3, storm: 1, cut: 2, fill_disks: 2, set_clocks: 2, clone: 2, decide: 2,
    follow: 1,
}  # fmt: skip
