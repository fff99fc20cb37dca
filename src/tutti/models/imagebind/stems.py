"""What comes before the blocks of ImageBind's trunks: patches of every modality as vectors, with their places.

Paper: Girdhar et al. 2023 (ImageBind), section 3.3, "Encoding modalities".
Reference implementation: `imagebind/models/multimodal_preprocessors.py`; parameters carry its names.
We differ in: other sizes than the configured ones are refused, where the reference stretches its table of places.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tutti.errors import InputError
from tutti.models.imagebind.config import (
    AudioConfig,
    GridConfig,
    ImageBindTrunkConfig,
    MotionConfig,
    TextConfig,
    VisionConfig,
)


class TextStem(nn.Module):
    """Tokens and their places."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.pos_embed = nn.Parameter(0.01 * torch.randn(1, config.max_position_embeddings, config.hidden_size))

    def forward(self, input_ids: Tensor) -> Tensor:
        """Shapes: (B, T) int64 → (B, T, D)."""
        tokens, longest = input_ids.shape[1], self.pos_embed.shape[1]
        if tokens > longest:
            raise InputError(f"The texts are {tokens} tokens long; this model reads at most {longest}: shorten them.")
        out: Tensor = self.token_embedding(input_ids) + self.pos_embed[:, :tokens]
        return out


class RepeatStill(nn.Module):
    """A picture becomes a clip in which nothing moves."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, 3, S, S) → (B, 3, F, S, S); clips (B, 3, F, S, S) stay as they are."""
        return x[:, :, None].expand(-1, -1, self.frames, -1, -1) if x.ndim == 4 else x


class Patches(nn.Module):
    """Patches as vectors: a projection, and a norm for all trunks but vision.

    Args:
        proj: Maps the input to (B, D, …), or to (B, P, D).
        norm: Whether a norm follows.
        width: D.
    """

    def __init__(self, proj: nn.Module, norm: bool, width: int) -> None:
        super().__init__()
        self.proj = proj
        self.norm_layer = nn.LayerNorm(width) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: the input of `proj` → (B, P, D)."""
        out: Tensor = self.proj(x)
        if out.ndim > 3:
            out = out.flatten(2).transpose(1, 2)
        return out if self.norm_layer is None else self.norm_layer(out)


class Places(nn.Module):
    """A learned vector a place."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.randn(1, tokens, width) * width**-0.5)


class GridStem(nn.Module):
    """Patches of a grid and their places, after one token that will stand for the whole.

    Args:
        config: Sizes of the trunk.
        patches: Makes the patches.
        name: What the official checkpoint calls them.
        shape: Shape of one input; a picture may come without its axis of frames.
    """

    def __init__(self, config: ImageBindTrunkConfig, patches: Patches, name: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.name, self.shape = name, shape
        self.cls_token = nn.Parameter(torch.randn(1, 1, config.hidden_size) * config.hidden_size**-0.5)
        self.add_module(name, patches)
        self.pos_embedding_helper = Places(config.tokens, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, *shape) → (B, P + 1, D)."""
        _check_shape(x, self.shape)
        patches = self.get_submodule(self.name)(x)
        whole = self.cls_token.expand(len(x), -1, -1)
        out: Tensor = torch.cat((whole, patches), dim=1) + self.pos_embedding_helper.pos_embed
        return out


class MotionStem(nn.Module):
    """Patches of readings and their places, after one token that will stand for the whole."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.patch, self.shape = config.patch_size, (6, config.num_steps)
        width = config.hidden_size
        self.imu_stem = Patches(nn.Linear(6 * config.patch_size, width, bias=False), True, width)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.pos_embed = nn.Parameter(0.01 * torch.randn(1, config.tokens, width))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, 6, S) → (B, P + 1, D)."""
        _check_shape(x, self.shape)
        patches = x.unfold(-1, self.patch, self.patch).transpose(1, 2).flatten(2)
        whole = self.cls_token.expand(len(x), -1, -1)
        out: Tensor = torch.cat((whole, self.imu_stem(patches)), dim=1) + self.pos_embed
        return out


def vision_stem(config: VisionConfig) -> GridStem:
    """For pictures and clips."""
    kernel = (config.num_frames, config.patch_size, config.patch_size)
    conv = nn.Conv3d(3, config.hidden_size, kernel, stride=kernel, bias=False)
    patches = Patches(nn.Sequential(RepeatStill(config.num_frames), conv), False, config.hidden_size)
    shape = (3, config.num_frames, config.image_size, config.image_size)
    return GridStem(config, patches, "rgbt_stem", shape)


def audio_stem(config: AudioConfig) -> GridStem:
    """For spectrograms."""
    conv = nn.Conv2d(1, config.hidden_size, config.patch_size, stride=config.stride, bias=False)
    patches = Patches(conv, True, config.hidden_size)
    return GridStem(config, patches, "rgbt_stem", (1, config.num_mel_bins, config.max_frames))


def map_stem(config: GridConfig, name: str) -> GridStem:
    """For depth and heat."""
    conv = nn.Conv2d(1, config.hidden_size, config.patch_size, stride=config.patch_size, bias=False)
    patches = Patches(conv, True, config.hidden_size)
    return GridStem(config, patches, name, (1, config.image_size, config.image_size))


def _check_shape(x: Tensor, shape: tuple[int, ...]) -> None:
    still = (shape[0], *shape[2:]) if len(shape) == 4 else shape
    if tuple(x.shape[1:]) not in (shape, still):
        raise InputError(f"The inputs have shape {list(x.shape[1:])}; this trunk takes {list(still)}.")
