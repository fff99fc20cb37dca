"""Sounds with all their channels: decoded, silenced where something identifies, and encoded without tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from tutti.content import Audio, Media
from tutti.errors import InputError
from tutti.media import Limits
from tutti.media.containers import channels_of, check_codec, check_rate, container, is_container, picture_stream
from tutti.media.sndfile import SNDFILE_FORMATS, sound_file
from tutti.media.sniff import FLAC, MP3, OGG, SOUNDS, Format, describe, sniff
from tutti.media.sources import array_of, opened
from tutti.media.truncation import check_whole
from tutti.trust.privacy.encoder_names import remove_encoder_names
from tutti.trust.privacy.mp4 import aac_stream, encode_sound, plain_mp4

SILENCED_AROUND_S = 0.5
"""Seconds that are silenced before and after words: a transcriber's times err by as much."""
_DRIFT_S = 0.05
_FADE_S = 0.005
_FORMS: dict[Format, tuple[str, str]] = {FLAC: (".flac", "FLAC"), OGG: (".ogg", "OGG"), MP3: (".mp3", "MP3")}
"""Format → ending and libsndfile's name, of what is written as it came; containers become M4A, and all else WAV."""


def read_channels(part: Media, limits: Limits) -> tuple[NDArray[np.float32], int] | None:
    """All channels of a recording, or of a film's sound from its first frame on.

    Returns:
        (S, C) float32 in [-1, 1] and the rate in hertz; None where there is no sound.

    Raises:
        InputError: It is missing, damaged or of another format.
        CapacityError: It is longer than allowed, or has more bytes once decoded.
    """
    array = array_of(part)
    if array is not None:
        if not isinstance(part, Audio):
            return None
        from tutti.media import decode_audio

        sound = decode_audio(part, limits)
        return sound.samples[:, None], sound.sample_rate_hz
    with opened(part, limits) as file:
        found = sniff(file)
        if found is None or not (found in SNDFILE_FORMATS or is_container(found)):
            if found is not None and found.modality == "image":
                return None  # an animation
            raise InputError(f"{part.name} is not a recording that Tutti reads: {describe(file)}; expected {SOUNDS}.")
        check_whole(file, found, part.name)
        if is_container(found):
            return _of_container(file, found, part.name, limits)
        with sound_file(file, found, part.name) as sound:
            limits.check_seconds(part.name, sound.frames / sound.samplerate)
            blocks = _Blocks(part.name, limits, sound.samplerate)
            while len(block := sound.read(sound.samplerate, dtype="float32", always_2d=True)):
                blocks.add(block, None)
            return blocks.whole()


def _of_container(file: BinaryIO, found: Format, name: str, limits: Limits) -> tuple[NDArray[np.float32], int] | None:
    zero_s = _first_frame_s(file, found, name)
    with container(file, found, name) as source:
        if not source.streams.audio:
            return None
        stream = source.streams.audio[0]
        check_codec(stream, name)
        if stream.duration is not None:
            limits.check_seconds(name, float(stream.duration * stream.time_base))
        blocks: _Blocks | None = None
        for frame in source.decode(stream):
            if blocks is None:
                check_rate(name, frame.sample_rate)
                blocks = _Blocks(name, limits, frame.sample_rate)
                blocks.zero_s = (frame.time or 0.0) if zero_s is None else zero_s
            if frame.sample_rate != blocks.rate_hz:
                raise InputError(f"The sound of {name} changes its sample rate on the way; convert it to one rate.")
            blocks.add(channels_of(frame), frame.time)
    return blocks.whole() if blocks is not None else None


def _first_frame_s(file: BinaryIO, found: Format, name: str) -> float | None:
    """The container's time of the first frame; None where there are no moving pictures."""
    with container(file, found, name) as source:
        stream = picture_stream(source)
        if stream is None:
            return None
        for packet in source.demux(stream):
            for frame in packet.decode():
                if frame.pts is not None:
                    return float(frame.pts * stream.time_base)
    return None


