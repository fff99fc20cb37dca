"""Tiny media made on the spot."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pillow_heif
import pytest
import soundfile
from PIL import Image as pillow

RATE = 48000
FILMS = {
    "mp4": ("mp4", "libx264", "aac"),
    "mov": ("mov", "mpeg4", "pcm_s16le"),
    "webm": ("webm", "libvpx-vp9", "libopus"),
    "mkv": ("matroska", "libx264", "flac"),
}


def _pictures(container: Any, stream: Any) -> None:
    for place in range(50):
        level = 255 if place == 25 else 2 * place  # a flash at 1 s
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
        frame.pts = place
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _sound(container: Any, stream: Any, start_s: float) -> None:
    samples = np.zeros(2 * RATE, np.float32)
    beep = RATE - round(start_s * RATE)  # at 1 s of the container
    samples[beep : beep + 960] = 0.8
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts = RATE, 0
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout="mono", rate=RATE, frame_size=stream.codec_context.frame_size or 1024
    )
    for block in [*resampler.resample(frame), *resampler.resample(None)]:
        block.pts += round(start_s * RATE)
        container.mux(stream.encode(block))
    container.mux(stream.encode(None))


def make_film(
    kind: str = "mp4", *, pictures: bool = True, sound: bool = True, gop: int = 10, sound_start_s: float = 0.0
) -> bytes:
    form, picture_codec, sound_codec = FILMS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        video = audio = None  # both before the first packet: the header lists them
        if pictures:
            video = container.add_stream(picture_codec, rate=25, options={"g": str(gop)})
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        if sound:
            audio = container.add_stream(sound_codec, rate=RATE, layout="mono")
        if video is not None:
            _pictures(container, video)
        if audio is not None:
            _sound(container, audio, sound_start_s)
    return file.getvalue()


def make_picture(form: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (30, 20), **options: Any) -> bytes:
    width, height = size
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    file = io.BytesIO()
    pillow.fromarray(ramp).convert(mode).save(file, form, **options)
    return file.getvalue()


def make_heic() -> bytes:
    file = io.BytesIO()
    with pillow.open(io.BytesIO(make_picture())) as picture:
        pillow_heif.from_pillow(picture).save(file)
    return file.getvalue()


def make_animation(form: str) -> bytes:
    frames = [pillow.new("RGB", (16, 12), (80 * place, 0, 0)) for place in range(4)]
    file = io.BytesIO()
    options = {"lossless": True} if form == "WEBP" else {}
    frames[0].save(file, form, save_all=True, append_images=frames[1:], duration=[100, 300, 100, 100], **options)
    return file.getvalue()


def make_sound(form: str, seconds: float = 1.0, subtype: str | None = None) -> bytes:
    samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(16000 * seconds)) / 16000)
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.float32), 16000, format=form, subtype=subtype)
    return file.getvalue()


@pytest.fixture
def film() -> Callable[..., bytes]:
    return make_film


@pytest.fixture
def picture_bytes() -> Callable[..., bytes]:
    return make_picture


@pytest.fixture
def animation() -> Callable[[str], bytes]:
    return make_animation


@pytest.fixture
def sound_bytes() -> Callable[..., bytes]:
    return make_sound


@pytest.fixture(scope="session")
def one_of_each() -> dict[str, bytes]:
    """One small file of every format, by name."""
    made = {form: make_picture(form) for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")}
    made["HEIC"] = make_heic()
    made |= {form: make_sound(form, 0.2) for form in ("WAV", "FLAC", "OGG", "MP3")}
    made |= {kind: make_film(kind) for kind in FILMS}
    made |= {
        "m4a": make_film("mp4", pictures=False),
        "gif film": make_animation("GIF"),
        "webp film": make_animation("WEBP"),
    }
    return made
