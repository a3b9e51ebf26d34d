"""The channel over a real socket: who gets one, what is said over it, and how it ends.

Comes in: a portal on a port, devices that speak byte by byte. Goes out: frames, statuses, the presence that is written
down. Invariant: what holds for these holds for the agent, which speaks the same.
"""

from __future__ import annotations
