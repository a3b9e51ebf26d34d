"""The accounts that are the system, or may become it by their groups."""

import grp
import pwd

from muster_output import write_string_list, write_uint32

GROUPS = ("sudo", "wheel", "admin")


def members(group: str) -> set[str]:
    """Accounts of a group, by its own list and as their first group."""
    try:
        entry = grp.getgrnam(group)
    except KeyError:
        return set()
    return {*entry.gr_mem, *(account.pw_name for account in pwd.getpwall() if account.pw_gid == entry.gr_gid)}


def main() -> None:
    root = sorted(account.pw_name for account in pwd.getpwall() if account.pw_uid == 0)
    by_group = sorted({name for group in GROUPS for name in members(group)} - set(root))
    write_uint32("count", len(root) + len(by_group))
    write_string_list("system", root)
    write_string_list("by_group", by_group[:1000])


main()
