"""Still pictures in the container of MP4: AVIF and HEIC, single, in tiles, in groups and in sequences."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image as pillow

from tutti.content import Image, Message, Video
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.media import InProcess, Limits, UniformFrames, decode_image, decode_video, measure, wrap
from tutti.media.sniff import AVIF, HEIC, HEIF, MP4, describe, sniff
from tutti.providers.outgoing import Accepts, outgoing

LIMITS = Limits()


def picture(width: int = 64, height: int = 48, mode: str = "RGB") -> pillow.Image:
    """Left half red, right half blue; with transparency, the right half is clear."""
    made = pillow.new("RGB", (width, height), (200, 20, 20))
    made.paste((20, 20, 200), (width // 2, 0, width, height))
    if mode == "RGBA":
        made.putalpha(pillow.new("L", made.size, 255))
        made.paste((20, 20, 200, 0), (width // 2, 0, width, height))
    return made


def avif(image: pillow.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "AVIF", speed=10, **options)
    return file.getvalue()


def heic(*images: pillow.Image, **options: object) -> bytes:
    made = pillow_heif.from_pillow(images[0])
    for image in images[1:]:
        made.add_from_pillow(image)
    file = io.BytesIO()
    made.save(file, **options)
    return file.getvalue()


def rebranded(content: bytes, major: bytes, *compatible: bytes) -> bytes:
    """The same boxes under other brands; as many as fit in the place of the old ones."""
    length = int.from_bytes(content[:4], "big")
    names = b"".join(compatible).ljust(length - 16, b"\0")[: length - 16]
    return content[:8] + major + content[12:16] + names + content[length:]


def halves(content: bytes) -> tuple[list[int], list[int]]:
    pixels = decode_image(Image(content), LIMITS)
    assert pixels.shape == (48, 64, 3)
    return pixels[24, 16].tolist(), pixels[24, 48].tolist()


@pytest.mark.parametrize("make", [avif, heic])
def test_stills_are_pictures(make: object) -> None:
    content = make(picture())  # type: ignore[operator]
    assert isinstance(wrap(content), Image)
    left, right = halves(content)
    np.testing.assert_allclose(left, (200, 20, 20), atol=12)
    np.testing.assert_allclose(right, (20, 20, 200), atol=12)
    assert measure(Image(content), LIMITS).pixels == 64 * 48
    with pytest.raises(InputError, match="is not a video that Tutti reads: its content is HEIC"):
        decode_video(Video(heic(picture())), LIMITS)
    with pytest.raises(CapacityError, match="64 x 48 pixels; the limit is 3,000"):
        decode_image(Image(content), Limits(max_pixels=3000))
    with pytest.raises(InputError, match="cut off"):
        decode_image(Image(content[:-40]), LIMITS)


@pytest.mark.parametrize("make", [avif, heic])
def test_transparency_is_kept(make: object) -> None:
    left, right = halves(make(picture(mode="RGBA")))  # type: ignore[operator]
    np.testing.assert_allclose(left, (200, 20, 20), atol=12)
    assert right == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_orientation_is_applied_in_every_format(form: str, orientation: int) -> None:
    """Quarters of four greys; Pillow's own `exif_transpose` of what was saved says where they go."""
    from PIL import ImageOps

    grey = np.repeat(np.repeat(np.array([[30, 90], [150, 210]], np.uint8), 16, 0), 24, 1)
    image = pillow.fromarray(np.repeat(grey[:, :, None], 3, 2))
    exif = pillow.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    if form == "HEIF":
        pillow_heif.from_pillow(image).save(file, exif=exif.tobytes(), quality=90)
    else:
        image.save(file, form, exif=exif)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    got = decode_image(Image(file.getvalue()), LIMITS)
    assert got.shape == expected.shape
    assert np.abs(got - expected).mean() < 6


def test_tiles_and_groups_are_one_picture() -> None:
    """Encoders cut large pictures into tiles, which a demuxer of films shows as streams; several pictures likewise."""
    wide = heic(picture(1200, 700))
    pixels = decode_image(Image(wide), LIMITS)
    assert pixels.shape == (700, 1200, 3)
    np.testing.assert_allclose(pixels[350, 1100], (20, 20, 200), atol=12)
    group = heic(picture(), pillow.new("RGB", (640, 480), "green"), primary_index=0)
    assert isinstance(wrap(group), Image)
    np.testing.assert_allclose(halves(group)[0], (200, 20, 20), atol=12)


