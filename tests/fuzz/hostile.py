"""Families of texts made to cost much: each grows to any length.

In: a length in characters. Out: a text of about that length. Invariant: a family is the same construction at every
length, so that its cost can be compared between lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


def repeated(head: str, part: str, tail: str = "") -> Callable[[int], str]:
    """A head, a part as often as it fits, a tail."""
    return lambda length: head + part * max(1, (length - len(head) - len(tail)) // len(part)) + tail


def numbered(head: str, part: str, tail: str = "") -> Callable[[int], str]:
    """As `repeated`, with a number in each part in place of `@`."""

    def made(length: int) -> str:
        parts, size, number = [head], len(head) + len(tail), 0
        while size + len(part) + 4 < length:
            parts.append(part.replace("@", str(number)))
            size += len(parts[-1])
            number += 1
        return "".join(parts) + tail

    return made


def nested(head: str, opening: str, core: str, closing: str, tail: str = "") -> Callable[[int], str]:
    """A core inside as many brackets as fit."""

    def made(length: int) -> str:
        times = max(1, (length - len(head) - len(core) - len(tail)) // (len(opening) + len(closing)))
        return head + opening * times + core + closing * times + tail

    return made


def clauses(table: str, head: str, part: str, tail: str = "", times: int = 99) -> Callable[[int], str]:
    """Nearly as many clauses as a query may have, if there is room: each a head, parts, a tail; `@` is its number."""

    def made(length: int) -> str:
        ends = [(f" | {head}".replace("@", str(at)), tail.replace("@", str(at))) for at in range(times)]
        empty = len("".join(ends[-1]))
        number = max(1, min(times, (length - len(table)) // (empty + len(part))))
        parts = (length - len(table) - number * empty) // len(part)
        sizes = [parts // number + (at < parts % number) for at in range(number)]
        return table + "".join(f"{begin}{part * size}{end}" for (begin, end), size in zip(ends, sizes, strict=False))

    return made


def lets(length: int) -> str:
    """Each name stands for twice the name before."""
    tail = "devices | list n = a1"
    parts, size = ["let a0 = 1;"], 11 + len(tail)
    while size + 40 < length:
        parts.append(f"let a{len(parts)} = a{len(parts) - 1} + a{len(parts) - 1};")
        size += len(parts[-1])
    return "".join(parts) + tail


FAMILIES: Mapping[str, Callable[[int], str]] = {
    "open brackets": repeated("devices | where ", "("),
    "nested brackets": nested("devices | where ", "(", 'name == "a"', ")"),
    "nested lists": nested("devices | where name in ", "[", "1", "]"),
    "nested calls": nested("devices | list ", "if(name is null, ", "1", ", 1)"),
    "chained calls": repeated("devices | list name", ".lower()"),
    "nots": repeated("devices | where ", "not ", 'name == "a"'),
    "minuses": repeated("devices | where ", "-", "1 == 1"),
    "sums": repeated("devices | summarize n = 1", "+1"),
    "powers": repeated("devices | summarize n = 1", "^1"),
    "sums of fields": repeated("devices | list n = hardware.memory", " + hardware.memory"),
    "ors": repeated('devices | where name == "a"', ' or name == "a"'),
    "different ors": numbered('devices | where name == "a"', ' or name == "b@"'),
    "ands of ranges": numbered("devices | where hardware.memory > 1", " and hardware.memory > @"),
    "alternating and or": repeated('devices | where name == "a"', ' and name == "a" or name != "b"'),
    "patterns": repeated("devices | where name in [", '"a*",', '"b"]'),
    "stars": repeated('devices | where name == "', "*a", '"'),
    "regex repeats": repeated('devices | where name matches "', "a?", '"'),
    "regex groups": nested('devices | where name matches "', "(", "a", ")+", '"'),
    "limits": repeated("devices", " | limit 1"),
    "filters": repeated("devices", ' | where name == "a"'),
    "joins": numbered("devices", " | include execution.crashes past 7d | compute n@ = count()"),
    "columns": repeated("devices | list name", ",name"),
    "sort keys": repeated("devices | sort name", ", name desc"),
    "group keys": repeated("devices | summarize n = count() by entity", ", entity"),
    "periods": repeated("execution.crashes | summarize n = count() by 1d", ", 1d"),
    "metrics": numbered("devices | summarize n = count()", ", n@ = count()"),
    "values of rows": numbered("devices | compute v = 1", ", v@ = @"),
    "values of groups": numbered("devices | summarize n = count() | compute v = n", ", v@ = n"),
    "listed under names": numbered("devices | list v = name", ", v@ = name"),
    "metrics of metrics": numbered(
        "execution.crashes | summarize n = count()", ", n@ = number_of_crashes.sumif(time > 2024-11)"
    ),
    "twice the same name": repeated("devices | summarize n = count()", ", n = count()"),
    "wrong types": repeated("devices | where name == 1", " | where name == 1"),
    "unknown columns": numbered("devices | list name", ", nonsense_@"),
    "unknown long column": repeated("devices | list ", "nonsense_"),
    "unknown paths": numbered("execution.events | list start_time", ", device.hardwar.memry_@"),
    "unknown members": numbered("devices | where hardware.type in [", "laptop@, ", "desktop]"),
    "unknown open members": numbered("devices | where operating_system.platform in [", "windows@,", "macos]"),
    "unknown functions": numbered("devices | summarize n = name.cuont@()", ", n@ = name.cuont()"),
    "unknown tables": numbered("devices", " | include execution.crashs@"),
    "lets": numbered("", "let a@ = 8GB;", "devices | where hardware.memory > a0"),
    "lets of lets": lets,
    "open comments": repeated("devices ", "/*"),
    "comments": repeated("devices ", "/**/"),
    "comment starts": repeated("devices /", "*/"),
    "line comments": repeated("devices", " // c\n"),
    "spaces": repeated("devices ", " ", "|"),
    "line ends": repeated("devices |", "\n"),
    "digits": repeated("", "9"),
    "digits and points": repeated("devices | where name == 1", ".1"),
    "dots": repeated("devices | list a", ".a"),
    "spaced dots": repeated("devices | list a", " . a"),
    "signs in a comment": repeated("devices | where not a ", "// c ", "\n"),
    "signs in a comment before a dot": repeated("devices | list a ", "// c ", "\n, 1"),
    "signs in a comment after let": repeated("let ", "// c ", "\n"),
    "commented dots": repeated("devices | list a", "/**/."),
    "quotes": repeated("devices | where name == ", '"'),
    "open quotes": repeated("devices | where name == ", '"a\n'),
    "curly quotes": repeated("devices | where name == ", "“"),
    "colons": repeated("devices | where collector.local_ip == ", ":"),
    "colons and digits": repeated("devices | where collector.local_ip == ", "1:"),
    "addresses": repeated("devices | where collector.local_ip == 1", ".1"),
    "networks": repeated("devices | where collector.local_ip in [", "10.0.0.0/8,", "10.0.0.1]"),
    "dates": repeated("execution.crashes | where time in [", "2024-11-08,", "2024-11-09]"),
    "broken dates": repeated("execution.crashes | where time == ", "2024-11-"),
    "months": repeated("execution.crashes on ", "Nov "),
    "versions": repeated("devices | where collector.version == v1", ".1"),
    "pipes": repeated("devices", "|"),
    "words": repeated("", "devices "),
    "equals": repeated("devices | where name ", "= "),
    "bangs": repeated("devices | where name ", "!"),
    "exotic signs": repeated("devices", "\u2028é😀"),
    "signs": repeated("", "@"),
    "parameters": numbered("devices | where name in [", "$p@,", "$p]"),
    "hashes": repeated("devices | list ", "#a,", "name"),
    "betweens": repeated("devices | where hardware.memory between 1 and 2", " and hardware.memory between 1 and 2"),
    "hundred filters": clauses("devices", "where name == 'a'", " or name == 'b'"),
    "hundred of joins": clauses(
        "devices",
        "include execution.crashes past 7d | where name == 'a'",
        " or name == 'b'",
        " | compute n@ = count()",
        33,
    ),
    "hundred columns": clauses("devices", "compute n@ = name", ".lower()"),
    "hundred sorts": clauses("devices", "sort name", ", name"),
    "hundred unfinished": clauses("devices", "where name == 'a'", " or name == 'b'", " or name =="),
    "hundred and a long word": clauses("devices", "where name == ", "a"),
    "one word and space": repeated("devices | list ", "a", " "),
    "one number and space": repeated("devices | list ", "9", " "),
    "numbers and dashes": repeated("devices | where name == ", "2024-", " /"),
    "comments without end": repeated("devices ", "/* "),
    "brackets in calls": repeated("devices | where if(name is null, ", "(1), (1", ") == 1"),
    "comparisons of comparisons": clauses("devices", "where ((name is null) == ", "(name is null) == ", "true)"),
    "nested lists of numbers": nested("devices | where name in ", "[1, ", "1", "]"),
    "items of items": repeated("devices | list name", ", if(name is null, (1 + 1) * 2, 1)"),
    "defaults": repeated("session.logins | summarize n = number_of_logins.max()", ".default(0)"),
    "divisions": repeated("devices | list a = hardware.memory", " / 2"),
    "comments in items": repeated("devices | list name", ", /* a */ name // b\n"),
    "countifs": nested("devices | summarize n = ", "countif(", "name == 1", ")"),
}
