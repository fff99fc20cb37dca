"""ImageBind: six trunks, bound by pictures into one space.

Paper: Girdhar et al. 2023 (ImageBind), sections 3.2 and 3.3.
Reference implementation: github.com/facebookresearch/ImageBind, `imagebind/models/imagebind_model.py`; parameters
carry its names, the indices of its containers included.
We differ in: the causal mask of texts is computed, not kept; other sizes of pictures and spectrograms are refused,
where the reference stretches its table of places; layers that are dropped in training only are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import UnsupportedTask
from tutti.models.imagebind.config import ImageBindConfig, ImageBindTrunkConfig, TextConfig, VisionConfig
from tutti.models.imagebind.stems import MotionStem, TextStem, audio_stem, map_stem, vision_stem
from tutti.models.layers.attention import attention

_MEDIA: Mapping[str, tuple[str, str]] = {
    "image": ("vision", "pixel_values"),
    "video": ("vision", "pixel_values"),
    "audio": ("audio", "input_features"),
    "depth": ("depth", "depth_values"),
    "thermal": ("thermal", "thermal_values"),
    "motion": ("imu", "imu_values"),
}
"""Modality → its trunk, and the name of its input."""
_TEMPERATURES: Mapping[str, float] = {"text": 0.07, "audio": 0.05, "depth": 0.2, "thermal": 0.1, "imu": 0.2}
"""Trunk → temperature of its contrast with pictures. That of texts is where learning began, the others are fixed."""
_MOST_SHARP = 100.0
"""Inverse temperatures are cut here."""
_VIEWS = 16
"""Views computed at a time: bounds the working memory of videos, which have many."""
_EPS = 1e-6


class ImageBindOutput(NamedTuple):
    """What `ImageBindModel.forward` returns: a point a medium, (B, shared D), None for what was not given.

    As in the reference these are unit vectors times their trunk's inverse temperature, averaged over views.
    """

    text: Tensor | None = None
    vision: Tensor | None = None
    audio: Tensor | None = None
    depth: Tensor | None = None
    thermal: Tensor | None = None
    imu: Tensor | None = None


# The blocks.


class TrunkAttention(nn.Module):
    """Attention among all tokens, or causal, with one learned key and value more where the trunk has them."""

    def __init__(self, config: ImageBindTrunkConfig) -> None:
        super().__init__()
        width, self.heads = config.hidden_size, config.num_attention_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.bias_k = nn.Parameter(torch.randn(1, 1, width) * width**-0.5) if config.sees_bias else None
        self.bias_v = nn.Parameter(torch.randn(1, 1, width) * width**-0.5) if config.sees_bias else None
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D)."""
        batch, tokens, width = x.shape
        query, key, value = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        if self.bias_k is not None and self.bias_v is not None:
            key = torch.cat((key, self.bias_k.expand(batch, -1, -1)), dim=1)
            value = torch.cat((value, self.bias_v.expand(batch, -1, -1)), dim=1)
        query, key, value = (each.view(batch, -1, self.heads, width // self.heads) for each in (query, key, value))
        out: Tensor = self.out_proj(attention(query, key, value, causal=causal).reshape(batch, tokens, width))
        return out


class TrunkMLP(nn.Module):
    """fc2(gelu(fc1(x))), four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, D)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class ImageBindBlock(nn.Module):
    """Pre-norm attention, then pre-norm MLP."""

    def __init__(self, config: ImageBindTrunkConfig) -> None:
        super().__init__()
        self.attn = TrunkAttention(config)
        self.norm_1 = nn.LayerNorm(config.hidden_size, _EPS)
        self.mlp = TrunkMLP(config.hidden_size)
        self.norm_2 = nn.LayerNorm(config.hidden_size, _EPS)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D)."""
        x = x + self.attn(self.norm_1(x), causal)
        out: Tensor = x + self.mlp(self.norm_2(x))
        return out


class Trunk(nn.Module):
    """The blocks of a trunk; vision has a norm before the first."""

    def __init__(self, config: ImageBindTrunkConfig) -> None:
        super().__init__()
        self.causal = isinstance(config, TextConfig)
        if isinstance(config, VisionConfig):
            self.pre_transformer_layer = nn.Sequential(nn.LayerNorm(config.hidden_size, _EPS))
        else:
            self.pre_transformer_layer = nn.Sequential()
        self.blocks = nn.ModuleList(ImageBindBlock(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D)."""
        x = self.pre_transformer_layer(x)
        for block in self.blocks:
            x = block(x, self.causal)
        return x


# What comes after them.


class First(nn.Module):
    """The token that stands for the whole. Shapes: (B, T, D) → (B, D)."""

    def forward(self, x: Tensor) -> Tensor:
        """Take it."""
        return x[:, 0]


class TextHead(nn.Module):
    """The state of a text's end, its highest token, in the shared space."""

    def __init__(self, config: TextConfig, shared: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.proj = nn.Sequential(nn.LayerNorm(width, _EPS), nn.Linear(width, shared, bias=False))

    def forward(self, x: Tensor, input_ids: Tensor) -> Tensor:
        """Shapes: (B, T, D) and (B, T) int64 → (B, shared D)."""
        out: Tensor = self.proj(x[torch.arange(len(x), device=x.device), input_ids.argmax(dim=-1)])
        return out


class Unit(nn.Module):
    """Rows of length one. Shapes: (B, D) → the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize."""
        return F.normalize(x, dim=-1)


class Sharpness(nn.Module):
    """Points times their trunk's inverse temperature.

    Args:
        temperature: The first, or only, value.
        learned: Whether it is a parameter.
    """

    log_logit_scale: Tensor

    def __init__(self, temperature: float, learned: bool) -> None:
        super().__init__()
        first = torch.tensor(-math.log(temperature))
        if learned:
            self.log_logit_scale = nn.Parameter(first)
        else:
            self.register_buffer("log_logit_scale", first)

    @property
    def factor(self) -> Tensor:
        """The inverse temperature, at most 100."""
        return self.log_logit_scale.exp().clamp(max=_MOST_SHARP)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, D) → (B, D)."""
        return self.factor * x


def _head(name: str, width: int, shared: int) -> nn.Sequential:
    # The reference drops out before the last layer of the motion trunk; the place keeps its number.
    between = [nn.Identity()] if name == "imu" else []
    return nn.Sequential(nn.LayerNorm(width, _EPS), First(), *between, nn.Linear(width, shared, bias=False))


class ImageBindModel(nn.Module):
    """Six trunks, and the space they share."""

    def __init__(self, config: ImageBindConfig) -> None:
        super().__init__()
        self.config = config
        trunks, shared = config.trunks(), config.projection_dim
        self.modality_preprocessors = nn.ModuleDict(
            {
                "vision": vision_stem(config.vision),
                "text": TextStem(config.text),
                "audio": audio_stem(config.audio),
                "depth": map_stem(config.depth, "depth_stem"),
                "thermal": map_stem(config.thermal, "rgbt_stem"),
                "imu": MotionStem(config.imu),
            }
        )
        self.modality_trunks = nn.ModuleDict({name: Trunk(sizes) for name, sizes in trunks.items()})
        heads = {name: _head(name, sizes.hidden_size, shared) for name, sizes in trunks.items() if name != "text"}
        self.modality_heads = nn.ModuleDict({**heads, "text": TextHead(config.text, shared)})
        self.modality_postprocessors = nn.ModuleDict(
            {
                "vision": Unit(),
                **{
                    name: nn.Sequential(Unit(), Sharpness(temperature, learned=name == "text"))
                    for name, temperature in _TEMPERATURES.items()
                },
            }
        )

    @property
    def computed(self) -> tuple[str, ...]:
        """Tensors that the official checkpoint holds and that are computed here: the causal mask."""
        return ("modality_preprocessors.text.mask",)

    def sharpness(self, modality: str) -> float:
        """Inverse temperature between texts and media of a modality: both trunks' factors, as in the reference.

        Raises:
            UnsupportedTask: There is no trunk for it.
        """
        trunk = self._trunk(modality)[0]
        return self._factor("text") * (self._factor(trunk) if trunk != "vision" else 1.0)

    def embed_text(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Points of the shared space for texts.

        Shapes: input_ids (B, T) int64 → (B, shared D), unit rows. What follows a text's end is not seen, so
        `attention_mask` changes nothing.

        Raises:
            InputError: A text is too long.
        """
        return F.normalize(self._read(input_ids), dim=-1)

    def embed_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Points of the shared space for media of one modality.

        Shapes: arrays as `forward` takes them → (B, shared D), unit rows, also where views were averaged.

        Raises:
            UnsupportedTask: There is no trunk for the modality.
            InputError: The inputs are of another size.
        """
        trunk, name = self._trunk(modality)
        return F.normalize(self._encode(trunk, arrays[name]), dim=-1)

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        input_features: Tensor | None = None,
        depth_values: Tensor | None = None,
        thermal_values: Tensor | None = None,
        imu_values: Tensor | None = None,
    ) -> ImageBindOutput:
        """Encode whatever is given.

        Args:
            input_ids: Texts, (B, T) int64.
            pixel_values: Pictures (B, 3, S, S), or views of videos (B, views, 3, F, S, S).
            input_features: Clips of sound, (B, clips, 1, M, F) or (B, 1, M, F).
            depth_values: (B, 1, S, S).
            thermal_values: (B, 1, S, S).
            imu_values: (B, 6, S).

        Raises:
            InputError: An input is of another size than its trunk takes.
        """
        media = (pixel_values, input_features, depth_values, thermal_values, imu_values)
        found: dict[str, Tensor] = {} if input_ids is None else {"text": self._read(input_ids)}
        for trunk, values in zip(("vision", "audio", "depth", "thermal", "imu"), media, strict=True):
            if values is not None:
                found[trunk] = self._encode(trunk, values)
        return ImageBindOutput(**found)

    def _read(self, input_ids: Tensor) -> Tensor:
        states = self.modality_trunks["text"](self.modality_preprocessors["text"](input_ids))
        out: Tensor = self.modality_postprocessors["text"](self.modality_heads["text"](states, input_ids))
        return out

    def _encode(self, trunk: str, values: Tensor) -> Tensor:
        """Stem, blocks, head and temperature, averaged over views where there are some (five axes or more)."""
        if values.ndim >= 5:
            views = torch.split(values.flatten(0, 1), _VIEWS)
            points = torch.cat([self._encode_views(trunk, some) for some in views])
            return points.view(*values.shape[:2], -1).mean(dim=1)
        return self._encode_views(trunk, values)

    def _encode_views(self, trunk: str, values: Tensor) -> Tensor:
        states = self.modality_trunks[trunk](self.modality_preprocessors[trunk](values))
        out: Tensor = self.modality_postprocessors[trunk](self.modality_heads[trunk](states))
        return out

    def _factor(self, trunk: str) -> float:
        sharpness = self.modality_postprocessors[trunk][1]  # type: ignore[index]
        return float(sharpness.factor.detach())

    def _trunk(self, modality: str) -> tuple[str, str]:
        if modality not in _MEDIA:
            raise UnsupportedTask(f"This model has no trunk for {modality}; it has some for {', '.join(_MEDIA)}.")
        return _MEDIA[modality]
