"""Asking: queries, exports, diagnostics, completion, the catalog."""