def test_brands_and_boxes_tell_pictures_from_films(film: object) -> None:
    still, moving, coded = heic(picture()), film("mp4"), avif(picture())  # type: ignore[operator]
    kinds = [
        (still, HEIC),
        (rebranded(still, b"mif1", b"heic"), HEIC),
        (rebranded(still, b"mif1", b"miaf"), HEIF),
        (rebranded(still, b"isom", b"mp42"), HEIC),
        (rebranded(coded, b"mif1", b"avif"), AVIF),
        (rebranded(coded, b"isom", b"iso2"), AVIF),
        (coded, AVIF),
        (moving, MP4),
        (rebranded(moving, b"qt  ", b"mif1"), MP4),
        (struct.pack(">I", 8) + b"free" + moving, MP4),
    ]
    for content, expected in kinds:
        assert sniff(io.BytesIO(content)) == expected
    for content in (rebranded(still, b"mif1", b"miaf"), rebranded(still, b"isom", b"mp42")):
        assert isinstance(wrap(content), Image)
    np.testing.assert_allclose(halves(rebranded(still, b"mif1", b"heic"))[0], (200, 20, 20), atol=12)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a Canon raw picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "JPEG 2000"),
    ],
)
def test_others_are_refused_by_their_names(start: bytes, words: str) -> None:
    assert words in describe(io.BytesIO(start + bytes(64)))
    with pytest.raises(InputError, match=f"is not a medium that Tutti reads: its content is {words}"):
        wrap(start + bytes(64))


def test_heic_without_its_reader_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    content = heic(picture())
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtra, match=r"^Reading HEIC pictures needs .*'tutti\[heif\]'"):
        decode_image(Image(content), LIMITS)
    assert isinstance(wrap(content), Image), "what it is can be said without"


def test_animated_avif_is_a_film() -> None:
    frames = [pillow.new("RGB", (16, 12), (80 * place, 0, 0)) for place in range(4)]
    content = avif(frames[0], save_all=True, append_images=frames[1:], duration=[100, 300, 100, 100])
    assert isinstance(wrap(content), Video)
    clip = decode_video(Video(content), LIMITS, UniformFrames(6))
    assert clip.duration_s == pytest.approx(0.6)
    np.testing.assert_allclose(clip.times_s, [0, 0.1, 0.1, 0.1, 0.4, 0.5])
    np.testing.assert_allclose(clip.frames[:, 0, 0, 0], [0, 80, 80, 80, 160, 240], atol=6)
    assert decode_image(Image(content), LIMITS).max() < 6


def test_hosted_models_are_told_the_right_type() -> None:
    from tutti.providers.anthropic import accepted
    from tutti.providers.gemini import Gemini

    def mime(content: bytes, accepts: Accepts, keep: bool) -> str:
        part = wrap(content)
        ((_, (piece,), *_),) = outgoing([Message("user", (part,))], accepts, InProcess(LIMITS), "a model", keep)  # type: ignore[arg-type]
        assert not isinstance(piece, str)
        return piece.mime

    still, coded = heic(picture()), avif(picture())
    assert mime(still, Gemini.accepts, True) == "image/heic"
    assert mime(rebranded(still, b"mif1", b"miaf"), Gemini.accepts, True) == "image/heif"
    assert mime(still, Gemini.accepts, False) == "image/jpeg"
    assert mime(coded, Gemini.accepts, True) == "image/jpeg", "Gemini does not take AVIF"
    assert mime(still, accepted("claude-opus-4-7"), True) == "image/jpeg"


def test_a_folder_with_stills_is_walked(tmp_path: Path) -> None:
    from tutti.search.ingest.items import _part

    for name, content in (("a.heic", heic(picture())), ("b.avif", avif(picture()))):
        (tmp_path / name).write_bytes(content)
        assert isinstance(_part(str(tmp_path / name)), Image)
