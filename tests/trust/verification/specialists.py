"""Specialists that say what a test tells them to, for the verifier's tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tutti.content import (
    Embeddings,
    Image,
    Media,
    Part,
    Segment,
    Text,
    TextLine,
    Transcript,
    TranscriptionOptions,
    Usage,
)  # fmt: skip


class ScriptedReader:
    """Reads the lines it was given, each at its place in a picture of 400 x 300 pixels, and nothing in pieces of it."""

    def __init__(self, *lines: tuple[str, float], pieces: Sequence[str] = ()) -> None:
        self.lines = [
            TextLine(
                text=text, box=(20.0, 20.0 + 40 * place, 20.0 + 16 * len(text), 48.0 + 40 * place), confidence=sure
            )
            for place, (text, sure) in enumerate(lines)
        ]
        self.pieces = [TextLine(text=text, box=(0, 0, 9, 9), confidence=0.95) for text in pieces]
        self.asked = 0

    def read(self, image: Image) -> Sequence[TextLine]:
        self.asked += 1
        return self.lines if np.shape(image.source) == (300, 400, 3) else self.pieces


class ScriptedEars:
    name = "ears"

    def __init__(self, text: str, last_word_s: float = 1.0) -> None:
        self.words, self.last_word_s = text.split(), last_word_s

    def transcribe(
        self,
        medium: Media,
        options: TranscriptionOptions | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        starts = [2.0 * n for n in range(len(self.words))]
        ends = [*(start + 1 for start in starts[:-1]), starts[-1] + self.last_word_s]
        timed = zip(starts, ends, self.words, strict=True)
        segments = tuple(Segment(start_s=start, end_s=end, text=word) for start, end, word in timed)
        return Transcript(
            text=" ".join(self.words), segments=segments, model="ears", language="en", task="transcribe",
            duration_s=60.0, seconds=0.0,
        )  # fmt: skip


class ScriptedEyes:
    """Places a picture on the name it was given; other names at right angles, in their order ever farther away."""

    name = "eyes"

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def sharpness(self, modality: str) -> float:
        return 1.0

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        rows = [self._of(part.text) if isinstance(part, Text) else [1.0, 0.0] for part in parts]
        return Embeddings(vectors=np.array(rows, np.float32), model="eyes", usage=Usage())

    def _of(self, text: str) -> list[float]:
        name = text.split(" ", 1)[1]
        angle = 0.0 if name == self.shown else 0.2 + (hash_of(name) % 1000) / 1000
        return [float(np.cos(angle)), float(np.sin(angle))]


def hash_of(text: str) -> int:
    """The same in every process."""
    return sum(place * ord(letter) for place, letter in enumerate(text, 7))


def written(*sharp: int) -> np.ndarray:
    """A picture with dark bars where `ScriptedReader` finds the lines that are named."""
    pixels = np.full((300, 400, 3), 235, np.uint8)
    for line in sharp:
        for left in range(24, 380, 8):
            pixels[24 + 40 * line : 44 + 40 * line, left : left + 3] = 20
    return pixels
