r"""The functions with which scripts put questions to whoever is logged in, as texts that are laid into a run's folder.

Bash scripts get them with the output functions, under the names of the vendor's product, so that its scripts run as
they are; Python scripts import `muster_campaign`, which is also the program that the Bash functions start, as that
language reaches no socket. Out: one question a connection to the socket `questions` in the run's folder, whose other
end is `agent.campaigns.talk`. Invariant: an answer is in the memory of the script alone; a connection that ends takes
its question from the screen.
"""

from __future__ import annotations

BASH = r"""
# nxt_run_campaign ID                       asks, and waits for the person; 0 if there is a status
# nxt_run_campaign_with_timeout ID SECONDS  the same, for so long at the most
# nxt_run_standalone_campaign ID            shows it, and does not wait
# nxt_get_campaign_status VARIABLE          puts the status of the last one into a variable
# nxt_get_response_answer VARIABLE LABEL    puts the answers to one of its questions into an array
_muster_campaign_status=''
_muster_campaign_answers=()

_muster_ask() {
  local _muster_field
  _muster_campaign_status='' _muster_campaign_answers=()
  while IFS= read -r -d '' _muster_field; do
    if [ -z "$_muster_campaign_status" ]; then
      _muster_campaign_status=$_muster_field
    else
      _muster_campaign_answers+=("$_muster_field")
    fi
  done < <("$MUSTER_PYTHON" -I -S -B "$MUSTER/muster_campaign.py" "$@")
  [ -n "$_muster_campaign_status" ] || _muster_campaign_status=connectionfailed
  [ "$_muster_campaign_status" != connectionfailed ]
}
nxt_run_campaign() { _muster_ask wait "${1-}"; }
nxt_run_campaign_with_timeout() { _muster_ask wait "${1-}" "${2-}"; }
nxt_run_standalone_campaign() { _muster_ask show "${1-}"; }

_muster_is_name() {
  case ${1-} in '' | [!A-Za-z_]* | *[!A-Za-z0-9_]*) return 1 ;; esac
}
nxt_get_campaign_status() {
  _muster_is_name "${1-}" && [ -n "$_muster_campaign_status" ] || return 1
  eval "$1=\$_muster_campaign_status"
}
nxt_get_response_answer() {
  _muster_is_name "${1-}" || return 1
  local _muster_field _muster_label='' _muster_is_label=1 _muster_found=1
  eval "$1=()"
  for _muster_field in ${_muster_campaign_answers[@]+"${_muster_campaign_answers[@]}"}; do
    if [ "$_muster_is_label" = 1 ]; then
      _muster_label=$_muster_field _muster_is_label=0
      continue
    fi
    _muster_is_label=1
    if [ "$_muster_label" = "${2-}" ]; then
      eval "$1+=(\"\$_muster_field\")"
      _muster_found=0
    fi
  done
  return "$_muster_found"
}
"""

PYTHON = '''"""Asks whoever is logged in: `response = muster_campaign.run("#my_campaign", timeout=600)`. It has
`status` and `answer("label")`. `run_standalone` shows something and does not wait.
"""

import json
import os
import socket
import sys

MOST_BYTES = 1 << 18


class Response:
    """What became of a campaign. `status` is fully, timeout, postponed, declined, connectionfailed or
    notificationfailed; `detail` says why nobody could be asked; `person` is the account that was."""

    def __init__(self, status, detail="", answers=None, person=""):
        self.status, self.detail, self.answers, self.person = status, detail, answers or {}, person

    def answer(self, label):
        """The labels that were chosen, none unless the campaign was answered in full."""
        return list(self.answers.get(label, ()))


def run(campaign, timeout=None):
    """Ask, and wait for the person, at most so many seconds."""
    return _told({"ask": "wait", "campaign": campaign, "timeout": timeout})


def run_standalone(campaign):
    """Show it, and do not wait; `fully` says that it is on the screen."""
    return _told({"ask": "show", "campaign": campaign, "timeout": None})


def _told(asked):
    response = _ask(asked)
    if response.detail:  # a run that could not ask says why, whatever its script makes of the status
        print("campaign %s: %s" % (asked["campaign"], response.detail), file=sys.stderr)
    return response


def _ask(asked):
    here = os.environ.get("MUSTER", "")
    if not os.path.lexists(os.path.join(here, "questions")):
        return Response("notificationfailed", "the action has no campaigns")
    try:
        folder = os.open(here, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
                talk.connect("/proc/self/fd/%d/questions" % folder)
                talk.sendall(json.dumps(asked).encode() + b"\\n")
                said = b""
                while not said.endswith(b"\\n") and len(said) < MOST_BYTES:
                    more = talk.recv(65536)
                    if not more:
                        break
                    said += more
        finally:
            os.close(folder)
        found = json.loads(said.decode())
        return Response(found["status"], found["detail"], found["answers"], found["person"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Response("connectionfailed", str(error))


def _main(arguments):
    how, campaign, seconds = (arguments + [""])[:3]
    if how == "show":
        response = run_standalone(campaign)
    elif len(arguments) > 2:
        response = run(campaign, int(seconds) if seconds.isascii() and seconds.isdigit() else seconds)
    else:
        response = run(campaign)
    fields = [response.status]
    for label, given in response.answers.items():
        for answer in given:
            fields += [label, answer]
    sys.stdout.write("".join(field + "\\0" for field in fields))


if __name__ == "__main__":
    _main(sys.argv[1:])
'''
