"""Builds both wheels from the committed files with no node or npm on PATH, and tries them in a fresh environment.

Comes in: the commit that is checked out. Goes out: exit 0, or what is wrong with the wheels. Invariant: only
committed files and locked build requirements take part, so that a wheel never holds what a checkout happens to have.
What the programs do is the matter of the tests; here they are only started.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = str(Path(sys.executable).with_name("uv"))
NEEDED_ON_PATH = ("sh", "env", "git")
PACKAGES = {"nql", "engine", "storage", "portal", "muster"}
MUST_HOLD = (
    "nql/grammar.lark",
    "nql/grammar.json",
    "muster/content/actions/get_uptime/manifest.json",
    "nql/catalog/device.json",
    "storage/control/migrations/env.py",
    "portal/static/investigations.js",
    "portal/static/sign_in.js",
    "portal/static/styles/console.css",
)


def main() -> None:
    """Build, look inside, install, start."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone, wheels = folder / "clone", folder / "wheels"
        run(ROOT, "git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone))
        build(clone, wheels, bare_path(folder / "bin"))
        muster, agent = wheel(wheels, "muster_nql-*.whl"), wheel(wheels, "muster_agent-*.whl")
        problems = [*look_inside(clone, names(muster)), *look_inside_agent(clone, names(agent))]
        if problems:
            sys.exit("\n".join(problems))
        start(folder, muster, agent)
    print("wheels: built without node or npm on PATH, complete, installed from the locks, programs start")


def build(clone: Path, wheels: Path, path: str) -> None:
    """Build both wheels with the locked build requirements."""
    for tool in ("node", "npm"):
        assert shutil.which(tool, path=path) is None
    locked = ("--build-constraints", "requirements/build.txt", "--require-hashes", "--python", sys.executable)
    for source in (".", "agent"):
        run(clone, UV, "build", "--quiet", "--wheel", *locked, "--out-dir", str(wheels), source, path=path)


def bare_path(folder: Path) -> str:
    """A PATH that holds a shell and git, and nothing else."""
    folder.mkdir()
    for tool in NEEDED_ON_PATH:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    return str(folder)


def look_inside(clone: Path, held: set[str]) -> list[str]:
    """What the wheel of muster-nql lacks or has too much."""
    committed = {name for name in MUST_HOLD if name.startswith("portal/static") or (clone / name).exists()}
    code = {path.relative_to(clone).as_posix() for package in PACKAGES for path in (clone / package).rglob("*.py")}
    data = {path.relative_to(clone).as_posix() for path in (clone / "nql").rglob("*.json")}
    tops = {name.split("/")[0] for name in held if ".dist-info/" not in name}
    return [
        *(f"muster-nql lacks {name}" for name in sorted((committed | code | data) - held)),
        *(f"muster-nql holds {name}" for name in sorted(held) if name.startswith("portal/web/")),
        *(f"muster-nql holds the folder {name}" for name in sorted(tops - PACKAGES)),
    ]


def look_inside_agent(clone: Path, held: set[str]) -> list[str]:
    """What the wheel of muster-agent lacks, or has beside the package `agent`."""
    code = {path.relative_to(clone).as_posix() for path in (clone / "agent").rglob("*.py")}
    own = {name for name in held if ".dist-info/" not in name}
    outside = {name for name in own if not name.startswith("agent/") or name == "agent/pyproject.toml"}
    return [
        *(f"muster-agent lacks {name}" for name in sorted(code - own)),
        *(f"muster-agent holds {name}" for name in sorted(outside)),
    ]


def start(folder: Path, muster: Path, agent: Path) -> None:
    """Install the agent alone, then both, from the locks; start the programs."""
    environment = folder / "environment"
    python = str(environment / "bin" / "python")
    run(folder, UV, "venv", "--quiet", "--python", sys.executable, str(environment))
    install = (UV, "pip", "install", "--quiet", "--python", python)
    run(folder, *install, "--require-hashes", "-r", str(ROOT / "requirements/runtime.txt"))
    run(folder, *install, "--no-deps", str(agent), str(muster))
    run(folder, UV, "pip", "check", "--quiet", "--python", python)
    for package in (*PACKAGES, "agent"):
        if (ROOT / package / "__init__.py").exists():
            run(folder, python, "-c", f"import {package}")
    for program, module in (("muster", "muster/cli.py"), ("muster-agent", "agent/main.py")):
        if (ROOT / module).exists():
            run(folder, str(environment / "bin" / program), "--help", quiet=True)


def wheel(folder: Path, pattern: str) -> Path:
    """The one wheel of that name."""
    (found,) = folder.glob(pattern)
    return found


def names(path: Path) -> set[str]:
    """The files in a wheel."""
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def run(folder: Path, *command: str, path: str | None = None, quiet: bool = False) -> None:
    """Run a command in a folder; its failure ends this program."""
    environment = os.environ if path is None else {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, stdout=subprocess.DEVNULL if quiet else None
    )
    if done.returncode:
        sys.exit(f"exit {done.returncode}: {' '.join(command)}")


if __name__ == "__main__":
    main()
