"""Queries that people keep under an id."""
