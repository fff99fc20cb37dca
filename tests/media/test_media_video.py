from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tutti.content import Audio, Image, Text, Video
from tutti.errors import CapacityError, InputError
from tutti.media import Limits, SceneChanges, UniformFrames, decode_video, wrap

LIMITS = Limits()


@pytest.mark.parametrize("kind", ["mp4", "mov", "webm", "mkv"])
def test_flash_and_beep_meet(kind: str, film: Callable[..., bytes]) -> None:
    clip = decode_video(Video(film(kind)), LIMITS, UniformFrames(50))
    assert clip.frames.shape == (50, 48, 64, 3) and clip.frames.dtype == np.uint8
    np.testing.assert_allclose(clip.times_s, np.arange(50) / 25, atol=1e-3)
    assert clip.duration_s == pytest.approx(2.0, abs=0.01)
    assert clip.times_s[clip.frames.mean(axis=(1, 2, 3)).argmax()] == pytest.approx(1.0, abs=1e-3)
    assert clip.sound is not None
    assert np.argmax(np.abs(clip.sound.samples) > 0.3) / clip.sound.sample_rate_hz == pytest.approx(1.0, abs=2e-3)


def test_late_sound_is_padded(film: Callable[..., bytes]) -> None:
    sound = decode_video(Video(film("mkv", sound_start_s=0.5)), LIMITS).sound
    assert sound is not None
    assert (sound.samples[:23000] == 0).all()
    assert np.argmax(np.abs(sound.samples) > 0.3) / sound.sample_rate_hz == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("gop", [1, 5, 50])
def test_jumping_equals_walking(gop: int, film: Callable[..., bytes]) -> None:
    content = film("mp4", gop=gop, sound=False)
    every = decode_video(Video(content), LIMITS, UniformFrames(50))
    for count in (1, 3, 8):
        some = decode_video(Video(content), LIMITS, UniformFrames(count))
        for time_s, frame in zip(some.times_s, some.frames, strict=True):
            assert (frame == every.frames[round(time_s * 25)]).all()
        centres = (np.arange(count) + 0.5) * 2 / count
        assert (np.abs(some.times_s + 0.02 - centres) <= 0.0201).all()
        assert some.sound is None


def test_scenes(film: Callable[..., bytes]) -> None:
    clip = decode_video(Video(film("mp4")), LIMITS, SceneChanges(8))
    np.testing.assert_allclose(clip.times_s, [0.48, 1.0, 1.52], atol=0.05)
    assert len(decode_video(Video(film("mp4")), LIMITS, SceneChanges(2)).frames) == 2


def test_animations(animation: Callable[[str], bytes]) -> None:
    for form in ("GIF", "WEBP"):
        clip = decode_video(Video(animation(form)), LIMITS, UniformFrames(6))  # one a tenth of a second
        assert clip.duration_s == pytest.approx(0.6)
        np.testing.assert_allclose(clip.times_s, [0, 0.1, 0.1, 0.1, 0.4, 0.5])
        assert clip.frames[:, 0, 0, 0].tolist() == [0, 80, 80, 80, 160, 240]


def test_arrays() -> None:
    array = np.arange(10, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3).repeat(2, axis=1).repeat(2, axis=2)
    clip = decode_video(Video(array, frames_per_s=5.0), LIMITS, UniformFrames(5))
    assert clip.frames[:, 0, 0, 0].tolist() == [1, 3, 5, 7, 9]
    with pytest.raises(InputError, match=r"^A video array was given without its frame rate; set frames_per_s\.$"):
        decode_video(Video(array), LIMITS)
    with pytest.raises(InputError, match=r"expected uint8 with shape \(F, H, W, 3\)\.$"):
        decode_video(Video(array[0], frames_per_s=5.0), LIMITS)


def test_rotation_is_applied(film: Callable[..., bytes]) -> None:
    content = film("mp4", sound=False)
    upright = decode_video(Video(content), LIMITS, UniformFrames(1))
    place = content.index(b"tkhd") + 4 + 40  # version and flags, times, layer, volume come before the matrix
    one = 1 << 16
    assert struct.unpack(">9i", content[place : place + 36])[0] == one
    quarter = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)  # x' = -y, y' = x: a quarter turn clockwise
    turned = decode_video(Video(content[:place] + quarter + content[place + 36 :]), LIMITS, UniformFrames(1))
    assert (turned.frames[0] == np.rot90(upright.frames[0], -1)).all()


