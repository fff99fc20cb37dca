"""The reader of text on pictures drawn here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow
from PIL import ImageDraw, ImageFont

from tests.search.synthetic_media import Speaker
from tutti.content import Image
from tutti.errors import CapacityError, InputError, TuttiError
from tutti.search import Index
from tutti.trust.reading import RapidReader, shipped_reader


def test_reads_lines_in_order(tmp_path: Path) -> None:
    picture = pillow.new("RGB", (480, 160), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(32)
    for place, text in (((280, 90), "Mon-Fri"), ((20, 92), "8 - 18 h"), ((20, 20), "NO PARKING")):
        draw.text(place, text, fill="black", font=font)
    picture.save(tmp_path / "sign.png")
    reader = RapidReader()
    lines = reader.read(Image(str(tmp_path / "sign.png")))
    assert [line.text for line in lines] == ["NO PARKING", "8 - 18 h", "Mon-Fri"]
    left, top, right, bottom = lines[0].box
    assert 10 <= left < right <= 300
    assert 10 <= top < bottom <= 70
    assert min(line.confidence for line in lines) > 0.8
    with pytest.raises(InputError, match="does not exist"):
        reader.read(Image(str(tmp_path / "gone.png")))


class Engine:
    """What stands for rapidocr: remembers what it was given, and finds nothing."""

    boxes = txts = scores = None

    def __init__(self) -> None:
        self.given: list[tuple[int, ...]] = []

    def __call__(self, pixels: np.ndarray, **asked: bool) -> Engine:
        self.given.append(pixels.shape)
        return self


@pytest.mark.parametrize(
    "size",
    [(4, 400), (400, 4), (3, 600), (1, 1), (8, 400), (10, 9000), (5000, 2500), (60, 60_000), (9000, 9000), (12, 12)],
)
def test_what_is_read_at_once_is_bounded(size: tuple[int, int]) -> None:
    """Thin pictures were enlarged to a short side of 736 pixels, whatever the long one then was."""
    reader, engine = RapidReader(), Engine()
    reader._engine = engine
    assert reader.read(Image(np.full((*size, 3), 255, np.uint8))) == []
    assert (min(size) < 8) == (engine.given == []), "what holds no letter is not read"
    assert len(engine.given) <= 33
    for height, width, _ in engine.given:
        assert max(height, width) <= 2000
        assert max(height, width) <= 4 * min(height, width)
        enlarged = max(1.0, 736 / min(height, width))
        assert height * width * enlarged**2 <= 4_000_000, "pixels of what the detector looks at"


def test_thin_pictures_are_read_where_they_can_be() -> None:
    picture = pillow.new("RGB", (900, 24), "white")
    ImageDraw.Draw(picture).text((20, 0), "OPEN DAILY", fill="black", font=ImageFont.load_default(20))
    assert [line.text for line in RapidReader().read(Image(np.asarray(picture)))] == ["OPEN DAILY"]


@pytest.mark.slow
def test_small_letters_on_a_large_sheet() -> None:
    """At a long side of 2,000 pixels, to which such sheets were made smaller, these letters were not found."""
    sheet = pillow.new("RGB", (5000, 2500), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(40)
    draw.text((3000, 1800), "INVOICE 20394", fill="black", font=font)
    sentence = "a line that goes over the seams of several pieces and on to the right until here"
    draw.text((1000, 1240), sentence, fill="black", font=font)
    lines = RapidReader().read(Image(np.asarray(sheet)))
    assert [line.text for line in lines] == [sentence, "INVOICE 20394"]
    left, top, right, bottom = lines[1].box
    assert 2970 < left < 3010 and 1780 < top < bottom < 1870 and 3250 < right < 3320


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RuntimeError("cv2.error: !ssize.empty()"), InputError),
        (MemoryError(), CapacityError),
        (RuntimeError("Failed to allocate memory for requested buffer of size 9"), CapacityError),
        (CapacityError("Too large."), CapacityError),
    ],
)
def test_whatever_the_reader_raises_is_one_sentence(raised: Exception, expected: type[TuttiError]) -> None:
    def failing(*_: object, **__: object) -> None:
        raise raised

    reader = RapidReader()
    reader._engine = failing
    with pytest.raises(expected) as caught:
        reader.read(Image(np.full((50, 50, 3), 255, np.uint8)))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_picture_that_cannot_be_read_is_counted_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / "cache"))

    def failing(pixels: np.ndarray, **_: object) -> Engine:
        if pixels.shape[1] == 64:
            raise RuntimeError("bad allocation of a picture")
        return Engine()

    folder = tmp_path / "media"
    folder.mkdir()
    for name, width in (("a", 32), ("b", 64), ("c", 48)):
        pillow.new("RGB", (width, 32), "red").save(folder / f"{name}.png")
    reader = RapidReader()
    reader._engine = failing
    report = Index(tmp_path / "db", Speaker(), reader=reader).add(folder)
    assert report.added == 2
    assert [Path(one.item).name for one in report.broken] == ["b.png"]
    assert "Reading the text of" in report.broken[0].reason


def test_text_is_found_sooner_than_it_is_read(tmp_path: Path) -> None:
    picture = pillow.new("RGB", (480, 160), "white")
    picture.save(tmp_path / "blank.png")
    ImageDraw.Draw(picture).text((20, 20), "NO PARKING", fill="black", font=ImageFont.load_default(32))
    picture.save(tmp_path / "sign.png")
    reader = shipped_reader()
    assert reader is not None
    assert reader.finds(Image(str(tmp_path / "sign.png")))
    assert not reader.finds(Image(str(tmp_path / "blank.png")))
    assert not reader.finds(Image(np.full((4, 4, 3), 255, np.uint8)))
    assert [line.text for line in reader.read(Image(str(tmp_path / "sign.png")))] == ["NO PARKING"]
