"""The starter actions that look at services, packages, files, processes and people, run for real.

Comes in: files, processes and, where there is no systemd to ask, programs that stand in for it. Goes out:
nothing. Invariant held here: what an action says is what the machine is, asked in another way.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import platform
import pwd
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.host.people import administrators
from tests.content.running import number, program, run, texts

pytestmark = pytest.mark.slow
DPKG = pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="there is no dpkg here")
SYSTEMCTL = """
echo "$@" >> "$(dirname "$0")/asked"
case "$*" in
  *LoadState*unknown.service) echo not-found ;;
  *LoadState*) echo loaded ;;
  *ActiveState*) cat "$(dirname "$0")/state" ;;
  "restart -- broken.service") echo "it broke" >&2; exit 1 ;;
  restart*) echo active > "$(dirname "$0")/state" ;;
  list-units*) cat "$(dirname "$0")/failed" ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path: Path) -> Path:
    """A folder with a systemctl that knows every service but `unknown`; the one asked about has failed."""
    place = program(tmp_path / "programs", "systemctl", SYSTEMCTL)
    (place / "state").write_text("failed\n")
    return place


def test_restart_service_looks_first(tmp_path: Path, systemctl: Path) -> None:
    ended = run(tmp_path, "#restart_service", programs=systemctl, service="cron")
    assert (ended.state, ended.outputs) == (
        "success", {"state_before": "failed", "state_after": "failed", "restarted": False}
    )  # fmt: skip
    assert "restart" not in (systemctl / "asked").read_text()


@pytest.mark.parametrize("name", ["cron", "cron.service"])
def test_restart_service(tmp_path: Path, systemctl: Path, name: str) -> None:
    ended = run(tmp_path, "#restart_service", programs=systemctl, service=name, mode="restart")
    assert (ended.state, ended.outputs) == (
        "success", {"state_before": "failed", "state_after": "active", "restarted": True}
    )  # fmt: skip
    assert "restart -- cron.service" in (systemctl / "asked").read_text().splitlines()


def test_a_service_that_does_not_restart(tmp_path: Path, systemctl: Path) -> None:
    ended = run(tmp_path, "#restart_service", programs=systemctl, service="broken", mode="restart")
    assert (ended.state, ended.error) == ("failure", "it broke")
    assert ended.outputs == {"state_before": "failed", "state_after": "failed", "restarted": False}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unknown", "there is no service unknown"),
        ("", "no name of a service"),
        ("-all", "no name of a service"),
        ("a b", "no name of a service"),
        ("$(reboot)", "no name of a service"),
        ("../x", "no name of a service"),
        ("ssh.socket", "only services are restarted"),
    ],
)
def test_what_is_no_service(tmp_path: Path, systemctl: Path, name: str, said: str) -> None:
    ended = run(tmp_path, "#restart_service", programs=systemctl, service=name, mode="restart")
    assert (ended.state, ended.outputs) == ("failure", {})
    assert said in ended.error
    asked = systemctl / "asked"
    assert not asked.exists() or "restart" not in asked.read_text()


def test_failed_services(tmp_path: Path, systemctl: Path) -> None:
    (systemctl / "failed").write_text(
        "cron.service loaded failed failed Regular background\nuser@1000.service loaded failed failed Manager\n"
    )
    ended = run(tmp_path, "#failed_services", programs=systemctl)
    assert (ended.state, ended.outputs) == ("success", {"failed": 2, "services": ["cron", "user@1000"]})
    (systemctl / "failed").write_text("")
    assert run(tmp_path, "#failed_services", programs=systemctl).outputs == {"failed": 0, "services": []}


PLAN = """cat <<'END'
Reading package lists...
Inst openssl [3.0.15-1] (3.0.16-1 Debian-Security:12/stable-security [amd64])
Inst bash [5.2.15-2+b2] (5.2.15-2+b8 Debian:12.9/stable [amd64]) []
Inst new-one (1.0 Debian:12.9/stable [amd64])
Conf openssl (3.0.16-1 Debian-Security:12/stable-security [amd64])
END
case "$*" in *--simulate*) ;; *) exit 3 ;; esac"""


def test_pending_updates(tmp_path: Path) -> None:
    ended = run(tmp_path, "#pending_updates", programs=program(tmp_path / "programs", "apt-get", PLAN))
    assert (ended.state, ended.error) == ("success", "")
    assert (ended.outputs["updates"], ended.outputs["security"]) == (2, 1)
    assert ended.outputs["packages"] == ["openssl 3.0.15-1 -> 3.0.16-1", "bash 5.2.15-2+b2 -> 5.2.15-2+b8"]
    broken = program(tmp_path / "programs", "apt-get", "echo 'E: the lists are damaged' >&2; exit 100")
    ended = run(tmp_path, "#pending_updates", programs=broken)
    assert (ended.state, ended.error) == ("failure", "E: the lists are damaged")


def test_reboot_required(tmp_path: Path) -> None:
    ended = run(tmp_path, "#reboot_required")
    assert (ended.state, ended.outputs["running_kernel"]) == ("success", platform.release())
    marked = any(Path(folder, "reboot-required").exists() for folder in ("/run", "/var/run"))
    assert bool(ended.outputs["required"]) == bool(texts(ended, "reasons"))
    assert ("the system asks for it" in texts(ended, "reasons")) == marked


