"""Recordings: WAV, FLAC, OGG, AIFF, AU through soundfile; MP3, M4A, AAC, CAF through PyAV; mono float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from tutti.content import Audio
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.limits import Limits
from tutti.media.mixing import Mixer
from tutti.media.sndfile import SNDFILE_FORMATS, sound_file
from tutti.media.sniff import SOUNDS, Format, describe
from tutti.media.sources import array_of, opened
from tutti.media.truncation import check_whole


@dataclass(frozen=True, eq=False, slots=True)
class Sound:
    """A decoded recording."""

    samples: NDArray[np.float32]
    """(S,) float32, mono, in [-1, 1]."""
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """How long it lasts, in seconds."""
        return len(self.samples) / self.sample_rate_hz

    def resampled(self, sample_rate_hz: int) -> Sound:
        """The same sound at another rate, band-limited (soxr, high quality)."""
        if sample_rate_hz == self.sample_rate_hz:
            return self
        samples = soxr.resample(self.samples, self.sample_rate_hz, sample_rate_hz, quality="HQ")
        return Sound(np.clip(samples, -1, 1).astype(np.float32), sample_rate_hz)


def decode_audio(part: Audio, limits: Limits) -> Sound:
    """Decode a recording, or the sound track of a video, to a mono mix at its own sample rate.

    Args:
        part: The recording.
        limits: Budgets of bytes and seconds.

    Returns:
        The sound: (S,) float32 in [-1, 1] and its rate.

    Raises:
        InputError: It is missing, damaged, cut off, without samples, or of another format.
        CapacityError: It has more bytes or seconds than allowed.
    """
    array = array_of(part)
    if array is not None:
        return _from_array(array, part.sample_rate_hz, limits)
    with opened(part, limits) as file:
        return _decode(file, part, limits)


def _decode(file: BinaryIO, part: Audio, limits: Limits) -> Sound:
    from tutti.media import containers

    found = sniff.sniff(file)
    if found is None or not (found in SNDFILE_FORMATS or containers.is_container(found)):
        raise InputError(f"{part.name} is not a recording that Tutti reads: {describe(file)}; expected {SOUNDS}.")
    check_whole(file, found, part.name)
    if containers.is_container(found):
        read = containers.read_sound(file, found, part.name, limits, zero_s=None)
    else:
        read = _read(file, found, part.name, limits)
    if read is None:
        raise InputError(f"{part.name} holds no sound; expected a recording with samples.")
    return finished(*read, part.name)


def finished(samples: NDArray[np.float32], sample_rate_hz: int, name: str) -> Sound:
    """The sound of decoded samples, clipped to [-1, 1].

    Raises:
        InputError: Some samples are not numbers.
    """
    if not np.isfinite(samples).all():
        raise InputError(f"The sound of {name} holds values that are not numbers; export it again.")
    return Sound(np.clip(samples, -1, 1, out=samples if samples.flags.writeable else None), sample_rate_hz)


def _read(file: BinaryIO, found: Format, name: str, limits: Limits) -> tuple[NDArray[np.float32], int] | None:
    with sound_file(file, found, name) as sound:
        mixer, announced = Mixer(sound.samplerate), sound.frames
        limits.check_seconds(name, announced / sound.samplerate)
        samples = bytearray()  # grows in place, where joining arrays would need the room twice
        count = 0
        while len(block := sound.read(sound.samplerate, dtype="float32", always_2d=True)):
            count += len(block)
            limits.check_seconds(name, count / sound.samplerate)
            limits.check_sound(name, count)
            samples += mixer(block).tobytes()
        if 0 < count < announced:
            raise InputError(
                f"{name} is cut off: it announces {announced:,} samples and has {count:,}; get a whole copy."
            )
        return (np.frombuffer(samples, np.float32), sound.samplerate) if count else None


def _from_array(array: NDArray[np.generic], sample_rate_hz: int | None, limits: Limits) -> Sound:
    if array.dtype not in (np.float32, np.int16) or array.ndim not in (1, 2) or array.size == 0:
        raise InputError(
            f"An audio array of {array.dtype} with shape {array.shape} was given; "
            "expected float32 in [-1, 1] or int16 with shape (S,) or (S, C)."
        )
    if not sample_rate_hz or sample_rate_hz <= 0:
        raise InputError("An audio array was given without its sample rate; set sample_rate_hz.")
    limits.check_seconds("audio array", len(array) / sample_rate_hz)
    limits.check_sound("audio array", len(array))
    values = array.astype(np.float32)
    if array.dtype == np.int16:
        values /= 32768
    samples = Mixer(sample_rate_hz)(values) if values.ndim == 2 else values
    return finished(samples, sample_rate_hz, "audio array")
