r"""The functions with which scripts read their secrets, as texts that are laid into a run's folder with the others.

Bash scripts say `value=$(muster_secret NAME)`, Python scripts `muster_output.secret("NAME")`. Out: the value on
standard output, or as a text. Invariant: a value passes through builtins and pipes alone, never through the arguments
or the environment of a program; what a script does with it afterwards is its author's care.
"""

from __future__ import annotations

BASH = r"""
# muster_secret NAME  prints one of the secrets that the action names.
muster_secret() {
  local name value
  while IFS= read -r -d '' name && IFS= read -r -d '' value; do
    if [ "$name" = "$1" ]; then printf '%s' "$value"; return 0; fi
  done < "/proc/self/fd/${MUSTER_SECRETS:-none}"
  echo "muster_secret: the action names no secret $1" >&2
  return 1
}
"""

PYTHON = '''

def secret(name):
    """One of the secrets that the action names, as a text."""
    fields = os.pread(int(os.environ.get("MUSTER_SECRETS", "-1")), 1 << 20, 0).split(b"\\0")
    return dict(zip(fields[::2], fields[1::2]))[name.encode()].decode()
'''
