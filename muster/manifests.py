"""Actions as files: a folder with `manifest.json` and its scripts beside it, or one JSON file that holds all.

In: a path. Out: manifests as the portal takes them, scripts put in. Invariant: a script named by a manifest lies in
the manifest's own folder (no path leads out of it), and its bytes arrive as they are; a campaign named by its id is put
in as it is now, so that who signs the action signs what it asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from muster.errors import UsageError

NAME = "manifest.json"
ACTIONS, CAMPAIGNS = "actions", "campaigns"  # folders of content
MOST_BYTES = 4 << 20


def manifests(path: Path) -> Iterator[dict[str, Any]]:
    """The manifest of a file or folder; of a folder of folders, all of theirs, by name. Raises UsageError."""
    yield from map(manifest, places(path))


def places(path: Path) -> list[Path]:
    """The files of these manifests. Raises UsageError where there is none."""
    if path.is_file():
        return [path]
    if (path / NAME).is_file():
        return [path / NAME]
    if found := sorted(path.glob(f"*/{NAME}")):
        return found
    raise UsageError(
        f"There is no action at {path}.", f"Give a folder with a {NAME}, a folder of such folders, or a JSON file."
    )


def manifest(path: Path) -> dict[str, Any]:
    """One manifest with its scripts put in. Raises UsageError."""
    said = read_json(path)
    scripts = said.get("scripts")
    if not isinstance(scripts, dict):
        raise UsageError(
            f"{path} has no scripts.", 'Write "scripts": {"linux": {"language": "bash", "file": "linux.sh"}}.'
        )
    said["scripts"] = {platform: _script(path, script) for platform, script in scripts.items()}
    if isinstance(campaigns := said.get("campaigns"), list):
        said["campaigns"] = [_campaign(path, one) for one in campaigns]
    return said


def _campaign(path: Path, campaign: Any) -> Any:
    """A campaign of an action; one that is named by its id is the one that lies in the same content."""
    if not isinstance(campaign, str):
        return campaign
    name = campaign.removeprefix("#")
    place = path.resolve().parent.parent.parent / CAMPAIGNS / f"{name}.json"
    if Path(name).name != name or not place.is_file():
        hint = f"It has to be {CAMPAIGNS}/{Path(name).name}.json beside {ACTIONS}."
        raise UsageError(f"{path} names the campaign {campaign!r}, which is not there.", hint)
    said = read_json(place)
    if "remote_action" not in said.get("triggers", ()) or said.get("parameters") or said.get("status") == "retired":
        hint = 'It needs the trigger "remote_action", no parameters, and must not be retired.'
        raise UsageError(f"{path} names the campaign {campaign!r}, which scripts cannot ask.", hint)
    return {"nql_id": f"#{name}", **{key: said[key] for key in ("title", "questions") if key in said}}


def _script(path: Path, script: Any) -> Any:
    if not isinstance(script, dict) or "file" not in script:
        return script
    name = script["file"]
    if not isinstance(name, str) or Path(name).name != name:
        raise UsageError(f"{path} names the script {name!r}.", "A script lies in the folder of its manifest.")
    return {key: value for key, value in script.items() if key != "file"} | {"text": read_text(path.parent / name)}


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises UsageError."""
    try:
        said = msgspec.json.decode(read_text(path))
    except (msgspec.DecodeError, UnicodeError) as error:
        raise UsageError(f"{path} is no JSON: {error}.") from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deep.") from error
    if not isinstance(said, dict):
        raise UsageError(f"{path} is no JSON object.", "A manifest or a schedule is one.")
    return said


def read_text(path: Path) -> str:
    """The text of a file, every byte of it. Raises UsageError."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no plain file.")
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES >> 20} MiB.")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: byte {error.start + 1} is none of it.", "Save it as UTF-8.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
