"""Starting children, and waiting for them.

In: a job and its arguments. Out: its figures. Invariant: no child is left behind, whatever happens here; a child that
fails or takes too long says so and ends the run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 3_600  # seconds


def child(job: str, **arguments: Any) -> Any:
    """The figures of one job. Raises RuntimeError."""
    with started(job, **arguments) as (process, out):
        try:
            code = process.wait(LONGEST)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{job} took more than {LONGEST} seconds") from error
        if code or not out.exists():
            raise RuntimeError(f"{job} failed with code {code}: {arguments}")
        return msgspec.json.decode(out.read_bytes())


@contextmanager
def started(job: str, **arguments: Any) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A child at work, and the file in which its figures will be."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.shapes.child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode({"job": job, "arguments": arguments, "out": str(out)}) + b"\n")
            process.stdin.flush()
            yield process, out
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
