"""`value`: a dataclass of which a text makes hundreds, such as a node of the tree or of the plan.

In: a class with fields. Out: a dataclass with slots, equality and a hash. Invariant: it is not changed once it is made.
mypy holds that, not Python: a dataclass that Python keeps frozen costs more than twice as much to make, which is a
third of the time it takes to read a text. Classes that are made seldom are frozen dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Made = TypeVar("Made")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(made: type[Made]) -> type[Made]:
    """A class of values, frozen for mypy."""
    return dataclass(slots=True, unsafe_hash=True)(made)
