"""Schedules: what runs by itself, when, and what became of it."""
