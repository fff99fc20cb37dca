"""An embedder and a responder that cost nothing, and media whose meaning they know."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image as pillow

from tutti.content import Answer, Conversation, Embeddings, Event, Finished, Part, SamplingOptions, Text, Usage
from tutti.errors import UnsupportedTask
from tutti.media import Limits, decode_audio, decode_image

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 50), "blue": (30, 70, 210), "yellow": (250, 220, 0)}
TONES = {"low": 220, "middle": 660, "high": 1760}
"""Hertz."""
WORDS = (*COLOURS, *TONES)
RATE_HZ = 16_000


def axis(word: str, weight: float = 1.0) -> np.ndarray:
    """A direction of (32,) float32 for each word that it knows, and a random one for others."""
    vector = np.zeros(32, np.float32)
    if word in WORDS:
        vector[WORDS.index(word)] = weight
    else:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
        vector[8:] = np.random.default_rng(seed).normal(size=24) * 0.2
    return vector


@dataclass
class Space:
    """Places a picture by its nearest colour, a sound by its strongest tone, a text by its words."""

    name: str = "space"
    hears: bool = True
    weights: str = "w1"
    calls: list[int] = field(default_factory=list)

    def fingerprint(self) -> tuple[str, str]:
        return self.weights, "p1"

    def sharpness(self, modality: str) -> float:
        return 20.0

    def embed(self, parts: Sequence[Part]) -> Embeddings:
        self.calls.append(len(parts))
        rows = np.stack([self._place(part) for part in parts])
        vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return Embeddings(vectors=vectors, model=self.name, usage=Usage())

    def _place(self, part: Part) -> np.ndarray:
        seed = int(part.digest[:8], 16)
        noise = np.random.default_rng(seed).normal(size=32).astype(np.float32) * 0.01
        if isinstance(part, Text):
            return noise + sum(
                (axis(word) for word in re.findall(r"[a-z]+", part.text.lower())), np.zeros(32, np.float32)
            )
        if part.modality == "image":
            pixels = decode_image(part, Limits()).reshape(-1, 3).mean(axis=0)
            return noise + axis(min(COLOURS, key=lambda word: float(np.abs(pixels - COLOURS[word]).sum())))
        if not self.hears:
            raise UnsupportedTask(f"{self.name} takes text and image, and was given {part.modality}.")
        sound = decode_audio(part, Limits())
        power = np.abs(np.fft.rfft(sound.samples * np.hanning(len(sound.samples))))
        hertz = power.argmax() * sound.sample_rate_hz / len(sound.samples)
        quiet = float(np.abs(sound.samples).max()) < 0.05
        return noise + (axis("silence") if quiet else axis(min(TONES, key=lambda word: abs(TONES[word] - hertz))))


@dataclass
class Speaker(Space):
    """A space that also answers, with what it was shown."""

    says: str = "It is so [1] and [7]."
    asked: list[Conversation] = field(default_factory=list)
    longest: int = 10_000

    def count_tokens(self, conversation: Conversation) -> int:
        return 100 * len(conversation[-1].parts)

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        self.asked.append(conversation)
        usage = Usage(prompt_tokens=self.count_tokens(conversation))
        yield Finished(Answer(text=self.says, model=self.name, finish_reason="stop", usage=usage, seconds=0.0))


def picture(path: Path, colour: str, seed: int = 0, size: int = 48) -> Path:
    """A picture of a colour on white, each seed another one."""
    rng = np.random.default_rng(seed)
    pixels = np.full((size, size, 3), 250, np.uint8)
    pixels[4:-4, 4:-4] = COLOURS[colour]
    pixels[8, 8] = rng.integers(0, 255, 3)
    pixels[5:9, 5:9] = seed % 200
    pillow.fromarray(pixels).save(path)
    return path


def tone(word: str, seconds: float) -> np.ndarray:
    """A tone, (S,) float32."""
    return (0.5 * np.sin(2 * np.pi * TONES[word] * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def recording(path: Path, word: str, seconds: float = 1.0) -> Path:
    """A tone on disk."""
    soundfile.write(path, tone(word, seconds), RATE_HZ)
    return path


def film(
    path: Path,
    shots: Sequence[tuple[str, float]],
    sound: np.ndarray,
    rate: int = 10,
    side: int = 64,
    beside: str | None = None,
    preset: str = "medium",
) -> Path:
    """An MP4 of H.264 and AAC: shots of (colour, seconds), a sound track, and maybe a colour to the left and right."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=rate, options={"preset": preset, "sc_threshold": "40"})
        pictures.width, pictures.height = side if beside is None else 3 * side, side
        pictures.pix_fmt = "yuv420p"
        track = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        for colour, seconds in shots:
            # With a texture, as real surfaces have: plain ones are coded in a few bytes, whatever their colour.
            texture = np.random.default_rng(len(colour)).integers(-25, 25, (side, side, 1))
            square = np.clip(np.array(COLOURS[colour]) + texture, 0, 255).astype(np.uint8)
            edge = np.full_like(square, COLOURS[beside or colour])
            pixels = square if beside is None else np.hstack([edge, square, edge])
            for _ in range(round(seconds * rate)):
                for packet in pictures.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                    out.mux(packet)
        for packet in pictures.encode():
            out.mux(packet)
        for start in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts = RATE_HZ, start
            for packet in track.encode(block):
                out.mux(packet)
        for packet in track.encode():
            out.mux(packet)
    return path
