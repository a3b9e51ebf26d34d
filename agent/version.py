"""The version of this release, for both distributions.

muster-nql and muster-agent are always released together with the same number, so it is written
once, here: both pyproject files read it from this file when they build, and code that wants to
state its version imports it. The agent's folder holds it because the agent imports nothing of ours.
"""

__version__ = "0.1.0"