def test_budgets(film: Callable[..., bytes]) -> None:
    with pytest.raises(CapacityError, match="64 x 48 pixels in 8 kept frames; the limit is 20,000 in all: keep fewer"):
        decode_video(Video(film()), Limits(max_pixels=20_000))
    with pytest.raises(CapacityError, match=r"lasts 1\.\d+ s or more; the limit is 1 s"):
        decode_video(Video(film("mkv")), Limits(max_seconds=1))
    with pytest.raises(CapacityError, match=r"lasts 1\.\d+ s or more; the limit is 1 s"):
        decode_video(Video(film("mkv")), Limits(max_stream_seconds=1), sound=False)


def test_a_large_film_is_told_by_its_header(tmp_path: Path, film: Callable[..., bytes]) -> None:
    path, small = tmp_path / "film.mp4", Limits(max_bytes=1000)
    path.write_bytes(film("mp4"))
    part = wrap(path, limits=small)
    assert isinstance(part, Video)
    with pytest.raises(CapacityError, match="the limit is 1,000"):
        decode_video(part, small)
    assert len(decode_video(part, small, sound=False).frames) == 8


@pytest.mark.parametrize("source", ["mp4", "webp", "array"])
def test_frames_are_scaled_before_they_count(
    source: str, film: Callable[..., bytes], animation: Callable[[str], bytes]
) -> None:
    part = Video(np.zeros((9, 48, 64, 3), np.uint8), frames_per_s=5.0)
    if source != "array":
        part = Video(film(source) if source == "mp4" else animation("WEBP"))
    whole = decode_video(part, LIMITS)
    side = whole.frames.shape[1]
    tight = Limits(max_pixels=whole.frames[0].size // 3, max_seconds=0.5)
    with pytest.raises(CapacityError, match="in 8 kept frames"):
        decode_video(part, tight, sound=False)
    clip = decode_video(part, tight, scale=lambda frame: frame[::4, ::4], sound=False)
    assert clip.frames.shape[1] == -(-side // 4)
    assert (clip.frames == whole.frames[:, ::4, ::4]).all()
    assert (clip.times_s == whole.times_s).all()
    assert clip.sound is None


def test_bad_videos(tmp_path: Path, film: Callable[..., bytes], picture_bytes: Callable[..., bytes]) -> None:
    path = tmp_path / "x.mp4"

    def message(content: bytes) -> str:
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            decode_video(Video(path), LIMITS)
        return str(caught.value)

    whole = film("mp4")
    for kind in ("mp4", "webm"):
        half = film(kind)[: len(film(kind)) // 2]
        name = "MP4" if kind == "mp4" else "Matroska"
        assert message(half) == (
            f"{path} is cut off: its {name} content should go on after {len(half):,} bytes; get a whole copy."
        )
    assert message(film("mp4", pictures=False)) == f"{path} has sound but no moving pictures; expected a video."
    assert message(picture_bytes("PNG")) == (
        f"{path} is not a video that Tutti reads: its content is PNG; "
        "expected MP4, MOV, WebM, MKV, or animated GIF, WebP or AVIF."
    )
    assert message(b"") == f"{path} is empty; expected a video."
    place = whole.index(b"stsz") + 8  # ISO 14496-12, 8.7.3: the count of samples follows their common size
    assert struct.unpack(">I", whole[place + 4 : place + 8])[0] == 50
    content = bytearray(film("mp4", sound=False))
    for box in (b"stsz", b"stco", b"stsc", b"stts"):
        at = content.index(box) + 8 + (4 if box == b"stsz" else 0)
        content[at : at + 4] = bytes(4)
    assert message(bytes(content)) == f"{path} holds no frames; expected a video with moving pictures."


def test_wrap_tells_by_content(one_of_each: dict[str, bytes], tmp_path: Path) -> None:
    pictures = {"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"}
    films = {"mp4", "mov", "webm", "mkv", "gif film", "webp film"}
    for name, content in one_of_each.items():
        expected = "image" if name in pictures else "video" if name in films else "audio"
        path = tmp_path / "no-name"
        path.write_bytes(content)
        assert (wrap(path).modality, wrap(content).modality) == (expected, expected), name
    assert isinstance(wrap(np.zeros((2, 2, 3), np.uint8)), Image)
    assert isinstance(wrap(np.zeros((5, 2, 2, 3), np.uint8), frames_per_s=5.0), Video)
    assert isinstance(wrap(np.zeros(5, np.float32), sample_rate_hz=8000), Audio)
    text = Text("hello")
    assert wrap(text) is text
    path.write_text("hello")
    with pytest.raises(InputError, match="is not a medium that Tutti reads: its content is plain text; expected JPEG"):
        wrap(path)