class _Blocks:
    """Blocks of (S, C) float32, each put where its time says."""

    def __init__(self, name: str, limits: Limits, rate_hz: int) -> None:
        self.name, self.limits, self.rate_hz = name, limits, rate_hz
        self.zero_s = 0.0
        self.blocks: list[NDArray[np.float32]] = []
        self.count = 0

    def add(self, block: NDArray[np.float32], time_s: float | None) -> None:
        if self.blocks and block.shape[1] != self.blocks[0].shape[1]:
            raise InputError(f"The sound of {self.name} changes its channels on the way; convert it first.")
        if time_s is not None:
            place = round((time_s - self.zero_s) * self.rate_hz)
            drift = place - self.count
            if not self.blocks or abs(drift) > _DRIFT_S * self.rate_hz:
                if drift < 0:
                    block = block[-drift:]
                elif drift:
                    self.limits.check_seconds(self.name, place / self.rate_hz)
                    self._keep(np.zeros((drift, block.shape[1]), np.float32))
        if len(block):
            self._keep(block)

    def _keep(self, block: NDArray[np.float32]) -> None:
        self.count += len(block)
        self.limits.check_seconds(self.name, self.count / self.rate_hz)
        self.limits.check_sound(self.name, self.count * block.shape[1])
        self.blocks.append(block)

    def whole(self) -> tuple[NDArray[np.float32], int] | None:
        if not self.blocks:
            return None
        samples = np.concatenate(self.blocks)
        if not np.isfinite(samples).all():
            raise InputError(f"The sound of {self.name} holds values that are not numbers; export it again.")
        return np.clip(samples, -1, 1), self.rate_hz


def silenced(samples: NDArray[np.float32], rate_hz: int, spans: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """A copy that is exactly zero in the spans, in seconds, with short fades outside of them.

    Args:
        samples: (S, C) float32.
        rate_hz: Samples a second.
        spans: From when to when.
    """
    gain = np.ones(len(samples), np.float32)
    fade = max(1, round(_FADE_S * rate_hz))
    for start_s, end_s in spans:
        start, end = max(0, int(start_s * rate_hz)), min(len(samples), int(np.ceil(end_s * rate_hz)))
        if start >= end:
            continue
        gain[start:end] = 0
        before, after = max(0, start - fade), min(len(samples), end + fade)
        gain[before:start] = np.minimum(gain[before:start], np.linspace(1, 0, start - before, dtype=np.float32))
        gain[end:after] = np.minimum(gain[end:after], np.linspace(0, 1, after - end, dtype=np.float32))
    return samples * gain[:, None]


def sound_suffix(found: Format | None) -> str:
    """The ending of what a recording of a format is written as; None is an array."""
    if found in _FORMS:
        return _FORMS[found][0]
    return ".m4a" if found is not None and is_container(found) else ".wav"


def write_sound(target: Path, samples: NDArray[np.float32], rate_hz: int, suffix: str) -> None:
    """Write a recording that holds its samples and no tags.

    Args:
        target: A file that is made.
        samples: (S, C) float32 in [-1, 1].
        rate_hz: Samples a second.
        suffix: Of `sound_suffix`: how it is coded.
    """
    if suffix == ".m4a":
        _write_m4a(target, samples, rate_hz)
        return
    form = next((name for ending, name in _FORMS.values() if ending == suffix), "WAV")
    options: dict[str, Any] = {"subtype": "PCM_16"} if form in ("WAV", "FLAC") else {}
    if form == "MP3" and rate_hz not in (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000):
        import soxr

        samples, rate_hz = soxr.resample(samples, rate_hz, 48000).astype(np.float32), 48000
    if form == "MP3":
        samples = samples[:, :2]
    with target.open("w+b") as file:
        soundfile.write(file, samples, rate_hz, format=form, **options)
        remove_encoder_names(file, suffix)


def _write_m4a(target: Path, samples: NDArray[np.float32], rate_hz: int) -> None:
    with target.open("w+b") as file, plain_mp4(file, "ipod") as output:
        encode_sound(output, aac_stream(output, rate_hz, samples.shape[1]), samples, rate_hz)
