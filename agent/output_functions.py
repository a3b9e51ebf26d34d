r"""The functions with which scripts write their outputs, as texts that are laid into a run's folder.

Bash scripts source `$MUSTER/output.sh`; scripts made for the vendor's product source the same from
`$NEXTHINK/bash/nxt_ra_script_output.sh`. Python scripts import `muster_output`. Out: records on the pipe that
`$MUSTER_OUTPUT` names, each of fields that end with NUL: type, name, number of values, values. Invariant: a value is
never part of a command or of a format, whatever is in it; neither program needs anything but its own language.
"""

from __future__ import annotations

from agent import campaign_functions, secret_functions

TYPES = ("string", "bool", "uint32", "float", "size", "ratio", "bitrate", "date_time", "duration", "string_list")

_BASH = r"""# muster_output TYPE NAME VALUE...  writes one output of the action.
muster_output() {
  local type=$1 name=$2
  shift 2 || return 64
  { printf '%s\0' "$type" "$name" "$#"; [ "$#" -eq 0 ] || printf '%s\0' "$@"; } >> "$MUSTER_OUTPUT"
}
"""
_VENDOR = 'nxt_write_output_{0}() {{ muster_output {0} "$@"; }}\n'

BASH = _BASH + "".join(_VENDOR.format(name) for name in TYPES) + campaign_functions.BASH + secret_functions.BASH

PYTHON = '''"""Writes the outputs of an action: `import muster_output as out`, then `out.write_uint32("files", 3)`."""

import os
from datetime import datetime, timedelta


def write(type, name, *values):
    """Write one output. Times may be datetimes or seconds since 1970, durations timedeltas or milliseconds."""
    fields = [type, name, str(len(values)), *map(_text, values)]
    if any("\\0" in field for field in fields):
        raise ValueError("an output holds no NUL character")
    data = b"".join(field.encode("utf-8", "replace") + b"\\0" for field in fields)
    pipe = os.open(os.environ["MUSTER_OUTPUT"], os.O_WRONLY | os.O_APPEND)
    try:
        while data:
            data = data[os.write(pipe, data) :]
    finally:
        os.close(pipe)


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(round(value.timestamp()))
    if isinstance(value, timedelta):
        return str(round(value.total_seconds() * 1000))
    return str(value)


def write_string_list(name, values):
    """Write a list of texts."""
    write("string_list", name, *values)
'''
_ONE = '''

def write_{0}(name, value):
    """Write an output of type {0}."""
    write("{0}", name, value)
'''
PYTHON += "".join(_ONE.format(name) for name in TYPES if name != "string_list")
PYTHON += secret_functions.PYTHON
