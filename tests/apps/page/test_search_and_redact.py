"""Search and Redact without a browser: what is found, played and removed, and what cannot be reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pillow

from tests.search.synthetic_media import Speaker, picture, recording
from tests.serve.fake_models import Parrot
from tutti.apps.page.models import Models
from tutti.apps.page.redacting import RedactRoom
from tutti.apps.page.rooms import Stopped
from tutti.apps.page.searching import FoundItem, SearchRoom, copy_for_showing
from tutti.errors import InputError
from tutti.model import Model
from tutti.search import Index


@pytest.fixture(scope="module")
def searching(tmp_path_factory: pytest.TempPathFactory) -> SearchRoom:
    place = tmp_path_factory.mktemp("index")
    (place / "media").mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        picture(place / "media" / f"{colour}.png", colour, seed=number)
    recording(place / "media" / "low.wav", "low")
    space = Speaker()
    Index(place / "db", space).add(place / "media")
    return SearchRoom({"photos": str(place / "db")}, Models(["space"], lambda _: space))  # type: ignore[arg-type, return-value]


def test_words_find_pictures_with_thumbnails(searching: SearchRoom) -> None:
    first, *_ = searching.search("photos", "red")
    assert first.caption.startswith("red.png · fits ")
    assert first.thumbnail is not None
    assert first.thumbnail.startswith(b"\xff\xd8")


def test_something_alike_and_a_condition(searching: SearchRoom, tmp_path: Path) -> None:
    found = searching.search(
        "photos", like=str(picture(tmp_path / "x.png", "green", seed=9)), where="modality = 'image'"
    )
    assert found[0].caption.startswith("green.png")
    assert {one.modality for one in found} == {"image"}


def test_the_columns_that_a_condition_may_name_are_told(searching: SearchRoom) -> None:
    names = searching.columns("photos")
    assert {"modality", "path", "start_s", "end_s"} <= set(names)
    for name in names:  # each of them can be named
        searching.search("photos", "red", where=f"{name} IS NOT NULL")
    with pytest.raises(InputError, match="known are: photos"):
        searching.columns("nothing")


def test_a_search_that_was_stopped_ends(searching: SearchRoom) -> None:
    def stop(done: float) -> None:
        raise Stopped("Stopped; nothing was kept.")

    with pytest.raises(Stopped):
        searching.search("photos", "red", told=stop)


def test_moments_have_times(searching: SearchRoom) -> None:
    low = next(one for one in searching.search("photos", "low", moments=True) if one.modality == "audio")
    assert (low.start_s, low.thumbnail) == (0.0, None)


def test_only_indexes_that_were_given_are_searched(searching: SearchRoom) -> None:
    with pytest.raises(InputError, match="known are: photos"):
        searching.search("/etc", "red")
    with pytest.raises(InputError, match="--index"):
        SearchRoom({}, searching._models).search("", "red")
    with pytest.raises(InputError, match="nothing to search for"):
        searching.search("photos", " ")


def test_each_tenant_searches_its_own(searching: SearchRoom) -> None:
    with pytest.raises(InputError):
        searching.search("photos", "red", tenant="anna")


def test_a_result_is_copied_to_be_shown(searching: SearchRoom, tmp_path: Path) -> None:
    first, *_ = searching.search("photos", "blue")
    copy = Path(copy_for_showing(first, tmp_path))
    assert copy.parent.parent == tmp_path
    assert first.path is not None
    assert copy.read_bytes() == Path(first.path).read_bytes()
    with pytest.raises(InputError, match="not on this machine"):
        copy_for_showing(FoundItem(caption="x", modality="image", path=str(tmp_path / "gone")), tmp_path)


def redacting(folder: Path) -> RedactRoom:
    return RedactRoom(folder, lambda _: Model(Parrot()))


def test_metadata_go_and_the_record_says_so(tmp_path: Path) -> None:
    exif = pillow.Exif()
    exif[0x010F] = "Maker"
    pillow.new("RGB", (32, 32), "red").save(tmp_path / "photo.jpg", exif=exif)
    (tmp_path / "page").mkdir()
    view = redacting(tmp_path / "page").redact(str(tmp_path / "photo.jpg"), faces=False, words=False)
    assert view.kind == "picture"
    assert "EXIF" in view.lines[0]
    with pillow.open(view.copy) as copy:
        assert not copy.getexif()
    assert json.loads(Path(view.record).read_text())["kind"] == "picture"
    assert Path(view.copy).is_relative_to(tmp_path / "page")


def test_what_cannot_be_redacted_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to redact"):
        redacting(tmp_path).redact(None)
    (tmp_path / "words.txt").write_text("words")
    with pytest.raises(InputError):
        redacting(tmp_path).redact(str(tmp_path / "words.txt"), faces=False, words=False)


def test_speech_needs_a_model_that_hears(tmp_path: Path) -> None:
    rooms = RedactRoom(tmp_path, lambda _: object())
    with pytest.raises(InputError, match="whisper-base does not transcribe"):
        rooms.redact(str(recording(tmp_path / "a.wav", "low")), faces=False, words=False, speech=True)


def test_what_stops_the_work_leaves_no_copy(tmp_path: Path) -> None:
    from tests.search.synthetic_media import film, tone

    film(tmp_path / "film.mp4", [("red", 2.0)], tone("low", 1.0), rate=4)
    (tmp_path / "page").mkdir()

    def stop(done: float) -> Any:
        raise Stopped("Stopped; nothing was written.")

    with pytest.raises(Stopped):
        redacting(tmp_path / "page").redact(str(tmp_path / "film.mp4"), faces=False, words=False, progress=stop)
    assert [one for one in (tmp_path / "page").rglob("*") if one.is_file()] == []
