"""What the architecture tests know of the project around the sources: its root, tracked files, declared packages.

Comes in: nothing. Goes out: plain values read from git and the two pyproject files. Invariant: nothing
here depends on the project being installed. Which of it is right is the matter of the tests.
"""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OTHER_NAMES = {"argon2_cffi": "argon2", "ipython": "IPython"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git tracks and that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


@cache
def settings(folder: str = ".") -> dict[str, Any]:
    """The pyproject file of a folder."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))


def declared(folder: str = ".") -> set[str]:
    """The import names of the packages that a pyproject file lists, its extras included."""
    project = settings(folder)["project"]
    lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    return {import_name(requirement) for requirements in lists for requirement in requirements}


def import_name(requirement: str) -> str:
    """The name that code imports for a requirement such as `argon2-cffi>=23.1`."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].replace("-", "_").lower()
    return OTHER_NAMES.get(name, name)
