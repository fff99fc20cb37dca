"""What a published network of pictures brings into the shared space, and the names that are read off there.

Papers: Norouzi et al. 2014 (ConSE), section 3.2: a picture's point is the mean of the points of its likeliest classes'
names, weighted by their probability; here a learned residual is added, which starts at zero and may be scaled by how
familiar a picture is (`familiar`).
Reference implementation: this file.
We differ in: the points of the classes are stored, not made anew.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.efficientnet.model import EfficientNet
from tutti.models.layers.stems import AttentionPool
from tutti.models.omni.cost import CLASSES
from tutti.models.omni.familiar import Familiarity
from tutti.models.omni.parts import NamesConfig, TrunkConfig


class PublishedHead(nn.Module):
    """Trunk tokens, the trunk's own beside the published network's, to a point of the shared space."""

    classes: Tensor
    usual: Tensor
    """What is taken off the point of every picture. Shape (shared D,)."""

    def __init__(self, config: TrunkConfig, shared_width: int) -> None:
        super().__init__()
        assert config.published is not None  # noqa: S101 - whoever builds it asked
        self.width = config.width
        self.pool = AttentionPool(config.width)
        self.norm = nn.LayerNorm(config.width)
        self.published_norm = nn.LayerNorm(config.published.width)
        self.up = nn.Linear(config.features, config.residual)
        self.down = nn.Linear(config.residual, shared_width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)
        self.register_buffer("classes", torch.randn(config.published.classes, shared_width))
        known = config.familiar
        self.likeliest, self.temperature = (known.likeliest, known.temperature) if known else (CLASSES, 1.0)
        self.familiar = Familiarity(known, config.published.width) if known else None
        if known:
            self.register_buffer("usual", torch.zeros(shared_width))

    def forward(self, x: Tensor, published: EfficientNet) -> Tensor:
        """Shapes: (B, P, D), the trunk's own features first → (B, shared D), not yet of unit length."""
        own, seen = self.pool(x[..., : self.width]), x[..., self.width :].mean(1)
        return self.point(own, seen, published.classify(seen))

    def point(self, own: Tensor, seen: Tensor, logits: Tensor) -> Tensor:
        """The same from pooled features. Shapes: (B, D), (B, D') and (B, classes) → (B, shared D)."""
        features = torch.cat((self.published_norm(seen), self.norm(own)), dim=-1)
        added = self.down(F.gelu(self.up(features)))
        if self.familiar is not None:
            added = added * self.familiar(seen)
        out: Tensor = self.named(logits) + added
        return out

    def named(self, logits: Tensor) -> Tensor:
        """The mean point of the likeliest classes' names. Shapes: (B, classes) → (B, shared D)."""
        count = min(self.likeliest, logits.shape[-1])
        likely, which = (logits / self.temperature).softmax(-1).topk(count, dim=-1)
        named = F.normalize((likely[..., None] * self.classes[which]).sum(1), dim=-1)
        return named if self.familiar is None else named - self.usual


class Named(NamedTuple):
    """The names nearest to points."""

    ids: Tensor
    """(B, names shown, tokens of a name) int64."""
    share: Tensor
    """(B, names shown): each name's probability among all."""


class NameBank(nn.Module):
    """Names with their points, and how a decoder is given the nearest: word by word, each with its probability."""

    ids: Tensor
    points: Tensor

    def __init__(self, config: NamesConfig, shared_width: int, width: int) -> None:
        super().__init__()
        self.shown = config.shown
        self.register_buffer("ids", torch.zeros(config.count, config.tokens, dtype=torch.int32))
        self.register_buffer("points", torch.randn(config.count, shared_width))
        self.likely = nn.Parameter(torch.zeros(width))
        self.unlikely = nn.Parameter(torch.zeros(width))

    def nearest(self, points: Tensor, scale: Tensor) -> Named:
        """The names nearest to unit points, the nearest first. Shapes: (B, shared D), a factor of cosines."""
        share = (scale * points @ self.points.T).softmax(-1)
        most, which = share.topk(min(self.shown, share.shape[-1]), dim=-1)
        return Named(self.ids[which].long(), most)

    def tokens(self, words: Tensor, share: Tensor) -> Tensor:
        """What the decoder reads. Shapes: (B, names, T, D) and (B, names) → (B, names * T, D)."""
        part = share[..., None, None]
        return (words + part * self.likely + (1 - part) * self.unlikely).flatten(1, 2)
