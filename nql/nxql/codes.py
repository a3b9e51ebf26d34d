"""Every diagnostic code of NXQL, as data: what it says, a query that is wrong and one that is right.

The reference and the tests read this table as they read `nql.codes`: each `wrong` gives its code, each `right` compiles
without a word over the shipped catalog. Invariant: a code means one thing, and keeps it. NXQL1xx reading, 2xx names,
3xx types, values and times. Where no short text gives a code, `wrong` is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nql.codes import Code

_ALL = "(select (name) (from device))"


def _where(condition: str) -> str:
    return f"(select (name) (from device (where device {condition})))"


def _with(inside: str) -> str:
    return f"(select (name) (from device (with execution {inside})))"


_NAME = _where('(eq name (string "PC-1"))')
_RAM = _where("(gt total_ram (byte 8589934592))")
_EITHER = '(select (name) (from device (where device (eq name "a")) (where device (eq name "b"))))'
_CRASH = "(where device_error (eq type system_crash))"
_RESET = '(where device_error (eq type "hard reset"))'
_WEEK = _with("(between now-7d now)")

_TABLE = (
    ("NXQL101", "Unexpected text", "Something stands where it cannot.", _ALL + " (limit 3)", _ALL),
    (
        "NXQL102", "Typographic quotes", "Texts stand in straight quotes.",
        _where("(eq name (string “PC-1”))"), _NAME,
    ),
    ("NXQL103", "Open quote", "A quote is closed by the same quote.", _where('(eq name (string "PC-1))'), _NAME),
    ("NXQL104", "Surplus bracket", "A bracket in the middle closes nothing.", _ALL + ") (limit 3)", _ALL),
    ("NXQL105", "Not a query", "A query starts with select or update.", "(show (name) (from device))", _ALL),
    ("NXQL106", "No field", "select names what is shown.", "(select (from device))", _ALL),
    ("NXQL107", "No table", "from and with name their tables.", "(select (name))", _ALL),
    ("NXQL108", "Not a condition", "A condition is operator, field, value.", _where("(eq name)"), _NAME),
    ("NXQL109", "Unknown operator", "eq, ne, lt, le, gt, ge.", _where('(like name (pattern "a*"))'), _NAME),
    (
        "NXQL110", "Unknown restriction", "where, with, between; compute inside with.",
        "(select (name) (from device (group_by name)))", _ALL,
    ),
    (
        "NXQL111", "Bad order or limit", "(order_by field asc|desc), (limit count).",
        "(select (name) (from device) (limit ten))", "(select (name) (from device) (order_by name desc) (limit 10))",
    ),
    ("NXQL112", "Bad between", "A start and an end.", _with("(between now-7d)"), _WEEK),
    (
        "NXQL113", "Bad update", "One set of a category or custom field, one from with where.",
        '(update (set name (string "a")) (from device (where device (eq name (string "PC-1")))))', _ALL,
    ),
    ("NXQL114", "Text too long", "At most 16,000 characters.", "", _ALL),
    ("NXQL115", "Nested too deep", "At most 40 levels.", "(" * 50, _ALL),
    (
        "NXQL116", "Fields without their table", "Beside several tables each field stands under its own.",
        "(select (name (user (name))) (from (connection user)))",
        "(select ((connection (start_time)) (user (name))) (from (connection user)))",
    ),
    ("NXQL201", "Unknown table", "There is no such table.", "(select (name) (from devices))", _ALL),
    (
        "NXQL202", "Table that NQL lacks", "The classic table has no counterpart.",
        "(select (name) (from printer))", _ALL,
    ),
    ("NXQL203", "Unknown field", "The table has no such field.", "(select (nam) (from device))", _ALL),
    (
        "NXQL204", "Without counterpart", "What NQL does not have cannot be compared; the hint says why.",
        _where('(eq group_name (string "office"))'), _where('(eq entity (string "office"))'),
    ),
    (
        "NXQL205", "Unknown aggregate", "The events have no such aggregate.",
        _with("(compute number_of_device) (between now-7d now)"),
        _with("(compute number_of_users) (between now-7d now)"),
    ),
    (
        "NXQL206", "Table out of reach", "where and projection speak of tables of the query.",
        '(select (name) (from device (where user (eq name (string "ann")))))', _NAME,
    ),
    (
        "NXQL207", "Tables that do not go together", "One kind of events, at most two objects, events inside with.",
        "(select (name) (from (device user)))",
        "(select ((device (name)) (user (name))) (from (device user) (with execution (between now-7d now))))",
    ),
    (
        "NXQL208", "Not linked", "The events do not point to the object.",
        "(select (name) (from package (with execution (between now-7d now))))",
        "(select (name) (from package (with installation (where installation (eq type installation)))))",
    ),
    (
        "NXQL209", "Glob", "A glob stands for fields that match it, and for columns only.",
        "(select (*colour*) (from device))", "(select (*drive*) (from device))",
    ),
    (
        "NXQL210", "Unknown dynamic field", "No such category, score or action.",
        "(select (#nothing) (from device))", _ALL,
    ),
    (
        "NXQL211", "Several kinds of events", "NQL keeps each kind in a table of its own.",
        f"(select (time) (from device_error {_CRASH} {_RESET}))", f"(select (time) (from device_error {_CRASH}))",
    ),
    (
        "NXQL212", "Time out of place", "Events have a time, objects and packages have none.",
        "(select (name) (from device (between now-7d now)))", _WEEK,
    ),
    (
        "NXQL213", "Summed up elsewhere", "Fields made of other tables need the objects alone.",
        "(select ((execution (start_time)) (device (cpu_model))) (from (execution device)))",
        "(select (cpu_model) (from device))",
    ),
    ("NXQL214", "Parameter without value", "%1 takes its value from p1.", _where("(eq name (string %1))"), _NAME),
    (
        "NXQL215", "One kind of several", "Without a type one kind of the events answers.",
        "(select (time) (from device_error (between now-7d now)))",
        f"(select (time) (from device_error {_CRASH} (between now-7d now)))",
    ),
    ("NXQL216", "Platform lacks it", "The field does not exist on the platforms asked for.", "", _ALL),
    (
        "NXQL218", "Empty column", "NQL has nothing for it; the column is there, so that clients find it, and empty.",
        "(select (name mac_addresses) (from device))", "(select (name last_ip_address) (from device))",
    ),
    ("NXQL301", "Wrong type", "A value has the type of its field.", _where("(gt total_ram (integer 5))"), _RAM),
    ("NXQL302", "Not a value", "The text is no value of its type.", _where("(gt total_ram (byte much))"), _RAM),
    ("NXQL303", "No order", "Texts and words are equal or not.", _where('(gt name (string "a"))'), _NAME),
    (
        "NXQL304", "No such time", "now-7d, midnight-1d, 2024-11-08, 2024-11-08@13:00.",
        _with("(between 2024-02-30 now)"), _with("(between 2024-02-28 now)"),
    ),
    (
        "NXQL305", "Unknown value", "All values of the field are known, and this is none.",
        _where("(eq device_type (enum toaster))"), _where("(eq device_type (enum laptop))"),
    ),
    (
        "NXQL306", "Value not known", "A value that nothing has here, perhaps misspelt.",
        _where("(ne device_type (enum mobile))"), _where("(ne device_type (enum server))"),
    ),
    (
        "NXQL307", "Empty or endless period", "It ends after it starts, and is not too long.",
        _with("(between now now-7d)"), _WEEK,
    ),
    (
        "NXQL308", "Today alone", "Counted in days, one day is today.",
        _with("(between now-1d now)"), _with("(between now-24h now)"),
    ),
    (
        "NXQL309", "Number too large", "64 bits.",
        _where("(gt last_boot_duration (second 999999999999999999))"), _where("(gt last_boot_duration (second 60))"),
    ),
    (
        "NXQL310", "No order of rows", "Rows cannot be ordered by a list.",
        "(select (name) (from device) (order_by monitors asc))", "(select (name) (from device) (order_by name asc))",
    ),
    ("NXQL311", "Refused by the plan", "What NQL has to say about it.", "", _ALL),
    (
        "NXQL312", "Never true", "Conditions of one where all have to hold; two where are either.",
        _where('(eq name "a") (eq name "b")'), _EITHER,
    ),
)  # fmt: skip
_WARNINGS = frozenset({"NXQL312", "NXQL215", "NXQL218", "NXQL306", "NXQL308"})

CODES: Mapping[str, Code] = MappingProxyType(
    {code: Code(code, title, doc, wrong, right, code in _WARNINGS) for code, title, doc, wrong, right in _TABLE}
)
