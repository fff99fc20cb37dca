"""Configuration of ImageBind, as our `config.json` of `model_type` "imagebind" has it.

The official release has no configuration file, its sizes are arguments in code; this form follows the Hugging Face
layout (a block a trunk) and names the trunks as the official weights do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from tutti.errors import UnsupportedConfig

TASKS = ("embed", "classify")

IGNORED_KEYS = frozenset({"model_type", "architectures", "dtype", "torch_dtype", "source"})
"""Keys that do not change what is computed; `source` is where the weights come from (`tutti convert`)."""

_TrunkT = TypeVar("_TrunkT", bound="ImageBindTrunkConfig")


@dataclass(frozen=True, kw_only=True)
class ImageBindTrunkConfig:
    """Sizes of the blocks of a trunk."""

    hidden_size: int
    """D."""
    num_hidden_layers: int
    """Number of blocks."""
    num_attention_heads: int
    """H, a divisor of D."""

    sees_bias: ClassVar[bool] = True
    """Whether attention has a learned key and value beside those of the tokens."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.hidden_size % self.num_attention_heads:
            raise UnsupportedConfig(
                f"hidden_size is {self.hidden_size} and num_attention_heads is {self.num_attention_heads}; "
                "expected the second to divide the first."
            )

    @property
    def tokens(self) -> int:
        """Tokens of one view, the one that stands for the whole included."""
        raise NotImplementedError

    def stem_parameters(self) -> int:
        """Parameters before the blocks."""
        raise NotImplementedError

    def parameters(self, projection_dim: int) -> int:
        """Parameters of stem, blocks and head."""
        d = self.hidden_size
        block = 12 * d * d + 13 * d + 2 * d * self.sees_bias
        return self.stem_parameters() + self.num_hidden_layers * block + 2 * d + d * projection_dim

    def flops(self, projection_dim: int) -> int:
        """Operations (two a multiply-add) to embed one view. Counted are matrix products after the stem."""
        d, keys = self.hidden_size, self.tokens + self.sees_bias
        block = 12 * d * d * self.tokens + 2 * d * self.tokens * keys
        return 2 * (self.num_hidden_layers * block + d * projection_dim)


@dataclass(frozen=True, kw_only=True)
class TextConfig(ImageBindTrunkConfig):
    """The text trunk: that of CLIP ViT-H/14, as OpenCLIP trained it."""

    vocab_size: int = 49408
    """V. The highest token ends a text."""
    max_position_embeddings: int = 77
    """Longest text in tokens, its start and end included."""
    sees_bias: ClassVar[bool] = False

    @property
    def tokens(self) -> int:
        """T of the longest text."""
        return self.max_position_embeddings

    def stem_parameters(self) -> int:
        """Parameters of the tables."""
        return (self.vocab_size + self.max_position_embeddings) * self.hidden_size


