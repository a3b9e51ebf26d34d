"""What an action says about itself: the form of its manifest, and what parameters a run of it may have.

In: a manifest decoded from JSON (msgspec checks shapes and bounds), parameter texts. Out: the content that a
version's hash covers, and the manifest of a content again, or RefusedError with every problem found. Invariants: what
passes here can be run by any agent and gives typed columns; texts hold no NUL; a part that says nothing is not in the
content, so that the version of an action stays when manifests learn to say more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from storage.control.campaign_definition import Campaign, campaign_problems, twice
from storage.control.errors import RefusedError

OutputType = Literal[
    "string", "bool", "uint32", "float", "size", "ratio", "bitrate", "date_time", "duration", "string_list"
]
Purpose = Literal["data_collection", "remediation"]
Language = Literal["bash", "python", "zsh", "powershell"]
Platform = Literal["linux", "macos", "windows"]
Trigger = Literal["manual", "manual_multiple", "api", "workflow", "schedule"]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$(?!\n)")]
NqlId = Annotated[str, Meta(pattern=r"^#[a-z0-9_]{2,255}$(?!\n)")]
Label = Annotated[str, Meta(max_length=255)]
Description = Annotated[str, Meta(max_length=4096)]
ParameterText = Annotated[str, Meta(max_length=4096)]
AccountName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$(?!\n)")]
Platforms = Annotated[tuple[Platform, ...], Meta(max_length=3)]

PARAMETER_BYTES = 30_000  # of all values of one run
SCRIPT_BYTES = 600_000
SIMULATE_BYTES = 65_536
LANGUAGES = {"linux": {"bash", "python"}, "macos": {"bash", "zsh", "python"}, "windows": {"powershell", "python"}}


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The program for one platform."""

    language: Language
    text: Annotated[str, Meta(min_length=1, max_length=600_000)]


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter of the scripts of some platforms (none named: of all). Without allowed values any text goes; with
    them, others only if `custom`."""

    name: Name
    label: Label = ""
    description: Description = ""
    allowed: Annotated[tuple[ParameterText, ...], Meta(max_length=100)] = ()
    custom: bool = False
    default: ParameterText | None = None
    platforms: Platforms = ()


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A typed value that the scripts of some platforms (none named: of all) may write."""

    name: Name
    type: OutputType
    label: Label = ""
    description: Description = ""
    platforms: Platforms = ()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action as its author gives it. `timeout` is in seconds; `service` names the account of `run_as: service`;
    `secrets` are names in the vault; an `idempotent` action may run again after an interruption; `simulate` is read by
    simulated devices only."""

    nql_id: NqlId
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    scripts: Annotated[dict[Platform, Script], Meta(min_length=1)]
    description: Description = ""
    origin: Literal["custom", "library"] = "custom"
    purpose: Annotated[tuple[Purpose, ...], Meta(min_length=1, max_length=2)] = ("data_collection",)
    triggers: Annotated[tuple[Trigger, ...], Meta(max_length=5)] = ("manual", "manual_multiple", "api")
    timeout: Annotated[int, Meta(ge=1, le=3600)] = 60
    run_as: Literal["system", "user", "service"] = "system"
    service: AccountName | None = None
    inputs: Annotated[tuple[Input, ...], Meta(max_length=50)] = ()
    outputs: Annotated[tuple[Output, ...], Meta(max_length=50)] = ()
    secrets: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    campaigns: Annotated[tuple[Campaign, ...], Meta(max_length=8)] = ()
    idempotent: bool = False
    simulate: dict[str, Any] | None = None


ALWAYS = ("scripts", "timeout", "run_as", "inputs", "outputs", "simulate")
IF_SAID = ("service", "secrets", "campaigns", "idempotent")


def content(manifest: Manifest) -> dict[str, Any]:
    """What a version is: the part of a manifest that decides what a device does and answers."""
    parts = {part: msgspec.to_builtins(getattr(manifest, part)) for part in (*ALWAYS, *IF_SAID)}
    for item in (*parts["inputs"], *parts["outputs"]):
        if not item["platforms"]:
            del item["platforms"]
    return {part: value for part, value in parts.items() if part in ALWAYS or value}


def from_content(words: Mapping[str, Any], body: Mapping[str, Any]) -> Manifest:
    """The manifest that a content and its words (id, name, description, purpose, triggers, origin) were made of."""
    return msgspec.convert({**words, **body}, Manifest)


def check(manifest: Manifest) -> None:
    """Raise RefusedError with every problem that shapes and bounds alone do not show."""
    if problems := list(_problems(manifest)):
        raise RefusedError("bad_action", "; ".join(problems))


def _problems(manifest: Manifest) -> Iterator[str]:
    for kind, named in (("input", manifest.inputs), ("output", manifest.outputs)):
        yield from twice(f"{kind}s", [item.name for item in named])
    yield from twice("secrets", manifest.secrets)
    yield from campaign_problems(manifest.campaigns)
    if (manifest.run_as == "service") != (manifest.service is not None):
        yield "run_as is service together with the name of an account in service, and only then"
    for platform, script in manifest.scripts.items():
        if script.language not in LANGUAGES[platform]:
            languages = " or ".join(sorted(LANGUAGES[platform]))
            yield f"a script for {platform} is written in {languages}, not {script.language}"
        if "\0" in script.text:
            yield f"the script for {platform} holds a NUL character"
        if len(script.text.encode("utf-8", "surrogatepass")) > SCRIPT_BYTES:
            yield f"the script for {platform} is larger than {SCRIPT_BYTES} bytes"
    for item in manifest.inputs:
        if item.default is not None and item.allowed and not item.custom and item.default not in item.allowed:
            yield f"the default of input {item.name} is not among its allowed values"
        if any("\0" in text for text in (*item.allowed, item.default or "")):
            yield f"a value of input {item.name} holds a NUL character"
    if len(msgspec.json.encode(manifest.simulate)) > SIMULATE_BYTES:
        yield f"simulate is larger than {SIMULATE_BYTES} bytes"


def check_parameters(inputs: tuple[Input, ...], given: Mapping[str, str]) -> dict[str, str]:
    """The values of a run: those given, else defaults, for every input. Raises RefusedError with every problem
    found."""
    declared = {item.name: item for item in inputs}
    problems = [f"there is no input {name[:64]!r}" for name in given if name not in declared]
    values = {}
    for item in inputs:
        value = given.get(item.name, item.default if item.default is not None else next(iter(item.allowed), None))
        if value is None:
            problems.append(f"input {item.name} needs a value")
        elif item.name in given and item.allowed and not item.custom and value not in item.allowed:
            problems.append(f"input {item.name} takes one of: {', '.join(item.allowed[:20])}")
        elif "\0" in value:
            problems.append(f"the value of input {item.name} holds a NUL character")
        else:
            values[item.name] = value
    if sum(len(value.encode("utf-8", "surrogatepass")) for value in values.values()) > PARAMETER_BYTES:
        problems.append(f"the values together are larger than {PARAMETER_BYTES} bytes")
    if problems:
        raise RefusedError("bad_parameters", "; ".join(problems))
    return values
