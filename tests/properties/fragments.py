"""What generated texts are put together from: the fields, conditions, keys and metrics of each table.

In: nothing. Out: tables of fragments of text. Constants are values that the tables of `tables` hold. Invariant: every
fragment stands in at least one text that compiles (`test_generators` counts them), so none is written in vain.
"""

from __future__ import annotations

DEVICES, USERS, BINARIES = "devices", "users", "binaries"
LOGINS, PROGRAMS, BOOTS = "session.logins", "execution.events", "device_performance.boots"
CRASHES, SAMPLES = "execution.crashes", "device_performance.events"
ACTION = "remote_action.#clean_up.executions"

WINDOWS = [
    "", " past 3d", " during past 72h", " past 7d", " on 2024-11-11", " from 2d ago to 1d ago", " past 24h", " past 6h",
    " from 2024-11-10 05:00 to 2024-11-11 12:00:00", " from Nov 8 to Nov 11, 2024", " past 1d shift 1d",
    " from 2024-11-10T05:00:00Z to 2024-11-11T12:00:00+01:00", " past 48h shift 1h", " past $days",
]  # fmt: skip

OBJECTS = {
    DEVICES: [LOGINS, PROGRAMS, BOOTS, ACTION, CRASHES, SAMPLES],
    USERS: [LOGINS, PROGRAMS],
    BINARIES: [PROGRAMS],
}

FIELDS = {
    DEVICES: ["name", "entity", "hardware.type", "hardware.memory", "collector.version", "tags", "last_seen"],
    USERS: ["name", "ad.department", "type", "last_seen", "last_seen.time_elapsed()"],
    BINARIES: ["name", "version", "size", "uid"],
    LOGINS: ["time", "device.name", "user.ad.department", "number_of_logins", "logon_type"],
    PROGRAMS: ["start_time", "binary.version", "device.hardware.type", "cpu_time", "memory.avg", "memory.max"],
    BOOTS: ["time", "type", "duration", "device.entity", "time.day_of_week(timezone = 'Asia/Tokyo')"],
    CRASHES: ["time", "binary_path", "number_of_crashes", "device.name", "process_visibility"],
    SAMPLES: ["start_time", "device.entity", "free_memory.avg", "cpu_usage.max", "end_time"],
    ACTION: ["time", "status", "outputs.freed", "outputs.ok", "device.name"],
}

PARAMETERS = {"days": "3d", "text": "pc*", "names": ["Lausanne", "*o*"], "sizes": ["8GB", "1B"], "rows": "2"}

COMPUTED = {  # columns of `list` with a name
    DEVICES: ["gb = hardware.memory / 1GB", 'site = if(entity == "Boston", "east", "other")', "low = name.lower()"],
    USERS: ["ago = last_seen.time_elapsed()", "big = name.upper()"],
    BINARIES: ["mb = (size / 1MB).round(2)", "s = size.default(0)"],
    LOGINS: ["twice = number_of_logins * 2", "rest = (3 - number_of_logins).abs()"],
    PROGRAMS: ["share = cpu_time / 15min", "spread = memory.max - memory.min"],
    BOOTS: ["t = duration.round()"],
    CRASHES: ["odd = if(number_of_crashes > 1, number_of_crashes, 0)"],
    SAMPLES: ["half = free_memory.avg / 2"],
    ACTION: ["mb = outputs.freed / 1MB"],
}

KEYS = {
    DEVICES: ["entity", "hardware.type", "collector.version", "simulated"],
    USERS: ["ad.department", "type"],
    BINARIES: ["name", "version"],
    LOGINS: ["device.name", "user.ad.department", "logon_type"],
    PROGRAMS: ["binary.name", "device.entity", "highest_process_visibility"],
    BOOTS: ["type", "device.hardware.type"],
    CRASHES: ["device.entity", "binary_path", "crash_on_start"],
    SAMPLES: ["device.name", "memory_pressure"],
    ACTION: ["status", "device.name"],
}
PERIODS = ["1d", "6h", "12h", "2d", "1w", "1month", "1d fill", "1w fill"]

