"""What is measured: each question in the query language and in SQL, what it must read, and the goals for it.

Invariant: both forms ask the same, so that every side gives the same rows. The SQL is as a good engineer writes it who
knows the data: it groups by dense ids and takes names afterwards, knows that names of devices are unique, and that
later rows have greater numbers. `{start}` and `{end}` are the window, `{day}` its last 24 hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.shapes.estate import CRASHES, EXECUTIONS, SAMPLES

WEEK = "during past 168h"
ONE = "pc-000042"  # the device whose timeline is asked for
Over = Literal["window", "day", "devices", "one"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One question. `shown` are the result columns that are compared, in the order of the SQL's. `table` and `reads`
    are the columns that any engine has to look at, `over` for how many rows. Goals are milliseconds by the clock."""

    name: str
    title: str
    text: str
    shown: tuple[str, ...]
    sql: str
    table: str = SAMPLES
    reads: tuple[str, ...] = ()
    over: Over = "window"
    raw_goal: float | None = None
    rollup_goal: float | None = None
    compared: bool = field(default=False)  # whether it counts in the geometric means


DIALECTS: Mapping[str, Mapping[str, str]] = {
    "duckdb": {
        "hour": "start_time // 3600000000 * 3600000000",
        "p95": "quantile_disc({}, 0.95)",
        "newest": "arg_max({}, row)",
        "settings": "",
    },
    "chdb": {  # its exact quantile takes the value after ours where 95 % of the rows is a whole number
        "hour": "intDiv(start_time, 3600000000) * 3600000000",
        "p95": "quantileExact(0.949999999)({})",
        "newest": "argMax({}, row)",
        "settings": "SETTINGS join_use_nulls = 1",
    },
}


def sql(shape: Shape, dialect: str, start: int, end: int) -> str:
    """The SQL of a shape for one engine and window (microseconds UTC)."""
    words = DIALECTS[dialect]
    fill = {
        "start": start,
        "end": end,
        "day": end - 86_400_000_000,
        "hour": words["hour"],
        "one": ONE,
        "inside": f"start_time >= {start} and start_time < {end}",
        "at": f"time >= {start} and time < {end}",
    }
    for name in ("execution_duration", "cpu_time", "duration"):
        fill[f"p95_{name}"] = words["p95"].format(name)
    fill["newest"] = words["newest"].format("number_of_page_faults")
    return f"{shape.sql.format(**fill)} {words['settings']}".strip()


