"""Texts and media of six modalities to the inputs of ImageBind, as the checkpoint's settings and tokenizer say.

Reference implementation: `imagebind/data.py`.
We differ in: a recording's clips are centred each by itself, where the reference shifts the recording under the clips
that overlap; stereo is mixed, where the reference hears the first channel; other rates are resampled by soxr; texts
that are too long are refused, where the reference cuts them; texts are not repaired by ftfy.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tutti.errors import CapacityError, InputError, UnsupportedConfig, UnsupportedTask
from tutti.media.frame_sampling import spread_windows
from tutti.media.video import Clip
from tutti.processing.clip import CLIPTexts
from tutti.processing.depth_thermal import DepthMap, HeatMap, center
from tutti.processing.images import ImageProcessor
from tutti.processing.kaldi import FilterBank
from tutti.processing.prompt import Decoded, Decoding, MediaInput, MotionReadings, Processor, media_digest
from tutti.processing.text_meter import TextMeter
from tutti.processing.tokenizer import Tokenizer
from tutti.processing.video_crops import Views

_SettingsT = TypeVar("_SettingsT", "Sounds", "Readings", DepthMap, HeatMap)
_CLIP_TOLERANCE = 0.01
"""Share by which a motion clip may be shorter or longer than the model's."""


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """How a recording is heard: clips spread over it, each as a normalized spectrogram."""

    sampling_rate: int = 16_000
    """In hertz."""
    num_mel_bins: int = 128
    """M."""
    max_frames: int = 204
    """F; what is missing is filled with zeros before normalizing."""
    clips: int = 3
    clip_s: float = 2.0
    mean: float = -4.268
    std: float = 9.138

    def __post_init__(self) -> None:
        if self.clips < 1 or not self.clip_s > 0 or not self.std > 0:
            raise UnsupportedConfig("The settings for audio have a number that is not above zero.")

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shapes: (S,) float32 mono at `sampling_rate` → (clips, 1, M, F) float32; `samples` stay as they are.

        Raises:
            InputError: The recording is shorter than 25 ms, or not finite.
        """
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise InputError(f"Expected finite mono samples, got an array of shape {samples.shape}.")
        bank = FilterBank(num_mel_bins=self.num_mel_bins, sampling_rate=self.sampling_rate)
        out = np.zeros((self.clips, 1, self.num_mel_bins, self.max_frames), np.float32)
        windows = spread_windows(len(samples) / self.sampling_rate, self.clips, self.clip_s)
        for place, (start, end) in enumerate(windows):
            clip = samples[int(start * self.sampling_rate) : int(end * self.sampling_rate)]
            features = bank(clip - clip.mean(dtype=np.float64).astype(np.float32))[: self.max_frames]
            out[place, 0, :, : len(features)] = features.T
        return (out - np.float32(self.mean)) / np.float32(self.std)


@dataclass(frozen=True, kw_only=True)
class Readings:
    """How motion is felt: one clip at one rate."""

    sampling_rate: float = 400.0
    """Readings a second: five seconds are the model's 2,000 steps."""
    num_steps: int = 2000
    """S."""

    def __call__(self, readings: NDArray[np.float32], sample_rate_hz: float | None) -> NDArray[np.float32]:
        """Shapes: (S', 6) float32 → (6, S) float32, resampled on straight lines if the rate is given and another.

        Raises:
            InputError: There are too few readings, or their number is not the model's and their rate is not known.
            CapacityError: There are too many.
        """
        seconds = self.num_steps / self.sampling_rate
        if sample_rate_hz is None:
            if len(readings) != self.num_steps:
                raise InputError(
                    f"There are {len(readings)} readings; without their rate this model takes {self.num_steps}: "
                    "set sample_rate_hz."
                )
            return np.ascontiguousarray(readings.T)
        found = len(readings) / sample_rate_hz
        if found > seconds * (1 + _CLIP_TOLERANCE):
            raise CapacityError(f"The readings last {found:.2f} s; this model takes {seconds:g} s at a time: cut them.")
        if found < seconds * (1 - _CLIP_TOLERANCE):
            raise InputError(f"The readings last {found:.2f} s; this model needs {seconds:g} s: record longer.")
        places = np.linspace(0, len(readings) - 1, self.num_steps)
        columns = [np.interp(places, np.arange(len(readings)), column) for column in readings.T]
        return np.stack(columns).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class ImageBindProcessor(Processor):
    """Model inputs for `imagebind`."""

    words: CLIPTexts | None
    """None where the checkpoint has no tokenizer, as `tutti convert` leaves it without a vocabulary."""
    images: ImageProcessor
    """Resizes and normalizes; the centre is cut here."""
    size: int
    """S, the side of a picture in pixels."""
    views: Views
    sounds: Sounds
    depths: DepthMap
    heats: HeatMap
    motions: Readings
    tokens: Mapping[str, int]
    """Modality → tokens that its trunk makes of a medium, all views together."""

    @classmethod
    def from_config(
        cls,
        tokenizer: Tokenizer | None,
        values: Mapping[str, Any],
        *,
        max_text_tokens: int,
        inputs: Mapping[str, Mapping[str, int]],
        trunk_tokens: Mapping[str, int],
    ) -> ImageBindProcessor:
        """Read `preprocessor_config.json`: a block a modality.

        Args:
            tokenizer: The checkpoint's, or None.
            values: The settings.
            max_text_tokens: Longest text in tokens.
            inputs: Block → what the model fixes of it, e.g. {"audio": {"num_mel_bins": 128, "max_frames": 204}}.
            trunk_tokens: Trunk → tokens of one view.

        Raises:
            UnsupportedConfig: A block or key is unknown or missing, or does not suit the model.
        """
        if set(values) != _BLOCKS:
            raise UnsupportedConfig(
                f"preprocessor_config.json has the keys {', '.join(sorted(values))}; "
                f"expected {', '.join(sorted(_BLOCKS))}."
            )
        images = ImageProcessor.from_config(values["image"])
        side = inputs["vision"]["size"]
        if dict(images.size) != {"shortest_edge": side} or images.do_center_crop or not images.do_resize:
            raise UnsupportedConfig(
                f"The settings for image must make the short side {side} pixels and leave cropping to the model's "
                "family; they are of another model."
            )
        video = _known(Views, values["video"], "video")
        views = Views(size=side, image_mean=images.image_mean, image_std=images.image_std, **video)
        sounds = _settings(Sounds, values["audio"], "audio", inputs["audio"])
        counts = {"image": 1, "video": views.clips * views.crops, "audio": sounds.clips}
        trunks = {"image": "vision", "video": "vision", "audio": "audio", "motion": "imu"}
        return cls(
            words=None if tokenizer is None else CLIPTexts(tokenizer, max_text_tokens, None),
            images=images,
            size=side,
            views=views,
            sounds=sounds,
            depths=_settings(DepthMap, values["depth"], "depth", inputs["depth"]),
            heats=_settings(HeatMap, values["thermal"], "thermal", inputs["thermal"]),
            motions=_settings(Readings, values["motion"], "motion", inputs["motion"]),
            tokens={name: counts.get(name, 1) * trunk_tokens[trunks.get(name, name)] for name in sorted(_BLOCKS)},
        )

    def texts(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """Texts to embed; what is written for HTML (`&amp;`) is read as what it stands for.

        Returns:
            {"input_ids": (B, T), "attention_mask": (B, T)}, padded with the end token to the longest.

        Raises:
            InputError: There is no text.
            CapacityError: A text is longer than the model reads.
            UnsupportedTask: The checkpoint has no tokenizer.
        """
        if self.words is None:
            raise UnsupportedTask(
                "This checkpoint has no tokenizer.json and so reads no text; copy that of a CLIP checkpoint into its "
                "folder, or convert it again with --vocabulary."
            )
        return self.words([_read(text) for text in texts])

    @cached_property
    def text_meter(self) -> TextMeter | None:
        """Measures texts to embed; None where there is no tokenizer."""
        if self.words is None:
            return None
        return TextMeter(self.words.tokenizer, self.words.text_meter.max_tokens, _read)

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """All six. Frames of a video are kept as they are: views are cut from them without rounding in between."""
        return {
            "image": Decoding(side=max(self.images.size.values())),
            "video": Decoding(frames=self.views.choice),
            "audio": Decoding(sample_rate_hz=self.sounds.sampling_rate),
            "depth": Decoding(),
            "thermal": Decoding(),
            "motion": Decoding(),
        }

    def prepare(self, modality: str, decoded: Decoded) -> MediaInput:
        """A medium of any of the six."""
        if isinstance(decoded, Clip):
            return self.video(decoded)
        if isinstance(decoded, MotionReadings):
            return self.motion(*decoded)
        ways: Mapping[str, Callable[[NDArray[Any]], MediaInput]] = {
            "image": self.picture,
            "audio": self.sound,
            "depth": self.depth,
            "thermal": self.thermal,
        }
        return ways[modality](decoded) if modality in ways else super().prepare(modality, decoded)

    def picture(self, pixels: NDArray[np.uint8]) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8 → {"pixel_values": (3, S, S)}."""
        return self._input("image", "pixel_values", center(self.images(pixels), self.size))

    def video(self, clip: Clip) -> MediaInput:
        """A video with the frames that `frame_choice` keeps → {"pixel_values": (views, 3, 2, S, S)}."""
        return self._input("video", "pixel_values", self.views(clip))

    def sound(self, samples: NDArray[np.float32]) -> MediaInput:
        """A recording. Shapes: (S,) mono → {"input_features": (clips, 1, M, F)}."""
        return self._input("audio", "input_features", self.sounds(samples))

    def depth(self, metres: NDArray[np.float32]) -> MediaInput:
        """A depth map. Shapes: (H, W) metres → {"depth_values": (1, S, S)}."""
        return self._input("depth", "depth_values", self.depths(metres))

    def thermal(self, kelvin: NDArray[np.float32]) -> MediaInput:
        """A thermal picture. Shapes: (H, W) kelvin → {"thermal_values": (1, S, S)}."""
        return self._input("thermal", "thermal_values", self.heats(kelvin))

    def motion(self, readings: NDArray[np.float32], sample_rate_hz: float | None) -> MediaInput:
        """Inertial readings. Shapes: (S', 6) → {"imu_values": (6, S)}."""
        return self._input("motion", "imu_values", self.motions(readings, sample_rate_hz))

    def _input(self, modality: str, name: str, values: NDArray[np.float32]) -> MediaInput:
        arrays = {name: values}
        return MediaInput(modality, arrays, self.tokens[modality], media_digest(arrays))


def _read(text: str) -> str:
    """A text as the model reads it: what is written for HTML (`&amp;`) as what it stands for."""
    return html.unescape(html.unescape(text)).strip()


_BLOCKS = {"image", "video", "audio", "depth", "thermal", "motion"}


def _known(kind: type, values: Any, block: str) -> Mapping[str, Any]:
    """The settings of a block, all of them numbers that are known."""
    known = {field.name for field in fields(kind)} - {"size", "image_mean", "image_std"}
    if not isinstance(values, Mapping):
        raise UnsupportedConfig(f"preprocessor_config.json has no block of settings for {block}.")
    for key, value in values.items():
        if key not in known:
            raise UnsupportedConfig(f"preprocessor_config.json has the unknown key {key!r} for {block}.")
        if type(value) not in (int, float):
            raise UnsupportedConfig(f"preprocessor_config.json has {key} {value!r} for {block}; expected a number.")
    return values


def _settings(kind: type[_SettingsT], values: Any, block: str, fixed: Mapping[str, int]) -> _SettingsT:
    """Settings, which may repeat what the model fixes but not change it."""
    settings = _known(kind, values, block)
    for key, expected in fixed.items():
        if settings.get(key, expected) != expected:
            raise UnsupportedConfig(
                f"preprocessor_config.json has {key} {settings[key]!r} for {block}; the model takes {expected}."
            )
    return kind(**{**settings, **fixed})
