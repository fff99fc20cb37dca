"""Speech of a sound track, written down piece by piece while the track is read, so that no track is too long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from os import PathLike, fspath

import numpy as np
from numpy.typing import NDArray

from tutti.content import Audio, Segment, Video
from tutti.interfaces import Transcriber
from tutti.media.sound_windows import duration_of
from tutti.processing.sounding import Stretch, packed
from tutti.processing.spoken_words import SURE, is_speech
from tutti.processing.voice_activity import RATE_HZ, voices

PIECE_S = 120.0
"""Of a piece, what holds no voice is left out before it is written down."""
SHORT_S = 600.0
"""Recordings and films up to so many seconds are written down without being asked."""


class SpeechPieces:
    """Collects a sound track and writes down what is said in it.

    Args:
        transcriber: What writes down.
        everything: All that sounds, as the transcriber does by itself; otherwise only what may be a voice, in one try.
    """

    def __init__(self, transcriber: Transcriber, *, everything: bool = False) -> None:
        self._transcriber, self._everything = transcriber, everything
        self._pieces: list[NDArray[np.float32]] = []
        self._start = self._stop = 0
        """Samples of the track before those that are kept, and up to their end."""

    def take(self, start_s: float, samples: NDArray[np.float32]) -> Iterator[Segment]:
        """Take a window, of which some may have been in the one before; yields what is said, once there is a piece.

        Shapes: (S,) float32 mono at 16 kHz.
        """
        begins = round(start_s * RATE_HZ)
        if not self._pieces:
            self._start = self._stop = max(self._stop, begins)
        self._pieces.append(samples[self._stop - begins :])
        self._stop = begins + len(samples)
        if self._stop - self._start >= PIECE_S * RATE_HZ:
            yield from self.finish()

    def finish(self) -> Iterator[Segment]:
        """What is said in the rest."""
        samples = np.concatenate([np.zeros(0, np.float32), *self._pieces])
        start, self._pieces = self._start, []
        whole = [Stretch(0, len(samples))] if len(samples) else []
        stretches = whole if self._everything else voices(samples)
        if not stretches:
            return
        packing = packed(samples, stretches)
        sound = Audio(packing.samples, sample_rate_hz=RATE_HZ)
        said = self._transcriber.transcribe(sound, None if self._everything else SURE)
        for segment in said.segments:
            if self._everything or is_speech(segment):
                begins = packing.place(segment.start_s * RATE_HZ)
                ends = packing.place(segment.end_s * RATE_HZ, is_end=True)
                yield replace(segment, start_s=(start + begins) / RATE_HZ, end_s=(start + ends) / RATE_HZ)


def lasts_s(part: Audio | Video) -> float:
    """How long a recording or a film is, in seconds, as far as it tells before it is decoded; otherwise 0."""
    if isinstance(part.source, (str, PathLike)):
        return duration_of(fspath(part.source))
    if isinstance(part, Audio) and isinstance(part.source, np.ndarray) and part.sample_rate_hz:
        return float(part.source.shape[0] / part.sample_rate_hz)
    return 0.0
