"""NQL, the pipe language: from a text to a typed plan.

Pure: no clock, no engine, no input but its own grammar and catalog. The public face is `nql.api`.
"""
