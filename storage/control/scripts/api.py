"""What a script says of itself, and where that and its manifest disagree: the public face of this folder.

In: the text of a script and its language; a manifest. Out: `Found`; sentences for people. Invariants: a script is only
read, never run; any text gives an answer. A byte order mark and carriage returns are passed over, never taken out of
the script itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from storage.control.manifest import SCRIPT_BYTES, Input, Manifest, Output, Script
from storage.control.scripts import plain, powershell, python, shell
from storage.control.scripts.found import Finding, Found, FoundInput, FoundOutput

__all__ = ["Found", "FoundInput", "FoundOutput", "disagreements", "find"]


def find(script: Script) -> Found:
    """The inputs and outputs of a script, and what is wrong with how it names them."""
    finding = Finding()
    if len(script.text.encode("utf-8", "surrogatepass")) > SCRIPT_BYTES:
        finding.problem(1, f"the script is larger than {SCRIPT_BYTES} bytes")
        return finding.found(None)
    text = script.text.removeprefix("\ufeff")
    if "\0" in text:
        finding.problem(text.count("\n", 0, text.index("\0")) + 1, "the script holds a NUL character")
    match script.language:
        case "powershell":
            reads = powershell.find(text, finding)
        case "python":
            reads = python.find(text, finding)
        case language:
            _lines(script.text, finding)
            reads = shell.find(text, language, finding)
    plain.find(text, finding)
    return finding.found(reads)


def _lines(text: str, finding: Finding) -> None:
    if text.startswith("\ufeff"):
        finding.problem(1, "it begins with a byte order mark, which a shell takes for a command: save it without")
    if "\r\n" in text:
        line = text.count("\n", 0, text.index("\r\n")) + 1
        finding.problem(line, "lines end with CR and LF, which a shell does not read: save it with LF alone")


def disagreements(manifest: Manifest) -> list[str]:
    """Everything in which a manifest and its scripts differ, and what is wrong in the scripts, by platform."""
    return [
        f"{platform}: {said}"
        for platform, script in manifest.scripts.items()
        for said in _differences(manifest, platform, find(script))
    ]


def _differences(manifest: Manifest, platform: str, found: Found) -> Iterator[str]:
    yield from (f"line {problem.line}: {problem.message}" for problem in found.problems)
    yield from _outputs([item for item in manifest.outputs if platform in (item.platforms or (platform,))], found)
    yield from _inputs([item for item in manifest.inputs if platform in (item.platforms or (platform,))], found)


def _outputs(declared: list[Output], found: Found) -> Iterator[str]:
    known = {item.name: item for item in declared}
    written = {item.name: item for item in found.outputs}
    for name, item in written.items():
        if name not in known:
            yield f"line {item.line}: output {name} ({item.type}) is written, but the manifest does not declare it"
        elif known[name].type != item.type:
            yield f"line {item.line}: output {name} is a {item.type} here and a {known[name].type} in the manifest"
    for name in known:
        if name not in written or not written[name].written:
            yield f"output {name} is declared, but the script never writes it"


def _inputs(declared: list[Input], found: Found) -> Iterator[str]:
    known = {item.name: item for item in declared}
    taken = {item.name: item for item in found.inputs}
    for name, item in taken.items():
        if name not in known:
            yield f"line {item.line}: input {name} is taken by the script, but the manifest does not declare it"
        else:
            yield from _values(known[name], item)
    if found.reads is not None:
        for name in known:
            if name.lower() not in found.reads and name not in taken:
                yield f"input {name} is declared, but the script never reads it"
    places = [item.name for item in found.inputs if item.position is not None]
    order = [item.name for item in declared]
    if places and order[: len(places)] != places and set(places) <= set(order):
        yield f"the script takes its inputs in the order {', '.join(places)}; the manifest has {', '.join(order)}"


def _values(known: Input, found: FoundInput) -> Iterator[str]:
    if found.allowed and (wrong := [value for value in known.allowed if value not in found.allowed]):
        yield f"line {found.line}: the script takes no {wrong[0]!r} for input {known.name}"
    elif found.allowed and not found.custom and (known.custom or not known.allowed):
        yield f"line {found.line}: the script takes only {', '.join(found.allowed)} for input {known.name}"