CONDITIONS = {
    DEVICES: [
        'name == "pc*"', "hardware.memory > 8GB", "hardware.type !in [laptop, null]", 'not (name == "*0*")',
        "collector.version >= v24.10", 'tags contains "p*"', "tags != null", 'entity == "lausanne"',
        "collector.local_ip == 10.0.0.0/16", "hardware.memory between 1B and 16GB", 'name starts with "p"',
        'not name ends with "1"', 'name matches "^pc-[0-9]+$"', 'name !matches "x"', "hardware.memory / 2 >= 4GB",
        "entity is not null", 'name not in ["", "PC-001"]', 'name like "*c*"', 'tags not contains "vip"',
        "name == $text", "entity in $names", "hardware.memory !in $sizes",
    ],
    USERS: [
        'ad.department != "Boston"', "type != null", "last_seen.time_elapsed() < 30d", "days_since_last_seen < 400",
        "last_seen is null", 'name.lower() == "pc-001"', "not type is null",
    ],
    BINARIES: ['name != "chrome*"', "version != null", "size > 100MB", "size not between 1B and 2B", "version < v25"],
    LOGINS: [
        'device.name != "alpha"', "user.name = null", "logon_type != null", "time > 2024-11-03",
        "number_of_logins in [0, 1, 2]", "user.ad.department not like \"b*\"", "time >= 2024-11-10T05:00:00Z",
    ],
    PROGRAMS: [
        "memory.avg > 5B", 'binary.name != "*x*"', "device.entity == user.name", "cpu_time >= 1s",
        "memory.max - memory.min < 1KB", "cpu_time * 2 > 0s", "incoming_traffic not in [0B, 1B]",
    ],
    BOOTS: ["type != full_boot", "duration < 20s", 'device.tags contains "pilot"', "time.time_elapsed() < 9d"],
    CRASHES: [
        "number_of_crashes > 0", 'binary_path == "c:\\windows\\*"', "crash_on_start = true", "crash_on_start != true",
        "time == 2024-11-11", "number_of_crashes.default(0) < 3",
        'binary_path matches "windows|usr"', "not (number_of_crashes = 1 or crash_on_start = false)",
    ],
    SAMPLES: ["free_memory.avg > 1B", "cpu_usage.max <= 50", "memory_pressure = null", "free_memory.count >= 2"],
    ACTION: ["outputs.freed >= 0MB", "outputs.ok != true", "status != failure", "outputs.ok is not null"],
}  # fmt: skip
CLOCKED = {  # conditions that need a window in hours
    LOGINS: ["time.hour() > 6", "time.day() != 9"],
    CRASHES: ["time.hour(timezone = 'Asia/Kolkata') < 20"],
    SAMPLES: ["start_time.day_of_week() in [1, 7]"],
}

METRICS = {
    DEVICES: [
        "count()", "hardware.memory.avg()", "name.count()", "countif(hardware.type == laptop) / count()",
        "hardware.memory.median()", "name.last()", "tags.count()", "hardware.memory.stddev()",
    ],
    USERS: ["count()", "last_seen.max()", "type.count()", "last_seen.min()"],
    BINARIES: ["count()", "size.sum()", "version.count()", "size.p90()", "size.p01()", "version.last()"],
    LOGINS: [
        "count()", "time_until_desktop_is_ready.avg()", "device.count()", "number_of_logins.p95()", "time.first()",
        "number_of_logins.sum() ^ 2 - 1", "device.countif(number_of_logins > 1)", "number_of_logins.p50()",
        "time.last().time_elapsed()",
    ],
    PROGRAMS: [
        "cpu_time.sum()", "memory.avg()", "memory.count()", "number_of_freezes.sumif(cpu_time > 9s)", "memory.max()",
        "memory.min() * 2", "cpu_time.p05()", "memory.avg.sum()", "memory.p95()",
    ],
    BOOTS: ["duration.max()", "number_of_boots.sum() * 2", "type.last()", "duration.median()", "type.first()"],
    CRASHES: [
        "number_of_crashes.sum()", "count()", "binary_path.count()", "number_of_crashes.stddev()", "time.max()",
        "countif(crash_on_start = true and number_of_crashes > 0)", "device.count()",
    ],
    SAMPLES: ["free_memory.avg()", "cpu_usage.max()", "count()", "free_memory.median()", "device.count()"],
    ACTION: ["outputs.freed.sum()", "outputs.ok.last()", "count() - 1", "outputs.freed.p99()"],
}  # fmt: skip

AFTER = [  # conditions and values of a metric `v`
    "{v} != null", "{v} = null", "{v} > 1", "{v} == 0", "{v} != 0", "not {v} > 1", "{v}.default(1) < 9", "{v} / 2 < 1",
]  # fmt: skip
COMPUTED_AFTER = ["{v} * 2", "{v} / (n + 1)", "if({v} > 1, {v}, 0)", "{v}.round(1)", "{v}.abs()", "{v}.default(0)"]
AGAIN = ["count()", "n.sum()", "n.avg()", "n.max()", "n.median()", "n.count()"]  # a second summarize over `n`
