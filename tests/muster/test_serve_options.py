"""Sizes that an operator gives `muster serve`: how they are written, and their bounds.

Comes in: argument lists. Goes out: what is refused, in words. Invariant held here: every default lies in its bounds,
and the option's names are those of the settings.
"""

import argparse
from pathlib import Path

import pytest

from muster.cli import main
from muster.commands.serve import SIZES as OPTIONS
from muster.options import size
from portal.settings import SIZES, Settings


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("17", 17), ("5B", 5), ("512mb", 512 << 20), ("4GB", 4 << 30), ("1KB", 1024)]
)
def test_sizes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-1", "1.5GB", "4 G", "٣MB", "9" * 19])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write 512MB or 4GB"):
        size(text)


def test_defaults_are_those_of_the_settings() -> None:
    settings = Settings(Path("data"))
    assert {name.replace("-", "_"): default for name, default, _ in OPTIONS} == {
        name: getattr(settings, name) for name in SIZES
    }
    assert all(least <= getattr(settings, name) <= most for name, (least, most) in SIZES.items())


@pytest.mark.parametrize(
    ("option", "given"),
    [("--query-memory", "1MB"), ("--scrub-rate", "2GB"), ("--query-kept", "1PB"), ("--cache", "20TB")],
)
def test_bounds(option: str, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--data", str(tmp_path / "data"), "--port", "0", option, given]) == 2
    assert f"{option} is" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--lake", "/mnt/lake"], "is no address of a lake"),
        (["serve", "--lake", "s3://key:secret@bucket/x"], "credentials stand in the environment"),
        (["serve", "--lake", "s3://bucket/x", "--lake-cache", "2000000GB"], "--lake-cache is"),
        (["serve", "--lake", "s3://bucket/x", "--control", "postgresql://h/d", "--store", "unix:/s"], "--store"),
        (["store", "--lake", "s3://bucket", "--listen", "unix:/s"], "needs a prefix"),
        (["lake", "leave"], "There is no data folder"),
    ],
)
def test_lakes_that_are_refused(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = arguments
    assert main([*([command, rest.pop(0)] if command == "lake" else [command]), "--data", str(tmp_path / "d"), *rest])
    told = capsys.readouterr().err
    assert said in told
    assert "key:secret" not in told
    assert not (tmp_path / "d").exists()


def test_an_address_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--data", str(tmp_path / "data"), "--public-url", "portal.example"]) == 2
    assert "is no address of a portal" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
