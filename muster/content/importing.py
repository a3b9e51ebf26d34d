"""An action made of scripts as they are: the folder with its manifest, from what the scripts say of themselves.

In: script files, by platform. Out: a manifest, its problems, the files. Invariants: the scripts are copied to the
byte; a name that two platforms have is one input or output, and what only some have is marked so; nothing that is
there already is written over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from muster import manifests
from muster.content.folder import manifest_file, script_names
from muster.content.items import action, disagreements
from muster.errors import UsageError
from storage.control.manifest import Language, Platform, Script
from storage.control.scripts.api import Found, FoundInput, FoundOutput, find

T = TypeVar("T", FoundInput, FoundOutput)
PLATFORMS: tuple[str, ...] = get_args(Platform)
SHEBANG = re.compile(r"#!\s*\S*?(?:/env\s+(?:-S\s+)?)?(bash|zsh|sh|python3?|pwsh)\b")
SHEBANGS: dict[str, Language] = {
    "bash": "bash",
    "sh": "bash",
    "zsh": "zsh",
    "python": "python",
    "python3": "python",
    "pwsh": "powershell",
}
ENDINGS: dict[str, Language] = {".ps1": "powershell", ".py": "python", ".sh": "bash", ".bash": "bash", ".zsh": "zsh"}
USUAL: dict[Language, str] = {"powershell": "windows", "zsh": "macos", "bash": "linux", "python": "linux"}
COPIED = ("label", "description", "allowed", "custom", "default")


@dataclass(frozen=True, slots=True)
class Made:
    """An action that scripts were made into: its folder and its manifest."""

    folder: Path
    body: Mapping[str, Any]


def make(given: Sequence[str], nql_id: str, name: str, into: Path) -> Made:
    """Make the folder of an action from scripts, each `FILE` or `PLATFORM=FILE`. Raises UsageError with every problem,
    with nothing written."""
    scripts: dict[str, Script] = {}
    for said in given:
        platform, script = _script(said)
        if platform in scripts:
            raise UsageError(f"There are two scripts for {platform}.", "Write PLATFORM=FILE to say which is for what.")
        scripts[platform] = script
    found = {platform: find(script) for platform, script in scripts.items()}
    problems = [
        f"{platform}, line {item.line}: {item.message}" for platform, one in found.items() for item in one.problems
    ]
    identifier = f"#{nql_id.removeprefix('#')}"
    manifest: dict[str, Any] = {
        "nql_id": identifier,
        "name": name,
        "scripts": {platform: {"language": one.language, "text": one.text} for platform, one in scripts.items()},
        "inputs": list(_inputs(found)),
        "outputs": list(_outputs(found, problems)),
    }
    if not problems:
        item = action(manifest)
        problems = disagreements(item)
    if problems:
        raise UsageError("The scripts cannot be taken as they are:\n  " + "\n  ".join(problems))
    return Made(_write(into / identifier.removeprefix("#"), item.body), item.body)


def _script(said: str) -> tuple[str, Script]:
    platform, sign, file = said.partition("=")
    if not sign or platform not in PLATFORMS:
        platform, file = "", said
    path = Path(file)
    text = manifests.read_text(path)
    language = _language(path, text)
    return platform or USUAL[language], Script(language, text)


def _language(path: Path, text: str) -> Language:
    if shebang := SHEBANG.match(text.removeprefix("\ufeff")):
        return SHEBANGS[shebang[1]]
    if language := ENDINGS.get(path.suffix.lower()):
        return language
    raise UsageError(f"{path} is in no language that is known here.", f"A script ends with {', '.join(ENDINGS)}.")


def _inputs(found: Mapping[str, Found]) -> Iterator[dict[str, Any]]:
    """The inputs of all scripts, first of those that take them by place: their order is kept."""
    ordered = sorted(found.items(), key=lambda pair: not any(item.position for item in pair[1].inputs))
    for name, by in _by_name({platform: one.inputs for platform, one in ordered}).items():
        said: dict[str, Any] = {"name": name}
        for item in by.values():
            said |= {key: value for key in COPIED if (value := getattr(item, key)) not in ("", (), False, None)}
            if item.default is not None:
                said["default"] = item.default
        yield said | _only(by, found)


def _outputs(found: Mapping[str, Found], problems: list[str]) -> Iterator[dict[str, Any]]:
    for name, by in _by_name({platform: one.outputs for platform, one in found.items()}).items():
        types = {platform: item.type for platform, item in by.items()}
        if len(set(types.values())) > 1:
            told = ", ".join(f"{kind} on {platform}" for platform, kind in types.items())
            problems.append(f"output {name} is of several types: {told}")
        first = next(iter(by.values()))
        said = {"name": name, "type": first.type, "label": first.label, "description": first.description}
        yield said | _only(by, found)


def _by_name(items: Mapping[str, Sequence[T]]) -> dict[str, dict[str, T]]:
    """What goes by each name, by platform, in the order of the scripts."""
    named: dict[str, dict[str, T]] = {}
    for platform, those in items.items():
        for item in those:
            named.setdefault(item.name, {})[platform] = item
    return named


def _only(by: Mapping[str, object], found: Mapping[str, Found]) -> dict[str, Any]:
    return {"platforms": sorted(by)} if len(by) < len(found) else {}


def _write(folder: Path, body: Mapping[str, Any]) -> Path:
    if folder.exists():
        raise UsageError(f"{folder} is there already.", "Choose another id, or remove it.")
    names = script_names(body["scripts"])
    try:
        folder.mkdir(parents=True)
        for platform, script in body["scripts"].items():
            (folder / names[platform]).write_bytes(script["text"].encode())
        (folder / manifests.NAME).write_text(manifest_file(body, names), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.") from error
    return folder
