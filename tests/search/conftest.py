"""A folder of media and an index of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.synthetic_media import Speaker, picture, recording
from tutti.search import Index


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of four colours, tones, a text, and what cannot be indexed."""
    place = tmp_path / "media"
    (place / "deep").mkdir(parents=True)
    for number, colour in enumerate(("red", "green", "blue", "yellow", "red", "blue")):
        picture(place / f"{number}_{colour}.png", colour, seed=number)
    recording(place / "deep" / "low.wav", "low")
    recording(place / "deep" / "high.wav", "high")
    (place / "notes.txt").write_text("A green parrot sings on the balcony.")
    (place / "broken.png").write_bytes((place / "0_red.png").read_bytes()[:60])
    (place / "other.bin").write_bytes(bytes(100))
    (place / ".hidden.png").write_bytes(b"x")
    return place


@pytest.fixture
def space() -> Speaker:
    return Speaker()


@pytest.fixture
def index(tmp_path: Path, space: Speaker) -> Index:
    return Index(tmp_path / "db", space)
