"""Where the time of each shape goes, in words, as profiles of the rounds told.

Invariant: no figure stands here, since figures come from the run alone; every shape that has a goal or counts in a
mean has its words.
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "q1": "reading the text and planning, then one pass over the devices, which are in memory.",
    "q2": "reading the text and planning, then one pass over the devices, which are in memory.",
    "q3": (
        "half is taking sums from runs of rows with the same device, day by day, and putting the days together by a "
        "hash; the other half is joining the names and making many rows with texts in the order that answers have. "
        "A peer that gives rows in any order is spared that part."
    ),
    "q4": (
        "the window begins in the middle of a day, whose rows are looked at for their time; then runs, a hash over one "
        "state a device and file, and as in q3 names and order of the rows of all Windows devices."
    ),
    "q5": "one hash over the instants of samples, of which there are few; nearly all is reading two columns.",
    "q6": (
        "sums of runs: where devices begin and what the columns' bounds are is known of columns at hand, so that each "
        "of two columns is read once; a hash over one state a device and file is a fifth, the first day, which the "
        "window cuts, a tenth."
    ),
    "q7": (
        "setting one mark a sample in a table of binaries by devices that is made for as many devices as the cache of "
        "the processor holds: writing to places in no order is two thirds. Devices come in order; binaries do not."
    ),
    "q8": (
        "looking up the platform of each sample's device is a quarter, a hash over platform and duration in one number "
        "the rest. Durations are few, so that only how often each occurs is kept, but every sample is hashed."
    ),
    "q9": (
        "the last row of every run of every day is taken and the days are put together, although most devices are in "
        "the newest; this is two thirds. Names of all devices and the order of the rows are the last third."
    ),
    "h1": "as q3, over all samples: sums of runs are most of it.",
    "h2": (
        "nothing is known before of as many values as rows: the values of each binary are gathered by a hash and one "
        "is selected in each. Peers do the same with fewer copies."
    ),
    "h3": (
        "rows of a range of devices at a time are hashed by device and binary in one number, which leaves two thirds "
        "as many groups as rows; names are joined to all of them, because ties of the greatest sums are told by names."
    ),
    "h4": "finding the binaries' names is nothing; one hash over hour, entity and device of what is left is the rest.",
    "x1": "a filter over the texts of one column and a small hash.",
    "t1": "a search in each day's devices, which lie in order, and reading the rows found.",
}
