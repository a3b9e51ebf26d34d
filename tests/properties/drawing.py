"""What the generated tests draw from, and how often.

In: the profile of the run (`--hypothesis-profile=quick` is a tenth). Out: strategies for a source of chance and for
the tables' seed, and settings for tests of which each example asks several engines. Invariant: the same examples in
every run. The great numbers are reached by the long form in `agree`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.properties.agree import SEEDS

QUICK = settings.default is not None and settings.default.max_examples < 50
CASES = 12 if QUICK else 60

chances = st.randoms(use_true_random=False)
seeds = st.integers(0, SEEDS)
unhurried = settings(max_examples=5 if QUICK else 50, suppress_health_check=list(HealthCheck))
