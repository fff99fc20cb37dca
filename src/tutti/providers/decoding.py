"""A medium to what a processor asks for: the one place where a modality is decoded for a model on this machine."""

from __future__ import annotations

from dataclasses import replace

from tutti import media
from tutti.content import Audio, Depth, Image, Media, Motion, Thermal, Video
from tutti.errors import UnsupportedTask
from tutti.media import MediaDecoder, Sound
from tutti.processing.prompt import Decoded, Decoding, MotionReadings
from tutti.providers.cutting import Notes, beginning


def decode(
    part: Media, decoding: Decoding, decoder: MediaDecoder, at_least: int | None = None, notes: Notes = None
) -> Decoded:
    """Decode a medium.

    Args:
        part: The medium.
        decoding: What a processor asks for of its modality.
        decoder: Decodes it.
        at_least: As in `tutti.media.decode_image`, of pictures.
        notes: As in `tutti.providers.cutting.beginning`, of sound.

    Returns:
        What `tutti.processing.prompt.Decoded` says of the modality.

    Raises:
        InputError: It cannot be read.
        CapacityError: It is over a budget.
        UnsupportedTask: It is of no modality that is decoded.
    """
    match part:
        case Image():
            return decoder.image(part, at_least)
        case Audio():
            sound = decoder.sound(part)
            return _fitted(part, sound, decoding, notes).samples
        case Video():
            clip = decoder.clip(part, decoding.frames, scale=decoding.scale, sound=decoding.sample_rate_hz is not None)
            return clip if clip.sound is None else replace(clip, sound=_fitted(part, clip.sound, decoding, notes))
        case Depth():
            return media.decode_depth(part, decoder.limits)
        case Thermal():
            return media.decode_thermal(part, decoder.limits)
        case Motion():
            return MotionReadings(media.decode_motion(part, decoder.limits), part.sample_rate_hz)
        case _:
            raise UnsupportedTask(f"{part.modality} is no modality that is decoded for models on this machine.")


def _fitted(part: Media, sound: Sound, decoding: Decoding, notes: Notes) -> Sound:
    """A sound at the rate that is asked for, cut where it is a little too long."""
    if decoding.sample_rate_hz is not None:
        sound = sound.resampled(decoding.sample_rate_hz)
    return replace(sound, samples=beginning(part, sound, decoding.max_samples, notes))
