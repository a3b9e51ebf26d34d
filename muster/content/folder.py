"""Content in a folder: read, and written so that reading gives the same again.

    actions/<id>/manifest.json with its scripts   queries/<id>.nql   {campaigns,workflows,schedules}/<id>.json

In: a folder of this form, a folder of actions, or one action's. Out: items; files. Invariants: a script's bytes are
kept; a file that says the same already is left alone, and nothing is ever removed. A query's file is NQL as it stands:
the comment at its top is the name and, below, the description.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from muster import manifests, signing
from muster.content import items, workflow_files
from muster.content.items import Item
from muster.errors import UsageError
from storage.control.campaign_definition import CampaignDefinition
from storage.control.manifest import Manifest

ACTIONS, CAMPAIGNS = manifests.ACTIONS, manifests.CAMPAIGNS
QUERIES, WORKFLOWS, SCHEDULES = "queries", "workflows", "schedules"
PARTS = (ACTIONS, QUERIES, CAMPAIGNS, WORKFLOWS, SCHEDULES)
ENDINGS = {"bash": "sh", "zsh": "sh", "python": "py", "powershell": "ps1"}
WIDE = 110
_DEFAULTS = msgspec.to_builtins(Manifest("#any", "any", {}))


def read(path: Path) -> list[Item]:
    """Every item of a folder, those that others need first. Raises UsageError."""
    found = list(_read(path))
    for one, other in pairwise(found):
        if one.key == other.key:
            raise UsageError(f"Two files at {path} define the {one.label}.", "Give one of them another id.")
    return found


def _read(path: Path) -> Iterator[Item]:
    actions, queries, campaigns, workflows, schedules = parts = [path / name for name in PARTS]
    if any(part.is_dir() for part in parts):
        places = sorted(actions.glob(f"*/{manifests.NAME}"))
    else:
        try:
            places = manifests.places(path)
        except UsageError as error:
            kinds = f"{', '.join(PARTS[:-1])} or {PARTS[-1]}"
            hint = f"Give a folder with {kinds} in it, a folder of actions, or one action's."
            raise UsageError(f"There is no content at {path}.", hint) from error
    yield from sorted(map(_action, places), key=lambda item: item.key)
    yield from map(_read_query, sorted(queries.glob("*.nql")))
    yield from map(_read_campaign, sorted(campaigns.glob("*.json")))
    yield from map(_read_workflow, sorted(workflows.glob("*.json")))
    yield from map(_read_schedule, sorted(schedules.glob("*.json")))


def _action(place: Path) -> Item:
    try:
        item = items.action(manifests.manifest(place))
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", error.hint) from error
    form = signing.Form(msgspec.convert(item.body, Manifest), item.version)
    signatures = signing.read(place.parent, form)
    return Item(item.kind, item.nql_id, item.body, item.version, tuple(signatures))


def _read_query(place: Path) -> Item:
    said = _query(manifests.read_text(place))
    return items.query(f"#{place.stem}", said | {"name": said["name"] or place.stem}, str(place))


def _read_campaign(place: Path) -> Item:
    return items.campaign(f"#{place.stem}", manifests.read_json(place), str(place))


def _read_workflow(place: Path) -> Item:
    return items.workflow(f"#{place.stem}", manifests.read_json(place), str(place))


def _read_schedule(place: Path) -> Item:
    return items.schedule(f"#{place.stem}", manifests.read_json(place), str(place))


def _query(text: str) -> dict[str, str]:
    """The name, the description and the text of a query's file."""
    lines = text.removeprefix("\ufeff").strip().splitlines()
    count = next((number for number, line in enumerate(lines) if not line.startswith("//")), len(lines))
    head = [line[2:].removeprefix(" ") for line in lines[:count]]
    return {"name": head[0] if head else "", "description": "\n".join(head[1:]), "text": "\n".join(lines[count:])}


