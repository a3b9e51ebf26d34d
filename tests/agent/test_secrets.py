"""Secrets on the device: a script reads them, what it writes does not show them, and nothing else has them.

Comes in: jobs whose secrets are sealed as a portal does it. Goes out: how the scripts ended. Invariant: the value is
looked for, and not found, in the environment and the arguments of every process of the run and in every file of its
folder, while the script that read it still runs.
"""

from __future__ import annotations

import base64
import threading
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent import statements
from agent.accounts import Accounts
from agent.clock import SteadyClock
from agent.orders import Job
from agent.redaction import Redactor
from agent.runner import Ended, ProcessRunner
from agent.secret_values import SUITE, SecretError, opened
from tests.agent.scripts import job

KEY = X25519PrivateKey.generate()
VALUE = b"s3cr\xc3\xa9t 'quoted' $x\nline two"


def sealed(work: Job, **values: bytes) -> Job:
    """A job whose action names secrets."""
    names = tuple(values)
    data = {
        name: SUITE.encrypt(value, KEY.public_key(), statements.secret_bytes(work.run, work.attempt, name))
        for name, value in values.items()
    }
    content = type(work.content)(
        work.content.scripts, work.content.timeout, outputs=work.content.outputs, secrets=names
    )
    return replace(work, content=content, secrets=data)


def run(folder: Path, work: Job, key: X25519PrivateKey | None = KEY) -> Ended:
    return ProcessRunner(folder / "runs", SteadyClock(), Accounts(), sealing=key).run(work, lambda at: None, Event())


def test_bash_and_python_read_the_value_as_it_is(tmp_path: Path) -> None:
    bash = '. "$MUSTER/output.sh"; muster_output string s "$(muster_secret pin | base64 -w0)"; muster_secret other >&2'
    python = """import base64, sys, muster_output as out
out.write_string("s", base64.b64encode(out.secret("pin").encode()).decode())
print(out.secret("other"), file=sys.stderr)"""
    for text, language in ((bash, "bash"), (python, "python")):
        ended = run(tmp_path, sealed(job(text, language=language), pin=VALUE, other=b"other value"))
        assert (ended.state, ended.error) == ("success", "[secret other]")
        assert ended.outputs["s"] == base64.b64encode(VALUE).decode()


def test_a_secret_that_is_not_named_is_not_there(tmp_path: Path) -> None:
    ended = run(tmp_path, sealed(job('. "$MUSTER/output.sh"; muster_secret other || exit 3'), pin=VALUE))
    assert (ended.exit_code, "names no secret other" in ended.error) == (3, True)
    assert run(tmp_path, job('. "$MUSTER/output.sh"; muster_secret pin 2>/dev/null || exit 4')).exit_code == 4


def test_what_a_script_writes_does_not_show_it(tmp_path: Path) -> None:
    text = """. "$MUSTER/output.sh"
    value=$(muster_secret pin)
    echo "failed with $value" >&2
    for ((i = 0; i < ${#value}; i++)); do printf '%s' "${value:i:1}" >&2; sleep 0.01; done
    muster_output string s "it is $value"
    muster_output string_list l "$value" other"""
    ended = run(tmp_path, sealed(job(text), pin=VALUE))
    assert ended.error == "failed with [secret pin]\n[secret pin]"
    assert ended.outputs == {"s": "it is [secret pin]", "l": ["[secret pin]", "other"]}


def test_it_is_nowhere_while_the_script_runs(tmp_path: Path) -> None:
    text = f""". "$MUSTER/output.sh"
    v=$(muster_secret pin)
    echo "$MUSTER" > {tmp_path}/up
    while [ ! -e {tmp_path}/go ]; do sleep 0.02; done"""
    found: list[Ended] = []
    thread = threading.Thread(target=lambda: found.append(run(tmp_path, sealed(job(text), pin=b"hide-me-well"))))
    thread.start()
    try:
        while not (tmp_path / "up").exists() or not (tmp_path / "up").read_text():
            assert thread.is_alive()
        looked = 0
        for process in Path("/proc").iterdir():
            for name in ("environ", "cmdline"):
                try:
                    data = (process / name).read_bytes()
                except OSError:
                    continue
                looked += str(tmp_path).encode() in data
                assert b"hide-me-well" not in data, process
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert looked
        assert len(files) > 3
        assert not [path for path in files if b"hide-me-well" in path.read_bytes()]
    finally:
        (tmp_path / "go").touch()
        thread.join()
    assert found[0].state == "success"


def test_a_value_opens_for_one_device_run_attempt_and_name() -> None:
    work = sealed(job("true"), pin=VALUE)
    assert opened(work, KEY) == {"pin": VALUE}
    swapped = sealed(job("true"), pin=VALUE, pun=b"another")
    swapped = replace(swapped, secrets={"pin": swapped.secrets["pun"], "pun": swapped.secrets["pin"]})
    wrong = [
        (work, X25519PrivateKey.generate()), (replace(work, run="another"), KEY), (replace(work, attempt=2), KEY),
        (swapped, KEY), (work, None), (replace(work, secrets={"pin": b"short"}), KEY), (replace(work, secrets={}), KEY),
    ]  # fmt: skip
    for other, key in wrong:
        with pytest.raises(SecretError):
            opened(other, key)


def test_a_script_whose_secret_does_not_open_never_starts(tmp_path: Path) -> None:
    work = replace(sealed(job(f"touch {tmp_path}/ran"), pin=VALUE), attempt=7)
    ended = run(tmp_path, work)
    assert (ended.state, ended.detail) == ("failure", "the secret pin is not sealed for this device and run")
    assert not (tmp_path / "ran").exists()


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    work = sealed(job("true"), pin=VALUE)
    run(tmp_path, work)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run(tmp_path, work)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


letters = st.binary(max_size=12).map(lambda data: bytes(97 + byte % 3 for byte in data))


@given(st.lists(letters.filter(lambda v: len(v) > 3), min_size=1, max_size=3, unique=True), letters, st.data())
def test_a_stream_in_pieces_is_redacted_as_a_whole(values: list[bytes], noise: bytes, data: st.DataObject) -> None:
    named = {f"{number}": value for number, value in enumerate(values)}
    parts = data.draw(st.lists(st.sampled_from([noise, *values, b"z"]), max_size=8))
    text = b"".join(parts)
    at_once = Redactor(named)
    whole = at_once.feed(text) + at_once.rest()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    split, pieces = Redactor(named), b""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        pieces += split.feed(text[start:end])
    assert pieces + split.rest() == whole
    assert not any(value in whole for value in values)


def test_the_longest_value_is_taken_first() -> None:
    redactor = Redactor({"short": b"abcd", "long": b"abcdefgh"})
    assert redactor.feed(b"x abcd") + redactor.feed(b"efgh y ab") + redactor.feed(b"cd z") + redactor.rest() == (
        b"x [secret long] y [secret short] z"
    )
    assert Redactor({}).feed(b"abcd") == b"abcd"
