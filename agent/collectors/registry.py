"""Every collector of a device, in the order in which they are asked: objects before the events that name them.

In: what makes names unique. Out: fresh collectors. A new one is added here, and nowhere else.
Invariant: no two have the same name, since what each has told is remembered by it.
"""

from __future__ import annotations

from agent.collectors.base import Collector, Names
from agent.collectors.executions import Executions
from agent.collectors.inventory import Inventory
from agent.collectors.packages import Packages
from agent.collectors.performance import Boots, Performance
from agent.collectors.users import Logins, Sessions, Users


def collectors(device: str) -> list[Collector]:
    """All of them, for a device of a uid."""
    names = Names(device)
    return [
        Inventory(), Users(names), Packages(), Boots(), Logins(names),
        Sessions(names), Performance(), Executions(names),
    ]  # fmt: skip
