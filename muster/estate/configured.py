"""What has to be configured in a portal before one can ask for the estate's campaigns, trends and custom fields.

In: nothing. Out: items (`nql.catalog.configured`). Invariant: they are the same for every estate, so that two of them
in one data folder agree.
"""

from __future__ import annotations

from muster.estate import campaigns, custom_fields, trends
from nql.catalog.configured import Item


def items() -> list[Item]:
    """All of them."""
    return [*campaigns.items(), *trends.items(), *custom_fields.items()]