# --- writing -----------------------------------------------------------------------------------
def write(path: Path, wanted: Iterable[Item]) -> list[Path]:
    """Write items below a folder; the files that are new or changed. Raises UsageError."""
    written, known = [], _folders(path / ACTIONS)
    for item in wanted:
        name = item.nql_id.removeprefix("#")
        for place, data in _files(path, known.get(item.nql_id, name), item):
            try:
                if not place.is_file() or place.read_bytes() != data:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(data)
                    written.append(place)
            except OSError as error:
                raise UsageError(f"{place} cannot be written: {error.strerror}.") from error
    return written


def _folders(path: Path) -> dict[str, str]:
    """The names of the folders that hold actions already, by the actions' ids."""
    found = {}
    for place in sorted(path.glob(f"*/{manifests.NAME}")):
        with suppress(UsageError):
            found[str(manifests.read_json(place).get("nql_id"))] = place.parent.name
    return found


def _files(path: Path, name: str, item: Item) -> Iterator[tuple[Path, bytes]]:
    """The files of an item, none if what is there says the same already."""
    match item.kind:
        case "query":
            place = path / QUERIES / f"{name}.nql"
            if not _says(_read_query, place, item):
                yield place, _query_file(item.body).encode()
        case "campaign":
            place = path / CAMPAIGNS / f"{name}.json"
            if not _says(_read_campaign, place, item):
                said = workflow_files.short(item.body, CampaignDefinition)
                yield place, (_laid_out(said, whole=True) + "\n").encode()
        case "workflow":
            place = path / WORKFLOWS / f"{name}.json"
            if not _says(_read_workflow, place, item):
                yield place, (_laid_out(workflow_files.short(item.body), whole=True) + "\n").encode()
        case "schedule":
            place = path / SCHEDULES / f"{name}.json"
            if not _says(_read_schedule, place, item):
                yield place, (_laid_out(item.body, whole=True) + "\n").encode()
        case "action":
            place = path / ACTIONS / name / manifests.NAME
            if not _says(_action, place, item):
                names = script_names(item.body["scripts"])
                yield place, manifest_file(item.body, names).encode()
                for platform, script in item.body["scripts"].items():
                    yield place.with_name(names[platform]), script["text"].encode()


def _says(read: Callable[[Path], Item], place: Path, item: Item) -> bool:
    try:
        return place.is_file() and read(place) == item
    except UsageError:
        return False


def script_names(scripts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The names of an action's script files, by platform."""
    return {platform: f"{platform}.{ENDINGS[script['language']]}" for platform, script in scripts.items()}


def manifest_file(body: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The text of a manifest.json: what is not as it would be anyway, scripts by their files."""
    said = {key: value for key, value in body.items() if value != _DEFAULTS.get(key) or key in ("nql_id", "name")}
    for key in ("inputs", "outputs"):
        if key in said:
            said[key] = [_short(item) for item in said[key]]
    said["scripts"] = {
        platform: {"language": script["language"], "file": names[platform]}
        for platform, script in body["scripts"].items()
    }
    return _laid_out(said, whole=True) + "\n"


def _short(item: Mapping[str, Any]) -> dict[str, Any]:
    """An input or an output without what it would be anyway."""
    return {key: value for key, value in item.items() if value or (key == "default" and value is not None)}


def _laid_out(value: Any, indent: str = "", *, whole: bool = False) -> str:
    """JSON with each part on one line if it fits there, else with its own parts on lines of their own."""
    line = json.dumps(value, ensure_ascii=False)
    named = isinstance(value, dict) and "name" in value  # an input or an output is read best on one line
    if not (isinstance(value, dict | list | tuple) and value) or ((len(line) <= WIDE or named) and not whole):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(name)}: {_laid_out(part, inner)}" for name, part in value.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _laid_out(part, inner) for part in value) + f"\n{indent}]"


def _query_file(body: Mapping[str, Any]) -> str:
    head = [body["name"], *body["description"].splitlines()]
    return "".join(f"// {line}".rstrip() + "\n" for line in head) + f"\n{body['text']}\n"