SHAPES = (
    Shape(
        "q1",
        "devices by a filter",
        'devices | where operating_system.platform == windows and organization.entity == "Pune/6" '
        "| list name, operating_system.name, hardware.memory",
        ("device.name", "device.operating_system.name", "device.hardware.memory"),
        "select name, os, memory from devices where platform = 'windows' and entity = 'Pune/6'",
        over="devices",
        raw_goal=3,
    ),
    Shape(
        "q2",
        "devices by platform",
        "devices | summarize n = count() by operating_system.platform",
        ("device.operating_system.platform", "n"),
        "select platform, count(*) from devices group by platform",
        over="devices",
        raw_goal=3,
    ),
    Shape(
        "q3",
        "devices with more than three crashes in 7 days",
        f"devices | with {CRASHES} {WEEK} | compute n = number_of_crashes.sum() | where n > 3 | list name, n",
        ("device.name", "n"),
        "select d.name, g.n from (select device, sum(number_of_crashes) n from crashes where {at} group by device "
        "having sum(number_of_crashes) > 3) g join devices d on d.id = g.device",
        CRASHES,
        ("device", "number_of_crashes"),
        raw_goal=35,
        compared=True,
    ),
    Shape(
        "q4",
        "Windows devices, each with its processor time of 24 hours",
        f"devices | where operating_system.platform == windows | include {SAMPLES} during past 24h "
        "| compute cpu = cpu_time.sum() | list name, cpu",
        ("device.name", "cpu"),
        "select d.name, g.cpu from devices d left join (select device, sum(cpu_time) cpu from samples "
        "where start_time >= {day} and start_time < {end} group by device) g on g.device = d.id "
        "where d.platform = 'windows'",
        reads=("device", "cpu_time"),
        over="day",
        raw_goal=40,
        compared=True,
    ),
    Shape(
        "q5",
        "7 days by hour",
        f"{SAMPLES} {WEEK} | summarize cpu = cpu_time.sum() by 1h",
        ("start_time", "cpu"),
        "select {hour} h, sum(cpu_time) from samples where {inside} group by h",
        reads=("start_time", "cpu_time"),
        raw_goal=150,
        rollup_goal=5,
        compared=True,
    ),
    Shape(
        "q6",
        "ten devices with the greatest mean memory, 7 days",
        f"{SAMPLES} {WEEK} | summarize m = memory.avg() by device.name | sort m desc | limit 10",
        ("device.name", "m"),
        "select d.name, g.m from (select device, sum(memory_sum) / sum(memory_count) m from samples where {inside} "
        "group by device) g join devices d on d.id = g.device order by g.m desc, d.name limit 10",
        reads=("device", "memory_sum", "memory_count"),
        raw_goal=250,
        rollup_goal=40,
        compared=True,
    ),
    Shape(
        "q7",
        "distinct devices of a binary's name, 7 days, the first 20",
        f"{SAMPLES} {WEEK} | summarize d = device.count() by binary.name | sort d desc | limit 20",
        ("binary.name", "d"),
        "select b.name n, count(distinct s.device) d from samples s join binaries b on b.id = s.binary "
        "where {inside} group by b.name order by d desc, n limit 20",
        reads=("device", "binary"),
        raw_goal=900,
        compared=True,
    ),
    Shape(
        "q8",
        "95th percentile of duration by platform, 7 days",
        f"{SAMPLES} {WEEK} | summarize t = execution_duration.p95() by device.operating_system.platform",
        ("device.operating_system.platform", "t"),
        "select d.platform, {p95_execution_duration} from samples s join devices d on d.id = s.device where {inside} "
        "group by d.platform",
        reads=("device", "execution_duration"),
        raw_goal=250,
        compared=True,
    ),
    Shape(
        "q9",
        "the newest value of each device, 7 days",
        f"{SAMPLES} {WEEK} | summarize v = number_of_page_faults.last() by device.name",
        ("device.name", "v"),
        "select d.name, g.v from (select device, {newest} v from samples where {inside} group by device) g "
        "join devices d on d.id = g.device",
        reads=("device", "number_of_page_faults"),
        over="devices",
        raw_goal=60,
        compared=True,
    ),
    Shape(
        "h1",
        "devices with more than three freezes, over all samples",
        f"devices | with {SAMPLES} {WEEK} | compute f = number_of_freezes.sum() | where f > 3 | list name, f",
        ("device.name", "f"),
        "select d.name, g.f from (select device, sum(number_of_freezes) f from samples where {inside} group by device "
        "having sum(number_of_freezes) > 3) g join devices d on d.id = g.device",
        reads=("device", "number_of_freezes"),
    ),
    Shape(
        "h2",
        "95th percentile of processor time (any of 900,000 values) by binary's name, the first 20",
        f"{SAMPLES} {WEEK} | summarize t = cpu_time.p95() by binary.name | sort t desc | limit 20",
        ("binary.name", "t"),
        "select b.name n, {p95_cpu_time} t from samples s join binaries b on b.id = s.binary where {inside} "
        "group by b.name order by t desc, n limit 20",
        reads=("binary", "cpu_time"),
    ),
    Shape(
        "h3",
        "traffic of every pair of device and binary's name, the first 20",
        f"{SAMPLES} {WEEK} | summarize t = incoming_traffic.sum() by device.name, binary.name | sort t desc | limit 20",
        ("device.name", "binary.name", "t"),
        "select d.name dn, g.n bn, g.t t from (select device, b.name n, sum(incoming_traffic) t from samples s "
        "join binaries b on b.id = s.binary where {inside} group by device, b.name) g "
        "join devices d on d.id = g.device order by t desc nulls last, dn, bn limit 20",
        reads=("device", "binary", "incoming_traffic"),
    ),
    Shape(
        "h4",
        "distinct devices and processor time by hour and entity, of binaries by part of the name",
        f'{SAMPLES} {WEEK} | where binary.name == "*office*" '
        "| summarize d = device.count(), cpu = cpu_time.sum() by 1h, device.entity",
        ("device.entity", "start_time", "d", "cpu"),
        "select d.entity e, {hour} h, count(distinct s.device), sum(s.cpu_time) from samples s "
        "join binaries b on b.id = s.binary join devices d on d.id = s.device "
        "where {inside} and b.name like '%office%' group by e, h",
        reads=("device", "binary", "start_time", "cpu_time"),
    ),
    Shape(
        "x1",
        "scheduled executions by action and status, with a percentile",
        f"{EXECUTIONS} {WEEK} | where trigger_method == scheduled "
        "| summarize n = count(), t = duration.p95() by remote_action.name, status",
        ("remote_action.name", "remote_action.execution.status", "n", "t"),
        "select a.name, e.status, count(*), {p95_duration} from executions e join actions a on a.id = e.remote_action "
        "where {at} and e.trigger_method = 'scheduled' group by a.name, e.status",
        EXECUTIONS,
        ("remote_action", "duration"),
    ),
    Shape(
        "t1",
        "one device's timeline, 7 days",
        f'{SAMPLES} {WEEK} | where device.name == "{ONE}" | list start_time, binary.name, cpu_time, memory.avg',
        ("execution.event.start_time", "binary.name", "execution.event.cpu_time", "execution.event.memory.avg"),
        "select s.start_time, b.name, s.cpu_time, s.memory_sum / s.memory_count from samples s "
        "join devices d on d.id = s.device join binaries b on b.id = s.binary "
        "where {inside} and d.name = '{one}'",
        reads=("device", "binary", "start_time", "cpu_time", "memory_sum", "memory_count"),
        over="one",
        raw_goal=15,
    ),
)


def named(names: str | None) -> tuple[Shape, ...]:
    """The shapes of a list of names such as `q1,h3`; all without a list. Raises ValueError for an unknown name."""
    if not names:
        return SHAPES
    wanted = [name.strip() for name in names.split(",")]
    if unknown := set(wanted) - {shape.name for shape in SHAPES}:
        raise ValueError(f"there is no shape {min(unknown)!r}; there are {', '.join(one.name for one in SHAPES)}")
    return tuple(shape for shape in SHAPES if shape.name in wanted)
