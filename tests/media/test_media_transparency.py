"""What is transparent: every mode, a ground that shows what is visible, and PNG files with large texts."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageDraw, PngImagePlugin

from tutti.content import Image, Video
from tutti.errors import InputError
from tutti.media import Limits, UniformFrames, decode_image, decode_video
from tutti.media.png_chunks import without_large_texts

LIMITS = Limits()


def drawn(mode: str, ink: int, form: str = "PNG") -> bytes:
    """A cross of one grey level on a transparent ground, in a mode of Pillow."""
    image = pillow.new("LA", (40, 30), (ink, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((8, 12, 32, 18), (ink, 255))
    draw.rectangle((18, 4, 22, 26), (ink, 255))
    file = io.BytesIO()
    if mode == "P":  # an entry of the palette is transparent
        flat = pillow.new("P", image.size, 1)
        flat.putpalette([ink, ink, ink, 7, 7, 7])
        flat.paste(0, mask=image.getchannel("A"))
        flat.save(file, form, transparency=1)
    elif mode in ("L", "RGB", "I;16"):  # a colour is transparent
        other = 100
        flat = pillow.new("L", image.size, other)
        flat.paste(ink, mask=image.getchannel("A"))
        if mode == "I;16":
            pillow.fromarray(np.asarray(flat).astype(np.uint16) * 257).save(file, form, transparency=other * 257)
        else:
            flat.convert(mode).save(file, form, transparency=other if mode == "L" else (other,) * 3)
    else:
        image.convert("RGBA").convert(mode).save(file, form)
    return file.getvalue()


def levels(content: bytes) -> tuple[int, int]:
    pixels = decode_image(Image(content), LIMITS)
    return int(pixels[15, 20, 0]), int(pixels[0, 0, 0])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB", "I;16"])
@pytest.mark.parametrize(("ink", "ground"), [(255, 0), (230, 0), (0, 255), (60, 255), (180, 255)])
def test_what_is_visible_stands_out(mode: str, ink: int, ground: int) -> None:
    assert levels(drawn(mode, ink)) == (ink, ground)


@pytest.mark.parametrize("form", ["WEBP", "TIFF", "AVIF"])
def test_and_in_every_format(form: str) -> None:
    shown, ground = levels(drawn("RGBA", 255, form))
    assert shown > 250 and ground < 5


def test_white_and_black_together_get_grey() -> None:
    image = pillow.new("RGBA", (60, 20), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, 24, 16), (255, 255, 255, 255))
    draw.rectangle((34, 4, 54, 16), (0, 0, 0, 255))
    file = io.BytesIO()
    image.save(file, "PNG")
    pixels = decode_image(Image(file.getvalue()), LIMITS)
    assert pixels[[0, 10, 10], [0, 10, 40], 0].tolist() == [128, 255, 0]
    assert (decode_image(Image(np.asarray(image)), LIMITS) == pixels).all(), "an array likewise"


def test_faint_pictures_stay_on_white_unless_they_vanish() -> None:
    """A cut-out whose outline is white for less than a tenth stays on white; one without outline as well."""
    image = pillow.new("RGBA", (100, 100), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 80, 80), (90, 40, 30, 255))
    draw.rectangle((20, 20, 40, 20), (255, 255, 255, 255))
    assert decode_image(Image(np.asarray(image)), LIMITS)[0, 0].tolist() == [255, 255, 255]
    plain = pillow.new("RGBA", (10, 10), (255, 255, 255, 100))
    assert (decode_image(Image(np.asarray(plain)), LIMITS) == 255).all()


def raw_png(depth: int, colour: int, rows: bytes, size: tuple[int, int], transparent: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"tRNS", transparent) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IEND", b"")


def corner_and_middle(pixels: NDArray[np.uint8]) -> list[int]:
    return [int(pixels[0, 0, 0]), int(pixels[2, 2, 0])]


def test_transparent_colours_of_other_depths() -> None:
    """Samples of 1, 2, 4 bits of grey and 16 of colour: five rows, all of the transparent colour but the middle one."""
    two = b"".join(
        b"\0" + (b"\x55\x40" if row != 2 else b"\x5d\x40") for row in range(5)
    )  # 1 is clear, 3 in the middle
    assert corner_and_middle(decode_image(Image(raw_png(2, 0, two, (5, 5), b"\0\1")), LIMITS)) == [0, 255]
    four = b"".join(b"\0" + (b"\x11\x11\x10" if row != 2 else b"\x11\xf1\x10") for row in range(5))
    assert corner_and_middle(decode_image(Image(raw_png(4, 0, four, (5, 5), b"\0\1")), LIMITS)) == [0, 255]
    one = b"".join(b"\0" + (b"\0" if row != 2 else b"\x20") for row in range(5))
    assert corner_and_middle(decode_image(Image(raw_png(1, 0, one, (5, 5), b"\0\0")), LIMITS)) == [0, 255]
    clear, white = struct.pack(">HHH", 0x1234, 0x1234, 0x1234), b"\xff" * 6
    deep = b"".join(b"\0" + clear * 2 + (white if row == 2 else clear) + clear * 2 for row in range(5))
    assert corner_and_middle(decode_image(Image(raw_png(16, 2, deep, (5, 5), clear)), LIMITS)) == [0, 255]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "AVIF"])
def test_an_animation_keeps_one_ground(form: str) -> None:
    """The first frame shows nothing yet; white letters of the second decide for all."""
    frames = [pillow.new("RGBA", (32, 32), (0, 0, 0, 0)) for _ in range(3)]
    ImageDraw.Draw(frames[1]).rectangle((8, 8, 24, 24), (255, 255, 255, 255))
    ImageDraw.Draw(frames[2]).rectangle((8, 8, 24, 24), (255, 255, 255, 255))
    ImageDraw.Draw(frames[2]).rectangle((10, 10, 22, 22), (0, 0, 0, 255))
    file = io.BytesIO()
    options = {"disposal": 2} if form == "GIF" else {"lossless": True} if form == "WEBP" else {"quality": 95}
    frames[0].save(file, form, save_all=True, append_images=frames[1:], duration=100, **options)
    clip = decode_video(Video(file.getvalue()), LIMITS, UniformFrames(3))
    assert (clip.frames[:, 0, 0] < 6).all()
    assert (clip.frames[1, 16, 16] > 249).all()


def with_texts(**chunks: object) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, value in chunks.items():
        if name == "profile":
            continue
        if name.startswith("compressed"):
            info.add_text(name, str(value), zip=True)
        elif name.startswith("international"):
            info.add_itxt(name, str(value), zip=name.endswith("packed"))
        else:
            info.add_text(name, str(value))
    file = io.BytesIO()
    pillow.new("RGB", (9, 7), (1, 2, 3)).save(file, "PNG", pnginfo=info, icc_profile=chunks.get("profile"))
    return file.getvalue()


@pytest.mark.parametrize(
    "chunks",
    [
        {"plain": "x" * 3_000_000},
        {"compressed": "x" * 3_000_000},
        {"international": "x" * 3_000_000},
        {"international_packed": "x" * 3_000_000},
        {"profile": bytes(3_000_000)},
        {f"compressed{place}": "x" * 900_000 for place in range(80)},
        {f"plain{place}": "x" * 900_000 for place in range(80)},
    ],
    ids=lambda chunks: f"{len(chunks)} {next(iter(chunks))}",
)
def test_texts_and_profiles_do_not_spoil_a_picture(chunks: dict[str, object]) -> None:
    content = with_texts(**chunks)
    with pytest.raises((ValueError, InputError)):  # noqa: PT012, SIM117 - with the guard off, some are refused at once
        with pillow.open(io.BytesIO(content)) as refused:
            refused.load()
            if "plain" in chunks or "international" in chunks:
                raise InputError("Pillow reads these.")
    assert (decode_image(Image(content), LIMITS) == (1, 2, 3)).all()
    with pytest.raises(InputError, match="is damaged or cut off"):
        decode_image(Image(content[:-30]), LIMITS)


def test_small_texts_are_kept_since_some_turn_the_picture() -> None:
    content = with_texts(plain="a", compressed="b" * 500, international="c")
    assert without_large_texts(file := io.BytesIO(content)) is file
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    info = PngImagePlugin.PngInfo()
    info.add_text("compressed", "x" * 3_000_000, zip=True)
    info.add_itxt("XML:com.adobe.xmp", xmp)
    file = io.BytesIO()
    pillow.new("RGB", (9, 7)).save(file, "PNG", pnginfo=info)
    assert decode_image(Image(file.getvalue()), LIMITS).shape == (9, 7, 3)


def test_ink_of_printers() -> None:
    """JPEG in CMYK as Adobe writes it, inverted, and in YCCK: cyan ink is no red."""
    file = io.BytesIO()
    pillow.new("CMYK", (16, 16), (255, 0, 0, 0)).save(file, "JPEG", quality=95)
    assert b"Adobe" in file.getvalue()
    red, green, blue = decode_image(Image(file.getvalue()), LIMITS)[8, 8].tolist()
    assert red < 10 and green > 240 and blue > 240
