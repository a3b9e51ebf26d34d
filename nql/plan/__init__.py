"""The typed plan: what a query means, apart from how any engine computes it. Expressions, relations and windows."""
