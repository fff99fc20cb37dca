"""The reader of text on pictures drawn here."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as pillow
from PIL import ImageDraw, ImageFont

from tutti.content import Image
from tutti.errors import InputError
from tutti.trust.reading import RapidReader


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
