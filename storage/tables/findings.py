"""What a look over a data folder finds, file by file.

In: what the looks of `storage.tables.doctor` and `storage.tables.lake_care` see. Out: words for people. Invariant: it
says what is wrong and what can be done about it; nothing is done here.
"""

from __future__ import annotations

from dataclasses import dataclass

BACKUP = "Restore the folder from a backup."


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one file. `problem` is None where it is sound; `told` says what it holds, `way` what can be
    done about the problem."""

    file: str
    told: str
    problem: str | None = None
    way: str = ""
