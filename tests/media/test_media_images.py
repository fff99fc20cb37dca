from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from tutti.content import Depth, Image, Motion, Thermal
from tutti.errors import CapacityError, InputError
from tutti.media import Limits, decode_depth, decode_image, decode_motion, decode_thermal

LIMITS = Limits()
FORMATS = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC or DICOM"


def saved(image: pillow.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(("form", "tolerance"), [("JPEG", 12), ("PNG", 0), ("WEBP", 12), ("BMP", 0), ("TIFF", 0)])
def test_every_format_gives_its_pixels(form: str, tolerance: int, picture_bytes: Callable[..., bytes]) -> None:
    expected = decode_image(Image(picture_bytes("PNG")), LIMITS).astype(int)
    got = decode_image(Image(picture_bytes(form)), LIMITS)
    assert got.dtype == np.uint8 and got.shape == (20, 30, 3)
    assert np.abs(got - expected).mean() <= tolerance


def test_first_frame_of_an_animation(animation: Callable[[str], bytes]) -> None:
    for form in ("GIF", "WEBP"):
        assert (decode_image(Image(animation(form)), LIMITS) == 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    image = pillow.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    exif = pillow.Exif()
    exif[0x0112] = orientation
    from PIL import ImageOps

    file = saved(image, exif=exif)
    with pillow.open(io.BytesIO(file)) as again:
        expected = np.array(ImageOps.exif_transpose(again))
    assert (decode_image(Image(file), LIMITS) == expected).all()


def test_modes_become_rgb() -> None:
    clear = pillow.new("RGBA", (2, 2), (10, 20, 30, 0))
    assert (decode_image(Image(saved(clear)), LIMITS) == 255).all()
    assert (decode_image(Image(saved(pillow.new("LA", (2, 2), (0, 0)))), LIMITS) == 255).all()
    deep = pillow.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))
    assert decode_image(Image(saved(deep)), LIMITS)[0, :, 0].tolist() == [0, 128, 255]
    assert decode_image(Image(saved(deep, "TIFF")), LIMITS)[0, :, 0].tolist() == [0, 128, 255]
    assert (decode_image(Image(saved(pillow.new("1", (2, 2), 1))), LIMITS) == 255).all()
    palette = pillow.new("RGB", (2, 2), (200, 100, 50)).quantize(2)
    assert decode_image(Image(saved(palette)), LIMITS)[0, 0].tolist() == [200, 100, 50]
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert (decode_image(Image(saved(palette, transparency=palette.getpixel((0, 0)))), LIMITS) == 255).all()
    ink = decode_image(Image(saved(pillow.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG")), LIMITS)[4, 4]
    assert ink[0] < 10 and ink[1] > 240 and ink[2] > 240


def test_sources_agree(tmp_path: Path, picture_bytes: Callable[..., bytes]) -> None:
    content = picture_bytes()
    path = tmp_path / "x.txt"  # the name does not matter
    path.write_bytes(content)
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    array = decode_image(Image(content), LIMITS)
    for source in (path, str(path), url, array):
        assert (decode_image(Image(source), LIMITS) == array).all()
    assert (decode_image(Image(array[:, :, 0]), LIMITS)[:, :, 2] == array[:, :, 0]).all()


def test_png_that_claims_too_much() -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    content += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(CapacityError) as caught:
        decode_image(Image(content), LIMITS)
    assert str(caught.value) == (
        f"image of {len(content)} bytes has 50,000 x 50,000 pixels; the limit is 128,000,000 in all: "
        "make it smaller or raise TUTTI_MAX_PIXELS."
    )


def test_bad_files(tmp_path: Path, picture_bytes: Callable[..., bytes], sound_bytes: Callable[..., bytes]) -> None:
    def message(source: object, limits: Limits = LIMITS) -> str:
        with pytest.raises(InputError) as caught:
            decode_image(Image(source), limits)
        return str(caught.value)

    path = tmp_path / "x.jpg"
    assert message(path) == f"{path} does not exist; check the path."
    assert message(tmp_path) == f"{tmp_path} is a folder; expected a file."
    path.write_bytes(b"")
    assert message(path) == f"{path} is empty; expected a picture."
    path.write_text("hello")
    assert message(path) == (
        f"{path} is not a picture that Tutti reads: its content is plain text; expected {FORMATS}."
    )
    path.write_bytes(sound_bytes("WAV"))
    assert message(path) == f"{path} is not a picture that Tutti reads: its content is WAV; expected {FORMATS}."
    path.write_bytes(b"\x00\xff\xfe\xfd" * 9)
    assert message(path).startswith(f"{path} is not a picture that Tutti reads: its content is of an unknown format;")
    for form in ("JPEG", "PNG"):
        path.write_bytes(picture_bytes(form)[:-80])
        assert message(path) == (
            f"{path} is not a readable {form} picture: it is damaged or cut off; get a whole copy."
        )
    assert message("https://example.org/a.jpg") == (
        "https://example.org/a.jpg is a remote address and remote fetch is off; download it and give the file's path."
    )
    assert message(3) == ("The image source is of type int; expected a path, bytes, a data: URL or a numpy array.")
    assert message(np.zeros((2, 2), np.float64)) == (
        "An image array of float64 with shape (2, 2) was given; "
        "expected uint8 with shape (H, W), (H, W, 3) or (H, W, 4)."
    )


def test_byte_budget(picture_bytes: Callable[..., bytes]) -> None:
    content = picture_bytes("BMP")
    with pytest.raises(CapacityError) as caught:
        decode_image(Image(content), Limits(max_bytes=100))
    assert str(caught.value) == (
        f"image of {len(content)} bytes has {len(content):,} bytes; the limit is 100: "
        "use a smaller file or raise TUTTI_MAX_BYTES."
    )


def test_depth_and_thermal() -> None:
    content = saved(pillow.fromarray(np.array([[1500, 0], [30000, 29315]], dtype=np.uint16)))
    np.testing.assert_allclose(decode_depth(Depth(content), LIMITS), [[1.5, 0], [30, 29.315]], rtol=1e-6)
    np.testing.assert_allclose(decode_thermal(Thermal(content), LIMITS)[1, 1], 293.15, rtol=1e-6)
    array = np.ones((2, 3), np.float32)
    assert (decode_depth(Depth(array), LIMITS) == array).all()
    with pytest.raises(InputError, match="is a PNG of mode RGB; expected a 16-bit grey PNG in millimetres"):
        decode_depth(Depth(saved(pillow.new("RGB", (2, 2)))), LIMITS)


def test_motion(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("ax,ay,az,gx,gy,gz\n1,2,3,4,5,6\n7,8,9,10,11,12\n")
    expected = np.arange(1, 13, dtype=np.float32).reshape(2, 6)
    assert (decode_motion(Motion(path), LIMITS) == expected).all()
    assert (decode_motion(Motion(expected), LIMITS) == expected).all()
    path.write_text("1,2,3\n")
    with pytest.raises(InputError) as caught:
        decode_motion(Motion(path), LIMITS)
    assert str(caught.value) == f"Reading 1 of {path} is '1,2,3'; expected six numbers."
    path.write_text("1,2,3,4,5,nan\n")
    with pytest.raises(InputError, match="not finite numbers"):
        decode_motion(Motion(path), LIMITS)
