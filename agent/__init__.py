"""The device side: collects what a machine knows of itself, runs signed actions, and returns both to the portal."""
