"""Every diagnostic code, as data: what it says, when it comes, a query that is wrong and one that is right.

The reference and the tests read this table: each `wrong` gives its code, each `right` compiles without a word.
Invariant: a code means one thing, and keeps it. NQL1xx reading, 2xx names, 3xx types, 4xx time, aggregates and the
order of clauses, 5xx limits and permissions, 6xx advice, 9xx our bug. `late` codes come when values and the clock are
known, not from the text alone; where no short text gives a code, `wrong` is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """One diagnostic."""

    code: str
    title: str
    doc: str
    wrong: str
    right: str
    warning: bool = False
    late: bool = False


_D = "devices | "
_C = "execution.crashes during past 24h | "
_J = "devices | include execution.crashes during past 24h | "

_TABLE = (
    ("NQL101", "Unexpected text", "Something stands where it cannot.", _D + "limit ten", _D + "limit 10"),
    (
        "NQL102", "Typographic quotes", "Texts stand in straight quotes.",
        _D + "where name == “a”", _D + 'where name == "a"',
    ),
    ("NQL103", "Open quote", "A text ends on its line.", _D + 'where name == "a', _D + 'where name == "a"'),
    ("NQL104", "Not a comment", "Comments stand between /* and */.", "devices -- all", "devices /* all */"),
    ("NQL105", "Unknown clause", "After a pipe comes a clause.", _D + "lst name", _D + "list name"),
    ("NQL106", "Missing pipe", "Each clause starts with a pipe.", "devices list name", _D + "list name"),
    ("NQL107", "Missing name", "Computed values have names.", _D + "summarize count()", _D + "summarize n = count()"),
    (
        "NQL108", "== for a name", "A name is given with one =.",
        _D + "summarize n == count()", _D + "summarize n = count()",
    ),
    ("NQL109", "Not a list", "Lists stand in square brackets.", _D + 'where name in ("a")', _D + 'where name in ["a"]'),
    ("NQL110", "List out of place", "A list stands after in.", _D + 'where name == ["a"]', _D + 'where name in ["a"]'),
    ("NQL111", "Unknown operator", "Operators of other languages.", _D + 'where name <> "a"', _D + 'where name != "a"'),
    ("NQL112", "Bad time selection", "How a selection is written.", "devices last 7d", "devices past 7d"),
    ("NQL113", "Open bracket", "Brackets come in pairs.", _D + 'where (name == "a"', _D + 'where (name == "a")'),
    ("NQL201", "Unknown table", "There is no such table.", "devicess", "devices"),
    ("NQL202", "Unknown field", "No such field in scope.", _D + "list nam", _D + "list name"),
    ("NQL203", "Ambiguous field", "A group that two linked objects have.", "", _C + "list device.name"),
    (
        "NQL204", "Name out of scope", "Names of the objects are not known among the events.",
        _J + "compute n = count() | with execution.crashes | where n > 1",
        _J + "compute n = count() | where n > 1",
    ),
    ("NQL205", "Object for a field", "An object has fields.", _C + "list device", _C + "list device.name"),
    (
        "NQL206", "Metric without component", "A sample holds several values of a metric; alone it is their mean.",
        "device_performance.events past 24h | list free_memory",
        "device_performance.events past 24h | list free_memory.avg",
    ),
    (
        "NQL207", "Unknown function", "There is no such function.",
        _D + "summarize n = conut()", _D + "summarize n = count()",
    ),
    (
        "NQL208", "Not in the summary", "After summarize only its columns are left.",
        _D + "summarize n = count() by entity | list name", _D + "summarize n = count() by entity | list entity",
    ),
    (
        "NQL209", "Name given twice", "Two values of a clause need two names.",
        _D + "summarize n = count(), n = count()", _D + "summarize n = count(), m = count()",
    ),
    (
        "NQL210", "Name of a field", "The new value hides the field.",
        _D + "summarize name = count()", _D + "summarize names = count()",
    ),
    (
        "NQL211", "Join to events", "Only queries over objects join events.",
        _C + "with web.events", "devices | with execution.crashes during past 24h",
    ),
    (
        "NQL212", "Not linked", "The events do not point to the objects.",
        "binaries | with session.logins", "users | with session.logins",
    ),
    ("NQL213", "Not configured", "No such remote action or campaign.", "remote_action.#nothing.executions", "devices"),
    ("NQL301", "Wrong type", "A value of the wrong type.", _D + "where name == 5", _D + 'where name == "5"'),
    ("NQL302", "Undefined operator", "The type lacks the operator.", _D + 'where name < "a"', _D + 'where name != "a"'),
    ("NQL303", "Unknown unit", "Units of durations and sizes.", "devices past 2w", "devices past 14d"),
    ("NQL304", "No such date", "A day that no calendar has.", "devices on 2024-02-30", "devices on 2024-02-29"),
    (
        "NQL305", "Unknown value", "All values of the field are known, and this is none.",
        _D + "where hardware.type == banana", _D + "where hardware.type == laptop",
    ),
    (
        "NQL306", "Value not known", "Perhaps a misspelt value.",
        _D + "where operating_system.platform == windoze", _D + "where operating_system.platform == windows",
    ),
    (
        "NQL307", "Parameter with two types", "A parameter has one type.",
        _D + "where name == $a and last_seen > $a", _D + "where name == $a and last_seen > $b",
    ),
    (
        "NQL308", "Not an address", "Addresses and networks.",
        _D + "where collector.local_ip == 10.1.2.300", _D + "where collector.local_ip == 10.0.0.0/8",
    ),
    ("NQL309", "No arithmetic", "Arithmetic needs numbers.", _D + "list name + 1", _D + "list hardware.memory + 1"),
    ("NQL310", "Condition for a value", "A value is needed.", _D + "list name == 1", _D + "list name"),
    (
        "NQL311", "Not a time", "Functions of date and time.",
        _D + "list name.time_elapsed()", _D + "list last_seen.time_elapsed()",
    ),
    (
        "NQL312", "Wrong arguments", "What a function takes.",
        _D + "summarize n = count(1)", _D + "summarize n = count()",
    ),
    (
        "NQL313", "Unknown zone", "Zones have IANA names.",
        _C + "where time.hour(timezone = 'Zurich') > 8", _C + "where time.hour(timezone = 'Europe/Zurich') > 8",
    ),
    ("NQL314", "Not a condition", "A condition compares.", _D + "where name", _D + "where name != null"),
    (
        "NQL315", "Unknown format", "Formats of as().",
        _D + "summarize n = count() | list n.as(format = dollars)",
        _D + "summarize n = count() | list n.as(format = percent)",
    ),
    (
        "NQL316", "Bad regular expression", "What every engine understands.",
        _D + 'where name matches "a("', _D + 'where name matches "^a"',
    ),
    ("NQL317", "Computed custom field", "Only manual custom fields are compared with other fields.", "", "devices"),
    (
        "NQL401", "Aggregate in a row", "where and list look at one row.",
        _D + "where hardware.memory.avg() > 3GB", _D + "summarize m = hardware.memory.avg() | where m > 3GB",
    ),
    (
        "NQL402", "Backward selection", "It ends before it starts.",
        "devices from 1d ago to 2d ago", "devices from 2d ago to 1d ago",
    ),
    ("NQL403", "Bad length of time", "Minutes, hours or days.", "devices past 5", "devices past 5d"),
    (
        "NQL404", "hour() over days", "hour() needs a selection in hours.",
        "execution.crashes past 7d | where time.hour() > 8", "execution.crashes past 168h | where time.hour() > 8",
    ),
    (
        "NQL405", "Bad period", "Periods of by.",
        _C + "summarize n = count() by 20min", _C + "summarize n = count() by 15min",
    ),
    (
        "NQL406", "Period too fine", "A selection in days reads daily samples.",
        "execution.events past 7d | summarize n = device.count() by 1h",
        "execution.events past 168h | summarize n = device.count() by 1h",
    ),
    ("NQL407", "Parameter out of place", "Parameters are values.", "", _D + "where name == $n"),
    (
        "NQL408", "Format out of place", "as() ends a column.",
        _D + "where hardware.memory.as(format = percent) > 1", _D + "list hardware.memory.as(format = bitrate)",
    ),
    (
        "NQL409", "No such resolution", "by 30s is for VDI samples.",
        "execution.events past 2h by 30s", "session.vdi_events past 2h by 30s",
    ),
    ("NQL410", "Table without time", "It takes no selection.", "campaigns past 7d", "campaigns"),
    ("NQL411", "Not a metric", "Totals are numbers.", _D + "summarize n = true", _D + "summarize n = 1"),
    (
        "NQL412", "Aggregate of an aggregate", "One aggregate a value.",
        _D + "summarize n = hardware.memory.avg().sum()", _D + "summarize n = hardware.memory.avg()",
    ),
    (
        "NQL413", "Function out of place", "What compute and summarize take.",
        _J + "compute t = time.time_elapsed()", _J + "compute t = time.last().time_elapsed()",
    ),
    (
        "NQL414", "Wrong operand", "The function is not defined for it.",
        _D + "summarize n = name.sum()", _D + "summarize n = hardware.memory.sum()",
    ),
    (
        "NQL415", "Not known of samples", "Samples hold sum, count, min and max of a metric.",
        "execution.events past 2h | summarize n = memory.stddev()",
        "execution.events past 2h | summarize n = memory.avg.stddev()",
    ),
    (
        "NQL416", "include without compute", "It changes nothing.",
        "devices | include execution.crashes during past 24h", "devices | with execution.crashes during past 24h",
    ),
    (
        "NQL417", "After summarize", "Joins and totals come before.",
        _D + "summarize n = count() | with execution.crashes", _D + "summarize n = count() | list n",
    ),
    (
        "NQL418", "compute without events", "It needs with or include.",
        _D + "compute n = count()", _J + "compute n = count()",
    ),
    (
        "NQL419", "Bad group", "What cannot be a group.",
        _D + "summarize n = count() by hardware.memory", _D + "summarize n = count() by hardware.type",
    ),
    ("NQL420", "Bad order", "What has no order.", _D + "sort tags", _D + "sort name"),
    ("NQL421", "Bad limit", "A whole number of rows.", _D + "limit 2.5", _D + "limit 2"),
    ("NQL422", "No such time", "Known once the clock is.", "devices from 2024-11-10 to 2h ago", "devices past 2h"),
    (
        "NQL423", "Name in its own clause", "Names are known in later clauses.",
        _J + "compute a = count(), b = a * 2", _J + "compute a = count(), b = count() * 2",
    ),
    (
        "NQL424", "Many values", "A total needs an aggregate.",
        _J + "compute a = number_of_crashes", _J + "compute a = number_of_crashes.sum()",
    ),
    ("NQL501", "Text too long", "At most 16,000 characters.", "", "devices"),
    ("NQL502", "Nested too deep", "At most 120 levels.", "", "devices"),
    ("NQL503", "Too many clauses", "At most 100.", "", "devices"),
    (
        "NQL504", "Number too large", "64 bits.",
        _D + "where hardware.memory > 99999999TB", _D + "where hardware.memory > 9TB",
    ),
    ("NQL505", "Selection too long", "At most 4000 days.", "devices past 5000d", "devices past 4000d"),
    ("NQL506", "Target without devices", "Targets are queries over devices.", "", "devices"),
    ("NQL507", "Target with a summary", "Targets have one row a device.", "", "devices"),
    ("NQL508", "Parameter without value", "Every parameter needs one.", _D + "where name == $a", "devices"),
    ("NQL509", "Parameter of the wrong type", "The value does not fit.", _D + "where last_seen > $n", "devices"),
    ("NQL510", "Not in NQL", "An extension of Muster under strict=nexthink.", "", "devices"),
    ("NQL511", "Not for this account", "The table needs a permission.", "", "devices"),
    ("NQL512", "More than a condition", "A view domain is one condition on devices.", "", "devices"),
    (
        "NQL601", "Filter on single samples", "Each sample is compared, not their total.",
        "devices | with execution.events past 7d | where number_of_freezes > 3",
        "devices | with execution.events past 7d | compute n = number_of_freezes.sum() | where n > 3",
    ),
    (
        "NQL602", "Count of samples", "count() counts the samples of a sampled table.",
        "web.page_views past 7d | summarize n = count()",
        "web.page_views past 7d | summarize n = number_of_page_views.sum()",
    ),
    (
        "NQL603", "Days beside hours", "2d are whole calendar days, 48h go back from now.",
        "devices past 2d | with execution.crashes past 48h", "devices past 2d | with execution.crashes past 2d",
    ),
    (
        "NQL604", "Mean of one sample", ".avg is the mean of one sample, .avg() that of all.",
        "devices | with device_performance.events past 24h | where free_memory.avg < 3GB",
        "devices | with device_performance.events past 24h | compute m = free_memory.avg() | where m < 3GB",
    ),
    (
        "NQL605", "Filter that never holds", "Its parts contradict each other.",
        _D + 'where entity == "a" and entity == "b"', _D + 'where entity == "a" or entity == "b"',
    ),
)  # fmt: skip
_WARNINGS = frozenset({"NQL206", "NQL210", "NQL306", "NQL416"})
_LATE = frozenset({"NQL422", "NQL508", "NQL509"})

CODES: Mapping[str, Code] = MappingProxyType(
    {
        code: Code(code, title, doc, wrong, right, code in _WARNINGS or code.startswith("NQL6"), code in _LATE)
        for code, title, doc, wrong, right in _TABLE
    }
)
