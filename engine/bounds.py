"""Bounds of values that all engines share.

Times are microseconds since 1970 in UTC. Invariant: a time outside the calendar becomes null where it leaves the
engine, and never an error.
"""

LOWEST = -(2**63)  # stands for null where rows are put in order to find the last one
GREATEST = 2**63 - 1  # the same, to find the first one
CALENDAR = (-62_135_596_800_000_000, 253_402_300_799_999_999)  # years 1 to 9999, what every engine's calendar can say
