"""Generated query texts: clauses put together from fragments that mostly fit each other.

In: a source of chance. Out: a text over the tables of the small fleet. Invariant: most texts compile; those that do
not give diagnostics. What the language says about arbitrary texts is tested elsewhere.
"""

from __future__ import annotations

from random import Random

EVENT_WINDOWS = ["", " past 3d", " during past 72h", " past 7d", " on 2024-11-03", " from 2d ago to 1d ago", " past 6h"]
OBJECTS = {
    "devices": ["session.logins", "execution.events", "device_performance.boots", "remote_action.#clean_up.executions"],
    "users": ["session.logins", "execution.events"],
    "binaries": ["execution.events"],
}
FIELDS = {
    "devices": ["name", "entity", "hardware.type", "hardware.memory", "collector.version", "tags", "last_seen"],
    "users": ["name", "ad.department", "type", "last_seen"],
    "binaries": ["name", "version", "size", "uid"],
    "session.logins": ["time", "device.name", "user.ad.department", "number_of_logins", "logon_type"],
    "execution.events": [
        "start_time",
        "binary.version",
        "device.hardware.type",
        "cpu_time",
        "memory.avg",
        "memory.max",
    ],
    "device_performance.boots": ["time", "type", "duration", "device.entity"],
    "remote_action.#clean_up.executions": ["time", "status", "outputs.freed", "outputs.ok", "device.name"],
}
KEYS = {
    "devices": ["entity", "hardware.type", "collector.version", "simulated"],
    "users": ["ad.department", "type"],
    "binaries": ["name", "version"],
    "session.logins": ["device.name", "user.ad.department", "logon_type", "1d", "6h"],
    "execution.events": ["binary.name", "device.entity", "highest_process_visibility", "1d", "1h"],
    "device_performance.boots": ["type", "device.hardware.type", "1d"],
    "remote_action.#clean_up.executions": ["status", "device.name", "1h"],
}
CONDITIONS = {
    "devices": [
        'name == "a*"',
        "hardware.memory > 8GB",
        "hardware.type !in [laptop, null]",
        "collector.version >= v1.2.10",
    ],
    "users": ['ad.department != "Sales"', "type == domain", "last_seen.time_elapsed() < 1d"],
    "binaries": ['name == "chrome*"', "version != null", "size > 191MB"],
    "session.logins": ['device.name != "alpha"', "user.name = null", "logon_type == remote", "time > 2024-11-03"],
    "execution.events": ["memory.avg > 60MB", 'binary.name == "*e*"', "device.entity == user.name", "cpu_time >= 10s"],
    "device_performance.boots": ["type != full_boot", "duration < 20s", 'device.tags contains "gold"'],
    "remote_action.#clean_up.executions": ["outputs.freed >= 2MB", "outputs.ok != true", "status == success"],
}
METRICS = {
    "devices": ["count()", "hardware.memory.avg()", "name.count()", "countif(hardware.type == laptop) / count()"],
    "users": ["count()", "last_seen.max()", "type.count()"],
    "binaries": ["count()", "size.sum()", "version.count()"],
    "session.logins": ["count()", "time_until_desktop_is_ready.avg()", "device.count()", "number_of_logins.p95()"],
    "execution.events": ["cpu_time.sum()", "memory.avg()", "memory.count()", "number_of_freezes.sumif(cpu_time > 9s)"],
    "device_performance.boots": ["duration.max()", "number_of_boots.sum() * 2", "type.last()"],
    "remote_action.#clean_up.executions": ["outputs.freed.sum()", "outputs.ok.last()", "count() - 1"],
}


def query(chance: Random) -> str:
    """A whole query."""
    table = chance.choice(list(FIELDS))
    parts = [table + (chance.choice(EVENT_WINDOWS) if table not in OBJECTS or chance.random() < 0.3 else "")]
    parts += _where(chance, table)
    names: list[str] = []
    for at in range(chance.randint(0, 2) if table in OBJECTS else 0):
        parts += _join(chance, table, f"v{at}")
        names.append(f"v{at}")
        if chance.random() < 0.4:
            parts.append(f"where v{at} {chance.choice(['!= null', '= null', '> 1', '== 0', '!= 0'])}")
    if chance.random() < 0.4:
        parts.append(_summarize(chance, table, names))
        shown = ["n"]
    else:
        shown = chance.sample(FIELDS[table], chance.randint(1, 3)) + names
        parts.append(f"list {', '.join(shown)}")
    if chance.random() < 0.5:
        parts.append(f"sort {chance.choice(shown)} {chance.choice(['asc', 'desc'])}")
    if chance.random() < 0.4:
        parts.append(f"limit {chance.randint(0, 5)}")
    return "\n| ".join(parts)


def _where(chance: Random, table: str) -> list[str]:
    if chance.random() < 0.5:
        return []
    found = chance.sample(CONDITIONS[table], chance.randint(1, 2))
    return [f"where {chance.choice([' and ', ' or ']).join(found)}"]


def _join(chance: Random, table: str, name: str) -> list[str]:
    events = chance.choice(OBJECTS[table])
    join = f"{chance.choice(['with', 'include'])} {events}{chance.choice(EVENT_WINDOWS)}"
    return [join, *_where(chance, events), f"compute {name} = {chance.choice(METRICS[events])}"]


def _summarize(chance: Random, table: str, names: list[str]) -> str:
    metrics = METRICS[table] + [f"{name}.last()" for name in names]
    keys = chance.sample(KEYS[table], chance.randint(0, 2))
    return f"summarize n = {chance.choice(metrics)}" + (f" by {', '.join(keys)}" if keys else "")
