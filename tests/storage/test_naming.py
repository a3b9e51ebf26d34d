"""What names a device or a person is found as a person reading would find it, and nothing else is touched."""

from __future__ import annotations

import json

import pytest

from storage.naming import ERASED, naming

UID = "0d9f1c2e-1111-7000-8000-00000000beef"
WORDS = naming([UID, "7"], ["zrh-0001", "root", "CORP\\anna", "Anna Meier", "Ünal", None, "", "erased", ERASED])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"device:{UID}", f"device:{ERASED}"),
        (f"result_{UID}x.json", f"result_{ERASED}x.json"),
        ("zrh-0001", ERASED),
        ("on ZRH-0001.corp.example at noon", f"on {ERASED}.corp.example at noon"),
        ("zrh-00011 and zrh-0001-b", "zrh-00011 and zrh-0001-b"),
        ("root", ERASED),
        ("/home/root/x by root", "/home/root/x by root"),
        ('users | where name == "Root"', f'users | where name == "{ERASED}"'),
        ("asked by anna meier.", f"asked by {ERASED}."),
        ("CORP\\Anna", ERASED),
        ("ünal", ERASED),
        ("7", ERASED),
        ("7 of 7", "7 of 7"),
        ("", ""),
    ],
)
def test_texts(text: str, said: str) -> None:
    assert WORDS.blanked(text) == said
    assert WORDS.blanked(said) == said
    if said != text:
        assert any(needle in text.lower() for needle in WORDS.needles())


def test_json_stays_json_and_keeps_its_keys() -> None:
    inner = json.dumps({"target": 'devices | where name == "root"'})
    value = {"root": "root", "n": 7, "zrh-0001": [UID, {"plan": inner, "by": "CORP\\anna"}]}
    said = json.loads(WORDS.blanked(json.dumps(value)))
    told = f'devices | where name == "{ERASED}"'
    assert json.loads(said["zrh-0001"][1].pop("plan")) == {"target": told}
    assert said == {"root": ERASED, "n": 7, "zrh-0001": [ERASED, {"by": ERASED}]}


def test_json_that_holds_nothing_stays_as_it_is_written() -> None:
    assert WORDS.blanked('{ "b": 1,  "a": "x" }') == '{ "b": 1,  "a": "x" }'
    assert WORDS.blanked("{zrh-0001") == "{" + ERASED


def test_accounts_and_things() -> None:
    assert WORDS.blanked("account:zrh-0001", ids_only=True) == "account:zrh-0001"
    assert WORDS.blanked(f"device:{UID}", ids_only=True) == f"device:{ERASED}"
    assert WORDS.blanked("root", plain=False) == "root"
    assert WORDS.blanked("zrh-0001", plain=False) == ERASED


def test_nothing_to_look_for() -> None:
    assert not naming(["", None], [" ", ERASED])
    assert naming([], []).blanked("root") == "root"
