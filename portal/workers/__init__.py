"""Processes that run queries apart from the one that serves."""