@dataclass(frozen=True, kw_only=True)
class VisionConfig(ImageBindTrunkConfig):
    """The trunk of pictures and clips: that of CLIP ViT-H/14, its patches two frames deep."""

    image_size: int = 224
    """S, the side of a picture in pixels."""
    patch_size: int = 14
    """Side of a patch in pixels, a divisor of S."""
    num_frames: int = 2
    """F, frames of a clip, all within one patch; a picture is repeated to as many."""
    sees_bias: ClassVar[bool] = False

    @property
    def tokens(self) -> int:
        """P + 1."""
        return (self.image_size // self.patch_size) ** 2 + 1

    def stem_parameters(self) -> int:
        """Parameters of the patches, their places and the norm after them."""
        d = self.hidden_size
        return 3 * self.num_frames * self.patch_size**2 * d + (self.tokens + 1) * d + 2 * d


@dataclass(frozen=True, kw_only=True)
class GridConfig(ImageBindTrunkConfig):
    """The trunk of depth or of heat: one channel."""

    image_size: int = 224
    """S, the side of a map in pixels."""
    patch_size: int = 16
    """Side of a patch in pixels, a divisor of S."""

    @property
    def tokens(self) -> int:
        """P + 1."""
        return (self.image_size // self.patch_size) ** 2 + 1

    def stem_parameters(self) -> int:
        """Parameters of the patches, their norm and their places."""
        return (self.patch_size**2 + 2 + self.tokens + 1) * self.hidden_size


@dataclass(frozen=True, kw_only=True)
class AudioConfig(ImageBindTrunkConfig):
    """The trunk of sound: patches of a mel spectrogram that overlap."""

    num_mel_bins: int = 128
    """M."""
    max_frames: int = 204
    """F, columns of the spectrogram of a clip."""
    patch_size: int = 16
    """Side of a patch, in bins and in frames."""
    stride: int = 10
    """From one patch to the next, in bins and in frames."""

    @property
    def tokens(self) -> int:
        """P + 1."""
        down, along = ((side - self.patch_size) // self.stride + 1 for side in (self.num_mel_bins, self.max_frames))
        return down * along + 1

    def stem_parameters(self) -> int:
        """Parameters of the patches, their norm and their places."""
        return (self.patch_size**2 + 2 + self.tokens + 1) * self.hidden_size


@dataclass(frozen=True, kw_only=True)
class MotionConfig(ImageBindTrunkConfig):
    """The trunk of inertial readings ("imu" in the official names)."""

    num_steps: int = 2000
    """S, readings of a clip."""
    patch_size: int = 8
    """Readings of a patch, a divisor of S."""

    @property
    def tokens(self) -> int:
        """P + 1."""
        return self.num_steps // self.patch_size + 1

    def stem_parameters(self) -> int:
        """Parameters of the patches, their norm and their places."""
        return (6 * self.patch_size + 2 + self.tokens + 1) * self.hidden_size


@dataclass(frozen=True, kw_only=True)
class ImageBindConfig:
    """Six trunks and the space they share."""

    vision: VisionConfig
    text: TextConfig
    audio: AudioConfig
    depth: GridConfig
    thermal: GridConfig
    imu: MotionConfig
    projection_dim: int = 1024
    """D of the shared space."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        for name, trunk in (("vision", self.vision), ("depth", self.depth), ("thermal", self.thermal)):
            if trunk.image_size % trunk.patch_size:
                raise UnsupportedConfig(
                    f"{name}_config has image_size {trunk.image_size} and patch_size {trunk.patch_size}; "
                    "expected the second to divide the first."
                )
        if self.imu.num_steps % self.imu.patch_size:
            raise UnsupportedConfig("imu_config has num_steps that patch_size does not divide.")
        if self.audio.patch_size > min(self.audio.num_mel_bins, self.audio.max_frames):
            raise UnsupportedConfig("audio_config has a patch_size larger than the spectrogram.")

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> ImageBindConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, a trunk is missing, or a value cannot be.
        """
        blocks = {f"{name}_config" for name in TRUNKS}
        _check_keys(values, blocks | {"projection_dim"} | IGNORED_KEYS, "The imagebind configuration")
        read: dict[str, Any] = {name: _read_trunk(kind, values, f"{name}_config") for name, kind in TRUNKS.items()}
        return cls(**read, **{key: values[key] for key in ("projection_dim",) if key in values})

    def trunks(self) -> dict[str, ImageBindTrunkConfig]:
        """Name of a trunk → its sizes."""
        return {name: getattr(self, name) for name in TRUNKS}

    def parameters(self) -> int:
        """Parameters of all trunks, and five temperatures."""
        return sum(trunk.parameters(self.projection_dim) for trunk in self.trunks().values()) + 5


TRUNKS: Mapping[str, type[ImageBindTrunkConfig]] = {
    "vision": VisionConfig,
    "text": TextConfig,
    "audio": AudioConfig,
    "depth": GridConfig,
    "thermal": GridConfig,
    "imu": MotionConfig,
}
"""Name of a trunk → kind of its sizes."""


def huge() -> dict[str, Any]:
    """`config.json` of the published checkpoint: the sizes that the official `imagebind_huge` has in code."""
    blocks = {
        "vision": (1280, 32, 16),
        "text": (1024, 24, 16),
        "audio": (768, 12, 12),
        "depth": (384, 12, 8),
        "thermal": (768, 12, 12),
        "imu": (512, 6, 8),
    }
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    trunks = {f"{name}_config": dict(zip(keys, sizes, strict=True)) for name, sizes in blocks.items()}
    return {"model_type": "imagebind", "projection_dim": 1024, **trunks}


def _read_trunk(kind: type[_TrunkT], values: Mapping[str, Any], name: str) -> _TrunkT:
    found = values.get(name)
    if not isinstance(found, Mapping):
        raise UnsupportedConfig(f"The imagebind configuration lacks {name!r}.")
    _check_keys(found, {field.name for field in fields(kind)}, name)
    if absent := [key for key in ("hidden_size", "num_hidden_layers", "num_attention_heads") if key not in found]:
        raise UnsupportedConfig(f"{name} lacks {absent[0]!r}.")
    return kind(**found)


def _check_numbers(config: ImageBindTrunkConfig | ImageBindConfig) -> None:
    for field in fields(config):
        value = getattr(config, field.name)
        if field.type == "int" and (type(value) is not int or value < 1):
            raise UnsupportedConfig(f"{field.name} is {value!r}; expected one whole number from 1 on.")


def _check_keys(values: Mapping[str, Any], known: set[str] | frozenset[str], subject: str) -> None:
    if unknown := sorted(values.keys() - known):
        raise UnsupportedConfig(f"{subject} has the unknown key {unknown[0]!r}.")
