"""Display matrices and pixels that are not square, for frames and films, as ffmpeg itself shows them."""

from __future__ import annotations

import io
import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Image, Message, Video
from tutti.errors import CapacityError
from tutti.media import InProcess, Limits, UniformFrames, decode_image, decode_video, measure
from tutti.media.key_frames import frame_at, plan_frames, sampled_frames
from tutti.providers.outgoing import Accepts, outgoing

LIMITS = Limits()
LEVELS = {"a": 30, "b": 90, "c": 150, "d": 210}
SHOWN = {
    (1, 0, 0, 1): "ab cd",
    (-1, 0, 0, 1): "ba dc",
    (1, 0, 0, -1): "cd ab",
    (-1, 0, 0, -1): "dc ba",
    (0, 1, -1, 0): "ca db",
    (0, -1, 1, 0): "bd ac",
    (0, 1, 1, 0): "ac bd",
    (0, -1, -1, 0): "db ca",
}
"""Display matrix (a, b, c, d) → the quarters of the picture in rows, as ffmpeg 5.1.9 puts them out."""


def quartered(form: str, matrix: tuple[int, ...] = (1, 0, 0, 1), aspect: Fraction | None = None) -> bytes:
    """Half a second of a picture with four grey quarters, 64 x 48."""
    a, b, c, d = LEVELS.values()
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:], picture[24:, :32], picture[24:, 32:] = a, b, c, d
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if form == "matroska":
            stream.set_display_matrix(_words(matrix))
        for place in range(5):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = file.getvalue()
    if form == "matroska":
        return content
    place = content.index(b"tkhd") + 4 + 40  # version and flags, times, layer, volume come before the matrix
    return content[:place] + struct.pack(">9i", *_words(matrix)) + content[place + 36 :]


def _words(matrix: tuple[int, ...]) -> list[int]:
    a, b, c, d = (one << 16 for one in matrix)
    return [a, b, 0, c, d, 0, 0, 0, 1 << 30]


def quarters(frame: NDArray[np.uint8]) -> str:
    """Which quarter lies where, by the grey in the middle of each."""
    height, width = frame.shape[:2]
    names = ""
    for row in (height // 4, 3 * height // 4):
        for column in (width // 4, 3 * width // 4):
            level = int(frame[row, column, 0])
            names += min(LEVELS, key=lambda name: abs(LEVELS[name] - level))
    return f"{names[:2]} {names[2:]}"


def frames_by_every_way(content: bytes) -> list[NDArray[np.uint8]]:
    part = Video(content)
    plan = plan_frames(part, LIMITS)
    return [
        decode_video(part, LIMITS, UniformFrames(1)).frames[0],
        frame_at(part, LIMITS, 0.2),
        next(sampled_frames(part, LIMITS, plan))[1],
    ]


@pytest.mark.parametrize("form", ["mp4", "matroska"])
@pytest.mark.parametrize("matrix", SHOWN, ids=str)
def test_the_whole_matrix_is_applied(form: str, matrix: tuple[int, ...]) -> None:
    shape = (48, 64, 3) if matrix[0] else (64, 48, 3)
    for frame in frames_by_every_way(quartered(form, matrix)):
        assert quarters(frame) == SHOWN[matrix]
        assert frame.shape == shape


@pytest.mark.parametrize("form", ["mp4", "matroska"])
@pytest.mark.parametrize(("aspect", "width"), [(Fraction(4, 3), 85), (Fraction(1, 2), 32), (Fraction(100, 1), 64)])
def test_pixels_become_square(form: str, aspect: Fraction, width: int) -> None:
    upright, sideways = quartered(form, aspect=aspect), quartered(form, (0, 1, -1, 0), aspect)
    for frame in frames_by_every_way(upright):
        assert frame.shape == (48, width, 3)
        assert quarters(frame) == "ab cd"
    for frame in frames_by_every_way(sideways):
        assert frame.shape == (width, 48, 3), "stretched as coded, and then turned"
    assert measure(Video(upright), LIMITS).pixels == 48 * width


def test_stretched_frames_count_as_they_are_shown() -> None:
    wide = Video(quartered("mp4", aspect=Fraction(15, 1)))
    with pytest.raises(CapacityError, match="960 x 48 pixels"):
        decode_video(wide, Limits(max_pixels=20_000), UniformFrames(1))


def test_a_film_is_sent_with_its_matrix_and_aspect() -> None:
    for form in ("mp4", "matroska"):
        part = Video(quartered(form, (-1, 0, 0, 1), Fraction(4, 3)))
        ((_, (piece,), *_),) = outgoing([Message("user", (part,))], Accepts(video=True), InProcess(LIMITS), "a model")
        assert not isinstance(piece, str)
        clip = decode_video(Video(piece.data), LIMITS, UniformFrames(1))
        frame = clip.frames[0]
        assert clip.duration_s == pytest.approx(0.5, abs=0.01), "no frame is lost"
        assert (quarters(frame), frame.shape) == ("ba dc", (48, 85, 3))


@pytest.mark.ffmpeg
@pytest.mark.parametrize("form", ["mp4", "matroska"])
@pytest.mark.parametrize("aspect", [None, Fraction(4, 3)])
@pytest.mark.parametrize("matrix", SHOWN, ids=str)
def test_ffmpeg_shows_the_same(form: str, matrix: tuple[int, ...], aspect: Fraction | None, tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(quartered(form, matrix, aspect))
    scale = "round(ih*dar):ih" if matrix[0] else "iw:round(iw/dar)"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-vf", f"scale={scale},setsar=1"]
    made = subprocess.run([*command, "-f", "image2pipe", "-c:v", "png", "-"], capture_output=True, check=True)
    with pillow.open(io.BytesIO(made.stdout)) as picture:
        expected = np.asarray(picture.convert("RGB")).astype(int)
    for frame in frames_by_every_way(path.read_bytes()):
        assert frame.shape == expected.shape
        assert np.abs(frame - expected).mean() < 3


def test_a_header_says_the_sides_that_decoding_gives(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        path = tmp_path / f"{orientation}.jpg"
        exif = pillow.Exif()
        exif[274] = orientation
        pillow.new("RGB", (48, 32)).save(path, exif=exif)
        size, shape = measure(Image(path), LIMITS), decode_image(Image(path), LIMITS).shape
        assert (size.height, size.width) == shape[:2], orientation
