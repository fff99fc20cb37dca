"""Make the four files of `examples/media` from the open data packs.

Usage: `python tools/example_media.py PACKS`.

Picture: Noto's dog on a plain ground. Recording: a barking dog. Video: Noto's rooster walks from left to right while a
rooster crows. Both sounds belong to the fold that no recipe trains on. Speech: eleven seconds of President Kennedy's
inaugural address of 1961, of the US government and in the public domain, from the tests of openai/whisper.
"""

from __future__ import annotations

import io
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from PIL import Image

from tutti.training.packs import PackReader

OUT = Path(__file__).parent.parent / "examples" / "media"
RECORDING = "dog/4-207124-A.ogg"
CROWING = "rooster/4-164859-A.ogg"
SPEECH = "jfk.flac"
SIDE = 192
FRAMES_PER_S = 10
SECONDS = 3
SAMPLE_RATE_HZ = 16_000


def main() -> None:
    """Write the four files."""
    packs = Path(sys.argv[1])
    dog = _emoji(packs, "1f415.webp", 120)
    picture = Image.new("RGB", (SIDE, SIDE), (214, 232, 246))
    picture.paste(dog, (36, 40), dog)
    picture.save(OUT / "picture.png", optimize=True)

    (OUT / "recording.ogg").write_bytes(_member(packs / "sound_esc10", RECORDING))

    speech, rate_hz = soundfile.read(io.BytesIO(_member(packs / "speech_sentences_dev", SPEECH)), always_2d=True)
    speech = soxr.resample(speech.mean(axis=1), rate_hz, SAMPLE_RATE_HZ)
    soundfile.write(OUT / "speech.ogg", speech, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS", compression_level=0.95)

    sound, rate_hz = soundfile.read(io.BytesIO(_member(packs / "sound_esc10", CROWING)), dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ:
        raise SystemExit(f"{CROWING} has {rate_hz} Hz; expected {SAMPLE_RATE_HZ}.")
    _write_video(_emoji(packs, "1f413.webp", 72), sound[: SECONDS * SAMPLE_RATE_HZ])


def _member(pack: Path, name: str) -> bytes:
    return PackReader(pack).content(name)


def _emoji(packs: Path, name: str, side: int) -> Image.Image:
    picture = Image.open(io.BytesIO(_member(packs / "emoji_noto", name))).convert("RGBA")
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def _write_video(actor: Image.Image, sound: np.ndarray) -> None:
    frames = SECONDS * FRAMES_PER_S
    with av.open(str(OUT / "video.mp4"), "w") as file:
        pictures = file.add_stream("libx264", rate=FRAMES_PER_S, options={"crf": "23"})
        pictures.width, pictures.height, pictures.pix_fmt = SIDE, SIDE, "yuv420p"
        track = file.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono", bit_rate=48_000)
        for index in range(frames):
            canvas = Image.new("RGB", (SIDE, SIDE), (222, 240, 214))
            left = round(4 + (SIDE - actor.width - 8) * index / (frames - 1))
            canvas.paste(actor, (left, 70), actor)
            file.mux(pictures.encode(av.VideoFrame.from_image(canvas)))
        file.mux(pictures.encode())
        for start in range(0, len(sound), 1024):
            piece = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = SAMPLE_RATE_HZ, start, Fraction(1, SAMPLE_RATE_HZ)
            file.mux(track.encode(piece))
        file.mux(track.encode())


if __name__ == "__main__":
    main()