def test_largest_files(tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "deep").mkdir(parents=True)
    for name, size in (("small", 10_000), ("deep/big\nline", 400_000), ("deep/middle", 90_000)):
        (place / name).write_bytes(os.urandom(size))
    (place / "link").symlink_to("/usr")
    ended = run(tmp_path, "#largest_files", path=str(place), count="2")
    assert (ended.state, ended.error) == ("success", "")
    assert [text.split(" ", 2)[2] for text in texts(ended, "files")] == [
        f"{place}/deep/{n}" for n in ("big\nline", "middle")
    ]
    assert (ended.outputs["seen"], ended.outputs["complete"]) == (3, True)
    assert 400_000 <= number(ended, "largest") < 500_000 <= number(ended, "total") < 600_000


@pytest.mark.parametrize(("path", "count"), [("/nowhere", "10"), ("/tmp", "0"), ("/tmp", "-1"), ("/tmp", "51")])
def test_largest_files_of_nothing(tmp_path: Path, path: str, count: str) -> None:
    ended = run(tmp_path, "#largest_files", path=path, count=count)
    assert (ended.state, ended.outputs) == ("failure", {})


@contextmanager
def sleeping(name: str, *, stubborn: bool = False, size: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a name of its own, which ends when it is asked to, unless it is stubborn."""
    code = f"""
import ctypes, signal, time
ctypes.CDLL(None).prctl(15, {name.encode()!r}, 0, 0, 0)
{"signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""}
held = bytearray({size})
print("there", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_memory_hogs(tmp_path: Path) -> None:
    with sleeping("m-hog", size=200 << 20):
        ended = run(tmp_path, "#memory_hogs", count="50")
    assert (ended.state, ended.error) == ("success", "")
    [mine] = [text for text in texts(ended, "programs") if text.endswith(" m-hog (1)")]
    assert 200 <= int(mine.split()[0]) < 300
    assert number(ended, "largest_size") >= 200 << 20
    assert 0 < number(ended, "used_share") < 100
    assert number(ended, "available") > 0


def test_end_process_counts_first(tmp_path: Path) -> None:
    with sleeping("m-sleeper") as process:
        ended = run(tmp_path, "#end_process", name="m-sleeper")
        assert ended.outputs == {"found": 1, "ended": 0, "still_there": [str(process.pid)]}
        assert process.poll() is None
        assert run(tmp_path, "#end_process", name="m-sleep").outputs["found"] == 0


@pytest.mark.parametrize("mode", ["end", "force"])
def test_end_process(tmp_path: Path, mode: str) -> None:
    with sleeping("m-sleeper") as process:
        ended = run(tmp_path, "#end_process", name="m-sleeper", mode=mode)
        assert ended.outputs == {"found": 1, "ended": 1, "still_there": []}
        assert process.wait(10) == -15


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "gone"), [("end", False), ("force", True)])
def test_a_process_that_does_not_want_to_end(tmp_path: Path, mode: str, gone: bool) -> None:
    with sleeping("m-stubborn", stubborn=True) as process:
        ended = run(tmp_path, "#end_process", name="m-stubborn", mode=mode)
        assert ended.outputs == {"found": 1, "ended": int(gone), "still_there": [] if gone else [str(process.pid)]}


@pytest.mark.parametrize("name", ["", "/bin/sh"])
def test_end_process_of_no_name(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, "#end_process", name=name, mode="end").state == "failure"


def test_the_agents_own_processes_are_spared(tmp_path: Path) -> None:
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    ended = run(tmp_path, "#end_process", name=name)
    assert str(os.getpid()) not in texts(ended, "still_there")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary files with an old and a new file, and a link that leads out of it."""
    place = tmp_path / "temporary"
    (place / "deep").mkdir(parents=True)
    place.chmod(0o1777)
    (tmp_path / "kept").write_bytes(b"x" * 5000)
    for name in ("old", "deep/old", "new"):
        (place / name).write_bytes(b"x" * 5000)
    (place / "link").symlink_to(tmp_path / "kept")
    return place


def test_clear_temporary_files_counts_first(tmp_path: Path, temporary: Path) -> None:
    ended = run(tmp_path, "#clear_temporary_files", path=str(temporary), days="0")
    assert (ended.state, ended.outputs["files"], ended.outputs["removed"]) == ("success", 3, False)
    assert number(ended, "space") >= 15_000
    assert run(tmp_path, "#clear_temporary_files", path=str(temporary), days="1").outputs["files"] == 0
    assert len(list(temporary.rglob("*"))) == 5


def test_clear_temporary_files(tmp_path: Path, temporary: Path) -> None:
    ended = run(tmp_path, "#clear_temporary_files", path=str(temporary), days="0", mode="remove")
    assert (ended.state, ended.outputs["files"], ended.outputs["removed"]) == ("success", 3, True)
    assert {path.name for path in temporary.rglob("*")} == {"deep", "link"}
    assert (tmp_path / "kept").exists()


def test_other_folders_are_left_alone(tmp_path: Path, temporary: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(temporary)
    temporary.chmod(0o1777)
    for path in (str(link), str(tmp_path), "/nowhere", "/etc"):
        ended = run(tmp_path, "#clear_temporary_files", path=path, days="0", mode="remove")
        assert (ended.state, ended.outputs) == ("failure", {}), path
        assert "no folder for temporary files" in ended.error
    assert run(tmp_path, "#clear_temporary_files", path=str(temporary), days="x", mode="remove").state == "failure"
    assert len(list(temporary.rglob("*"))) == 5


WHO = """echo 'anna     seat0        2026-01-01 08:00 (:0)
anna     pts/0        2026-01-01 08:05 (10.0.0.7)
bert     pts/1        2026-01-01 09:00 (desk.example)
carl     tty2         2026-01-01 09:30'"""


def test_user_sessions(tmp_path: Path) -> None:
    ended = run(tmp_path, "#user_sessions", programs=program(tmp_path / "programs", "who", WHO))
    assert (ended.state, ended.outputs) == ("success", {"sessions": 4, "remote": 2, "users": ["anna", "bert", "carl"]})
    listed = subprocess.run(["who"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert run(tmp_path, "#user_sessions").outputs["sessions"] == len(listed)


@DPKG
def test_package_version(tmp_path: Path) -> None:
    ended = run(tmp_path, "#package_version", package="coreutils")
    form = "--showformat=${Version}"
    wanted = subprocess.run(["dpkg-query", "-W", form, "coreutils"], capture_output=True, text=True, check=True).stdout
    assert (ended.state, ended.outputs["installed"], ended.outputs["version"]) == ("success", True, wanted)
    assert number(ended, "installed_size") > 1_000_000
    ended = run(tmp_path, "#package_version", package="no-such-package")
    assert ended.outputs == {"installed": False, "version": "-", "architecture": "-", "installed_size": 0.0}


@pytest.mark.parametrize("name", ["", "-W", "a b", "*", "$(id)"])
def test_package_version_of_no_name(tmp_path: Path, name: str) -> None:
    ended = run(tmp_path, "#package_version", package=name)
    assert (ended.state, ended.outputs) == ("failure", {})


def rsa(bits: int) -> str:
    """An RSA public key of so many bits, as it stands in a file of keys."""
    modulus = ((1 << bits) - 1).to_bytes(bits // 8 + 1, "big")
    parts = (b"ssh-rsa", b"\1\0\1", modulus)
    return "ssh-rsa " + base64.b64encode(b"".join(struct.pack("!I", len(part)) + part for part in parts)).decode()


def test_ssh_keys_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    file = tmp_path / "home" / ".ssh" / "authorized_keys"
    dsa = "ssh-dss " + base64.b64encode(b"\0\0\0\7ssh-dss").decode()
    lines = [
        f"{rsa(4096)} good",
        f'from="10.*",no-pty {rsa(1024)} old key',
        f"#{rsa(1024)} off",
        "",
        dsa,
        "nonsense ssh-rsa",
    ]
    file.write_text("\n".join(lines))
    file.chmod(0o664)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    name = pwd.getpwuid(os.geteuid()).pw_name
    ended = run(tmp_path, "#ssh_keys_audit", who="me")
    assert (ended.state, ended.error) == ("success", "")
    assert ended.outputs == {
        "keys": 3, "accounts": [f"{name} 3"], "weak": [f"{name} RSA of 1024 bits old key", f"{name} DSA"],
        "open_files": [str(file)],
    }  # fmt: skip
    assert run(tmp_path, "#ssh_keys_audit").state == "success"


def test_file_facts(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content\n")
    file.chmod(0o640)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    ended = run(tmp_path, "#file_facts", path=str(file))
    owner = f"{pwd.getpwuid(os.geteuid()).pw_name}:{grp.getgrgid(os.getegid()).gr_name}"
    assert (ended.state, ended.error) == ("success", "")
    assert ended.outputs == {
        "exists": True, "kind": "file", "size": 8.0, "modified": 1_700_000_000_000_000, "owner": owner,
        "rights": "-rw-r-----", "sha256": hashlib.sha256(b"content\n").hexdigest(),
    }  # fmt: skip


def test_file_facts_of_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("link", "link"), ("pipe", "pipe"), (".", "folder")):
        ended = run(tmp_path, "#file_facts", path=str(tmp_path / name))
        assert (ended.state, ended.outputs["kind"], ended.outputs["sha256"]) == ("success", kind, "-")
    assert run(tmp_path, "#file_facts", path="/no/where").outputs == {"exists": False}
    for path in ("", "file", "-x"):
        assert run(tmp_path, "#file_facts", path=path).state == "failure"


def test_local_admins(tmp_path: Path) -> None:
    ended = run(tmp_path, "#local_admins")
    root = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == 0}
    assert (ended.state, set(texts(ended, "system"))) == ("success", root)
    assert administrators() - root <= set(texts(ended, "by_group"))
    assert ended.outputs["count"] == len(texts(ended, "system")) + len(texts(ended, "by_group"))
