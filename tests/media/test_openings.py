"""How often a file is opened on its way to an answer or into an index."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.search.synthetic_media import Speaker
from tutti.content import Audio, Image, ReadFile, Video
from tutti.media import InProcess, Limits, wrap
from tutti.model import Model
from tutti.search import Index

OPENED: list[str] = []
sys.addaudithook(lambda event, given: OPENED.append(str(given[0])) if event == "open" else None)


def openings(path: Path, job: Callable[[], object]) -> int:
    OPENED.clear()
    job()
    return OPENED.count(str(path))


@pytest.fixture(params=["JPEG", "AVIF", "WAV", "MP3", "mp4", "webm"])
def path(request: pytest.FixtureRequest, tmp_path: Path, one_of_each: dict[str, bytes]) -> Path:
    made = tmp_path / "media" / f"x.{request.param.lower()}"
    made.parent.mkdir()
    made.write_bytes(one_of_each[request.param])
    return made


def decoded(path: Path) -> object:
    part = wrap(path, keep=True)
    assert len(part.digest) == 64
    decoder = InProcess(Limits())
    if isinstance(part, Video):
        return decoder.clip(part)
    return decoder.image(part) if isinstance(part, Image) else decoder.sound(part)  # type: ignore[arg-type]


def test_sniffing_digest_and_decoding_open_a_file_once(path: Path) -> None:
    assert openings(path, lambda: decoded(path)) == 1


def test_a_medium_that_is_embedded_is_opened_once(path: Path) -> None:
    assert openings(path, lambda: Model(Speaker()).embed([path])) == 1


def test_a_file_that_is_indexed_is_opened_once(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / "cache"))
    index = Index(tmp_path / "db", Speaker())
    assert openings(path, lambda: index.add(path.parent)) == 1
    os.utime(path, ns=(1, 1))
    assert openings(path, lambda: index.add(path.parent)) == 1, "read anew, found the same, and not decoded"
    assert openings(path, lambda: index.add(path.parent)) == 0


def test_what_was_read_is_what_the_path_holds(path: Path) -> None:
    kept, plain = wrap(path, keep=True), wrap(path)
    assert isinstance(kept.source, ReadFile) and kept.source.content == path.read_bytes()  # type: ignore[union-attr]
    assert kept.digest == plain.digest
    assert kept.name == plain.name == str(path)  # type: ignore[union-attr]
    assert repr(path.read_bytes()[:9]) not in repr(kept)
    assert isinstance(kept, (Image, Audio, Video))


def test_a_large_film_is_read_piece_by_piece(
    tmp_path: Path, one_of_each: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film"
    film.write_bytes(one_of_each["mp4"])
    monkeypatch.setattr("tutti.media.modality._MOST_KEPT_BYTES", 1)
    assert wrap(film, keep=True).source == film  # type: ignore[union-attr]
