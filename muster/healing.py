"""Self-healing in the demo: volumes that are over 90 % full are found by a query and cleaned by a schedule.

In: a portal, a folder of the demo's own, the names of connected simulated devices. Out: two actions (how full is it;
make room), two schedules every minute, and queries to watch them with. Invariants: on a real device only files that
the demo itself put into its own marked folder are removed; which devices are cleaned follows from what they answered,
read back by NQL, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from muster.clock import now
from portal.app import Portal
from storage.control.manifest import Manifest
from storage.control.schedule_definition import Definition, check
from storage.control.schedules import Saving

USE, ROOM = "#demo_volume_use", "#demo_make_room"
WATCH, CLEAN = "#demo_watch_volumes", "#demo_clean_volumes"
ACTIONS = frozenset({USE, ROOM})
MARK, KIND = "demo-volume", ".filler"
QUOTA = 20_000_000  # bytes that the demo's volume on a real device holds
FILES = 19
FULL = f"""devices | where remote_action.{USE}.execution.outputs.used > 90
    | list name, remote_action.{USE}.execution.outputs.used"""
STORY = f"""remote_action.{USE}.executions during past 1h | list time, device.name, outputs.used | sort time desc"""

_LOOK = f'''"""How full the demo's own volume is."""

import os
import sys
from pathlib import Path

from muster_output import write_ratio, write_size

top = Path(os.environ["MUSTER_INPUT_PATH"])
if not (top / "{MARK}").is_file():
    sys.exit(f"{{top}} is not the demo's volume")
files = sorted(path for path in top.glob("*{KIND}") if path.is_file() and not path.is_symlink())
'''
MEASURE = f"""{_LOOK}
used = sum(path.stat().st_size for path in files)
write_ratio("used", used / {QUOTA})
write_size("free", max(0, {QUOTA} - used))
"""
CLEANING = f"""{_LOOK}
freed = 0
for path in files[: len(files) * 2 // 3]:
    freed += path.stat().st_size
    path.unlink()
write_size("freed", freed)
"""


def manifests(folder: Path) -> list[Manifest]:
    """The two actions, for the demo's volume in this folder."""
    share, rest = {"field": "used_disk_ratio"}, {"field": "free_disk"}
    path = {"name": "path", "allowed": [str(folder)], "default": str(folder)}
    common = {"triggers": ["manual", "manual_multiple", "api", "schedule"], "inputs": [path], "timeout": 30}
    use = {
        "nql_id": USE,
        "name": "Demo: how full is the volume",
        "purpose": ["data_collection"],
        "scripts": {"linux": {"language": "python", "text": MEASURE}},
        "outputs": [{"name": "used", "type": "ratio"}, {"name": "free", "type": "size"}],
        "simulate": {"outputs": {"used": share, "free": rest}},
    }
    size = {"product": [{"field": "disk_size"}, 0.3]}
    room = {
        "nql_id": ROOM,
        "name": "Demo: make room on the volume",
        "purpose": ["remediation"],
        "scripts": {"linux": {"language": "python", "text": CLEANING}},
        "outputs": [{"name": "freed", "type": "size"}],
        "simulate": {"frees": size, "outputs": {"freed": size}},
    }
    return [msgspec.convert(one | common, Manifest) for one in (use, room)]


def fill(folder: Path) -> None:
    """A volume of the demo's own, 95 % full, unless it is there already."""
    if (folder / MARK).exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(FILES):
        (folder / f"{number:02d}{KIND}").write_bytes(b"\0" * (QUOTA // 20))
    (folder / MARK).write_text("The demo of Muster fills and cleans this folder.\n", "utf-8")


def define(portal: Portal, folder: Path, *, by: str) -> None:
    """Define the two actions, and fill the volume."""
    fill(folder)
    for manifest in manifests(folder):
        portal.control.actions.save_action(manifest, by=by, now=now())


def schedule(portal: Portal, owner: str, names: Sequence[str], *, by: str) -> bool:
    """Make the two schedules of an account, for these simulated devices and every real one, unless they are there;
    False where there is no such account."""
    found = portal.control.accounts.by_name(owner)
    if found is None:
        return False
    known = {one.nql_id for one in portal.control.schedules.everything()}
    for nql_id, name, definition in schedules(names):
        if nql_id in known:
            continue
        at = now()
        wanted = Saving(nql_id, name, definition, found[0].id, True, check(definition, now=at))
        portal.control.schedules.save(wanted, by=by, now=at)
    return True


def schedules(names: Sequence[str]) -> list[tuple[str, str, Definition]]:
    """The two schedules, as id, name and definition."""
    listed = ", ".join(f'"{name}"' for name in names)
    simulated = f" or name in [{listed}]" if names else ""
    often = {"cadence": {"every": "1min"}, "missed": "skip", "expires_in": 60}
    watch = {"action": USE, "target": f"devices | where simulated == false{simulated}", **often}
    clean = {"action": ROOM, "target": FULL.partition("\n")[0], "plan": {"once_every": 180}, **often}
    return [
        (WATCH, "Demo: how full are volumes", msgspec.convert(watch, Definition)),
        (CLEAN, "Demo: make room on volumes that are over 90 % full", msgspec.convert(clean, Definition)),
    ]
