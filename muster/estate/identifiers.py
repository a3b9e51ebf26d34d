"""The keys of what is the same in every estate: binaries, packages and applications.

In: the key of a program or application, and a version. Out: the text that links carry (a page or transaction is known
by its name, beside the link to its application). Invariant: they depend on nothing else, so that two estates in one
data folder share these objects instead of doubling them.
"""

from __future__ import annotations

from muster.estate.dice import Dice, word

SYSTEM_ACCOUNTS = {"windows": "NT AUTHORITY\\SYSTEM", "macos": "root (macOS)", "linux": "root"}


def binary_uid(program: str, version: str) -> str:
    """The key of a binary: one program in one version."""
    return Dice(word("binary", program, version)).uid("uid")


def package_uid(program: str, version: str) -> str:
    """The key of a package: one program in one version."""
    return Dice(word("package", program, version)).uid("uid")


def application_uid(application: str) -> str:
    """The key of an application."""
    return Dice(word("application", application)).uid("uid")


def system_uid(platform: str) -> str:
    """The key of the account under which the programs of a system run."""
    return Dice(word("system account", platform)).uid("uid")
