"""Where the documents of NQL leave open what a query means: the question, what was decided, and a query that shows it.

The reference prints this table. Invariant: every open point A1 to A36 of the language's specification is here once,
in order, and has a record in `tests/logic/decisions/` whose title begins with its id; the recommendation of the
specification holds unless `otherwise` says why not. `switch` names the switch of `nql.rules` where there is one. An
example is a query that runs as it stands over any estate; it is empty where no short query shows the point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Decision:
    """One open point. `records` is the file of the records that show it."""

    id: str
    title: str
    question: str
    decision: str
    records: str
    example: str = ""
    switch: str = ""
    otherwise: str = ""


_C = "execution.crashes during past 7d | "
_I = "devices | include execution.crashes during past 7d | "

_TABLE = (
    Decision(
        "A1", "Null and !=", "What do !=, !in and !contains say of null?",
        "A stored null passes, a computed null fails.",
        "null_and_numbers", _I + "compute total = number_of_crashes.sum() | where total != 0 | list name, total",
        "nulls: split (as said), pass (always), fail (never)",
    ),
    Decision(
        "A2", "No time selection", "Which events does a query without a time selection mean?",
        "All that are kept of the table, as its retention says. The answer tells the window.",
        "time", "execution.crashes | summarize n = count()",
    ),
    Decision(
        "A3", "Escapes in texts", "How are quotes, backslashes, plain * and ? written?",
        "A backslash is a plain character. The other kind of quotes holds a quote. A plain * or ? is written in a "
        "regular expression with matches, which is ours.",
        "reading", r'devices | where name != "DOMAIN\user" | summarize n = count()',
    ),
    Decision(
        "A4", "The grid of minutes", "To which grid is a selection in minutes rounded?",
        "To quarters of an hour, also where a table has samples of five minutes.",
        "time", "execution.events past 40min | summarize t = cpu_time.sum()",
    ),
    Decision(
        "A5", "Active objects", "Which objects does a time selection after a table of objects mean?",
        "Devices with a sample in device_performance.events, users in session.events, binaries in execution.events. An "
        "object of which no sample is kept counts if first_seen to last_seen overlaps the window.",
        "time", "devices during past 1d | summarize n = count()",
    ),
    Decision(
        "A6", "Empty periods", "Does a period without events have a row?",
        "No. With fill, which is ours, it has: counts are 0 and all else is null. Charts draw the gaps.",
        "time", _C + 'where binary.name == "outlook.exe" | summarize n = count() by 1d',
    ),
    Decision(
        "A7", "Where periods begin", "Where do periods such as 6h or 2d begin?",
        "At the start of the window, and then one after the other. Weeks and months, which are ours, begin on Mondays "
        "and on the first.",
        "time", "execution.crashes past 26h | summarize n = count() by 6h",
    ),
    Decision(
        "A8", "field.count()", "Does field.count() count values, or different values?",
        "Different values of properties, different objects; all values of a number or metric; rows with a value of a "
        "computed name.",
        "null_and_numbers", _C + "summarize names = binary.name.count(), hit = device.count(), n = count()",
    ),
    Decision(
        "A9", "sumif without a match", "What is sumif where no row fits?",
        "0 where there are rows, null where there are none.",
        "null_and_numbers", _I + 'compute total = number_of_crashes.sumif(binary.name == "nothing") | list name, total',
    ),
    Decision(
        "A10", "The sum of nothing", "What is the sum of nothing but nulls, or of no rows?",
        "Null; counts are 0.",
        "null_and_numbers",
        'devices | where name == "nothing" | summarize memory = hardware.memory.sum(), n = count()',
    ),
    Decision(
        "A11", "No such number", "What is a division by zero, and a number that does not fit?",
        "Null. Whole numbers have 64 bits; a result beyond them is null.",
        "null_and_numbers", 'devices | summarize x = count() / countif(name == "nothing")',
        otherwise="The recommendation turns a sum of whole numbers beyond 64 bits into a float. That would give a "
        "column another type for some data, and a number that is only nearly right; null says that there is no answer.",
    ),
    Decision(
        "A12", "How much a KB is", "Are units of sizes powers of 1000 or of 1024?",
        "Of 1024.",
        "null_and_numbers", "devices | where hardware.memory == 16777216KB | summarize n = count()",
        "kilo: 1024, 1000",
    ),
    Decision(
        "A13", "Percentiles", "By which method are percentiles found?",
        "Nearest rank: a value that occurs, exact. Of samples, the mean of each counts as often as it has values.",
        "null_and_numbers", "session.logins | summarize t = time_until_desktop_is_ready.p95()",
    ),
    Decision(
        "A14", "last() in doubt", "Which value is the last of several at one time, and what of nulls?",
        "The one of the latest time; of several, that of the row which was stored later. Nulls are passed over.",
        "aggregates", _I + "compute newest = binary.name.last() | list name, newest",
    ),
    Decision(
        "A15", "Groups of whole numbers", "May a whole number be a group?",
        "Yes. Sizes, durations, date-times and numbers with a point may not.",
        "aggregates", "devices | summarize n = count() by days_since_last_seen",
    ),
    Decision(
        "A16", "A field's name given anew", "May a new name be that of a field?",
        "Yes, with a warning: from there on it means the new value.",
        "reading", "devices | include execution.crashes during past 7d | compute entity = count() | list name, entity",
    ),
    Decision(
        "A17", "Order", "Which direction has sort where none is written, how do several keys and nulls stand?",
        "Ascending; each key has its own direction, the first counts most; nulls are last in both directions.",
        "aggregates", "devices | sort entity, hardware.memory desc | list name, entity, hardware.memory",
    ),
    Decision(
        "A18", "where after list", "May where follow list, and which names does it know?",
        "It may, and knows the same names as without list.",
        "aggregates", "devices | list name | where hardware.memory > 32GB",
    ),
    Decision(
        "A19", "Mixed selections", "What does a selection from a day to a clock time mean, and one that ends first?",
        "It is cut by the clock of the user; a day means its first midnight there, also as the end. One that ends "
        "before it starts is an error.",
        "time", "execution.crashes from 2d ago to 1h ago | summarize n = count()",
    ),
    Decision(
        "A20", "A date-time beside a day", "What does time = 2024-07-15 mean?",
        "That the time lies on that day, from midnight to midnight of the user. < means before it, > after it.",
        "time", "devices | where first_seen > 2024-07-15 | summarize n = count()",
    ),
    Decision(
        "A21", "The zone of comparisons", "In which zone are written date-times of conditions read?",
        "In the user's.",
        "time", "session.logins past 24h | where time < 2026-11-26 08:00 | summarize n = count()",
    ),
    Decision(
        "A22", "Enumerations in quotes", "May a word of an enumeration stand in quotes?",
        "Yes, in any case, and with wildcards.",
        "reading", 'devices | where hardware.type == "*top" | summarize n = count() by hardware.type',
    ),
    Decision(
        "A23", "The power", "How strong does ^ bind?",
        "Stronger than * and /, and from the right. A minus before a number belongs to it: -2 ^ 2 is 4.",
        "null_and_numbers", "devices | summarize a = 2 * 3 ^ 2, b = 2 ^ 3 ^ 2",
    ),
    Decision(
        "A24", "Dates without a year", "Which year has a date without one?",
        "The latest in which the day is not in the future.",
        "reading", "execution.crashes on Nov 25 | summarize n = count()",
    ),
    Decision(
        "A25", "Fields that are lists", "What is a field such as antiviruses in list, and beside contains?",
        "One cell with all of them; contains holds if one of them fits.",
        "objects", 'devices | where antiviruses contains "*Defender*" | summarize n = count()',
    ),
    Decision(
        "A26", "Outputs as fields of devices", "Which execution does an output of an action on a device come from?",
        "The last one that was a success: of all that are kept, or of the time that the query selects.",
        "objects",
    ),
    Decision(
        "A27", "Selections are not handed on", "Does the selection of the first table bound later joins?",
        "No. Each table has its own.",
        "time", "devices during past 1d | include execution.crashes | compute n = count() | list name, n",
    ),
    Decision(
        "A28", "Parts of devices", "How are antiviruses, disks and other parts of devices joined?",
        "Like events that have no time.",
        "objects", "devices | include device.volumes | compute free = free_space.sum() | list name, free",
    ),
    Decision(
        "A29", "Comments", "Where may a comment stand?",
        "Between any two words.",
        "reading", "devices | /* all */ summarize n = /* of them */ count()",
    ),
    Decision(
        "A30", "Missing context", "What is a field of context that an event does not have?",
        "Null.",
        "null_and_numbers", _C + "where context.location.country = null | summarize n = count()",
    ),
    Decision(
        "A31", "compute after compute", "What does a second compute right after the first speak of?",
        "Of the same events.",
        "aggregates", _I + "compute n = count() | compute newest = time.last() | list name, n, newest",
    ),
    Decision(
        "A32", "Days on which clocks change", "How long is such a day?",
        "From midnight to midnight of its zone: 23 or 25 hours.",
        "time",
    ),
    Decision(
        "A33", "Unusual limits", "What do limit 0, and several limits, mean?",
        "No rows; the smallest holds.",
        "aggregates", "devices | sort name | limit 3 | limit 2 | list name",
    ),
    Decision(
        "A34", "Rounding of as()", "How does as() round and group digits?",
        "At most two decimals, thousands parted by commas. The value itself is not rounded.",
        "null_and_numbers",
        "devices | summarize share = countif(hardware.type == laptop) / count() | list share.as(format = percent)",
        otherwise="The recommendation groups digits as the user's language does. A fixed form makes an answer read the "
        "same for everybody, in pages, terminals and files.",
    ),
    Decision(
        "A35", "What parts of the product ask of a query", "Which queries do monitors, webhooks and actions take?",
        "A target of a remote action is a query over devices with one row a device. Only what is documented is asked; "
        "a part of the product that is not there yet asks nothing.",
        "reading",
    ),
    Decision(
        "A36", "contains and plain texts", "What does contains mean of a text that is no list?",
        "That it has the part; where wildcards stand in it, that the whole text fits them.",
        "reading", 'binaries | where name contains "out" | summarize n = count() by name',
    ),
)  # fmt: skip

DECISIONS: Mapping[str, Decision] = MappingProxyType({item.id: item for item in _TABLE})
