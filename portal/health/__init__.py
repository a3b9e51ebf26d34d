"""Whether the portal is well, its figures, and its interface's description."""
