"""Where the time of each shape goes, in words, as profiles of the rounds told.

Invariant: no figure stands here, since figures come from the run alone; every shape that has a goal or counts in a
mean has its words.
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "q1": (
        "reading the text and planning. Conditions on texts are asked of each different text once, and of the devices "
        "then by numbers, which takes no longer than taking the rows that stay."
    ),
    "q2": "reading the text and planning, then one pass over the devices, which are in memory.",
    "q3": (
        "a device has two or three crashes a day, so that all rows go into one hash by device: this is half. The "
        "other half is joining the names and making many rows with texts in the order that answers have. A peer "
        "that gives rows in any order is spared that part."
    ),
    "q4": (
        "the window begins in the middle of a day: of each device's rows there the last ones are taken, which "
        "needs a look at the time of each. Sums of runs are more than half, a hash over one state a device and file a "
        "fourth, and joining sums to all Windows devices, which lie in the order of the answer, the rest."
    ),
    "q5": (
        "one hash over the instants of samples, of which there are few; nearly all is reading two columns. With "
        "rollups, which are in memory, all is planning; of large segments they are made when they are wanted again."
    ),
    "q6": (
        "sums of runs: where devices begin and what the columns' bounds are is known of columns at hand, also in "
        "the first day, which the window cuts, so that each of two columns is read once; a hash over one state a "
        "device and file is a fifth. With rollups the rows of the first day are still read, as states of devices are "
        "kept of whole days: this is half. States of all other days are in memory and added up, a column at a time."
    ),
    "q7": (
        "setting one mark a sample in a table of binaries by devices that is made for as many devices as the cache "
        "of one core holds, one core at a time: this is half. Putting binaries of the same name in one place, and "
        "counting what is in the table, is the rest. Devices come in order; binaries do not."
    ),
    "q8": (
        "looking up what the platform of each sample's device adds to a number of platform and duration is a quarter, "
        "a hash over that number the rest. Durations are few, so that only how often each occurs is kept, but every "
        "sample is hashed."
    ),
    "q9": (
        "most devices are in the newest day; in older ones the lists of devices alone are looked at, and rows of "
        "those that newer days lack: this is most of it. The rest is putting one state a device and file together, and "
        "the order of the rows, which is that of the names: a sort of numbers, as the names' places are known."
    ),
    "h1": "sums of runs of rows with the same device, day by day, are most of it; names and order are as in q3.",
    "h2": (
        "nothing is known before of as many values as rows: the values of each binary are gathered by a hash and one "
        "is selected in each. Peers do the same with fewer copies."
    ),
    "h3": (
        "rows of a range of devices at a time are hashed by device and binary in one number, which leaves two thirds "
        "as many groups as rows; the places of names in their order are joined to all of them, because ties of the "
        "greatest sums are told by names."
    ),
    "h4": "finding the binaries' names is nothing; one hash over hour, entity and device of what is left is the rest.",
    "x1": "a filter over the texts of one column and a small hash.",
    "t1": "a search in each day's devices, which lie in order, and reading the rows found.",
}
