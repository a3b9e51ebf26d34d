"""Telling others when runs end, fail or halt."""
