"""What each part of the product asks of a query, as data and one check.

In: the state at the end of a query. Out: diagnostics. Invariant: a query that targets devices has exactly one row a
device, so that what runs is what the query says.
"""

from __future__ import annotations

from nql.diagnostics import Span
from nql.semantics.scope import Area, State

DEVICES = "device.devices"


def check_area(state: State, span: Span) -> None:
    """Reports what a query's area does not allow."""
    if state.area is not Area.TARGETING:
        return
    if state.root.table.name != DEVICES:
        message = "A target is a query over devices."
        state.problems.error("NQL506", message, state.root.span, "Start with devices and use with for events.")
    elif state.summary is not None:
        message = "A target needs one row a device; summarize and list distinct give one row a group."
        state.problems.error("NQL507", message, span, "Leave them out.")
