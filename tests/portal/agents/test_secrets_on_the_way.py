"""A secret on its whole way: from an administrator through the portal to a script, and nowhere else.

Comes in: a portal on a port, a real agent. Goes out: all files that either keeps, what the portal tells. Invariant:
the value is found in none of them, while the script proves that it had it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from storage.control.records import to_json
from storage.control.states import State
from tests.portal.agents.conftest import AgentProcess, Served

pytestmark = pytest.mark.slow
VALUE = "correct-horse-battery-staple"
PROVE = """. "$MUSTER/output.sh"
muster_output string word "$(muster_secret vault_word | sha256sum | cut -d' ' -f1)"
echo "the word is $(muster_secret vault_word)" >&2"""


def whole(folder: Path) -> bytes:
    """All that lies in a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_script_has_it_and_nothing_else(served: Served, agent: AgentProcess, tmp_path: Path) -> None:
    control = served.portal.control
    served.post("/secrets", {"name": "vault_word", "value": VALUE})

    early = served.ask([agent.device], PROVE, secrets=["vault_word"])
    served.portal.nudges.nudge([agent.device])
    ended = served.ended(early, agent.device)
    assert (ended.state, ended.detail) == (
        State.POLICY_DENIED, "the order lacks the secret vault_word, which was not granted to the action",
    )  # fmt: skip

    served.post("/secrets/vault_word/grants", {"action": "#test"})
    run = served.ask([agent.device], PROVE, secrets=["vault_word"])
    served.portal.nudges.nudge([agent.device])
    ended = served.ended(run, agent.device)
    assert (ended.state, ended.error) == (State.SUCCESS, "the word is [secret vault_word]")
    assert ended.outputs == {"word": hashlib.sha256(VALUE.encode()).hexdigest()}

    assert agent.stop() == 0
    for folder in (served.portal.settings.data, agent.folder):
        kept = whole(folder)
        assert len(kept) > 1000
        assert VALUE.encode() not in kept, folder
    log = [to_json(entry) for entry in control.audit.latest(500)]
    assert any("secret.granted" in line for line in log)
    assert not any(VALUE in line for line in log)
    assert VALUE not in str(served.get("/secrets"))
