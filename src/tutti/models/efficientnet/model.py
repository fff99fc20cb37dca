"""EfficientNet-Lite: inverted residual blocks of plain convolutions, trained on ImageNet.

Papers: Tan and Le 2019 (EfficientNet), table 1; the block: Sandler et al. 2018 (MobileNetV2), section 3.3, figure 3b.
Reference implementation: Google's `tensorflow/tpu`, models/official/efficientnet/lite; parameters carry the names of
the published PyTorch conversion `efficientnet-lite0-57934424.pth`.
We differ in: batch norms fold into their convolutions at inference.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.efficientnet.config import BlockConfig, EfficientNetConfig
from tutti.models.layers.stems import Folding


class EfficientNetOutput(NamedTuple):
    """What `EfficientNet.forward` returns."""

    logits: Tensor
    """(B, classes)."""
    last_hidden_state: Tensor
    """(B, D, S / 32, S / 32)."""


def same_pad(x: Tensor, kernel: int, stride: int) -> tuple[Tensor, int]:
    """TensorFlow's SAME: as much zero padding as gives ceil(side / stride), the odd one at the right and bottom.

    Shapes: (B, C, H, W) → what is convolved, and the padding that the convolution itself adds on all sides.
    """
    rows, columns = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
    if rows == columns and rows % 2 == 0:
        return x, rows // 2
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)), 0


class SameConvs(Folding):
    """A module of convolutions that pad as TensorFlow does."""

    def normed(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, name: str, x: Tensor) -> Tensor:
        """Pad, convolve, normalize. Shapes: (B, C, H, W) → (B, C', ceil(H / stride), ceil(W / stride))."""
        stride = conv.stride[0]
        x, padding = same_pad(x, conv.kernel_size[0], stride)
        if self._folded is not None and not norm.training:
            weight, bias = self._folded[name]
            return F.conv2d(x, weight, bias, stride, padding, 1, conv.groups)
        out: Tensor = norm(F.conv2d(x, conv.weight, None, stride, padding, 1, conv.groups))
        return out


class InvertedResidual(SameConvs):
    """Widen, convolve each channel by itself, narrow; added to what came in where the shapes allow."""

    pairs: ClassVar = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}

    def __init__(self, config: BlockConfig, eps: float) -> None:
        super().__init__()
        inner = config.channels_in * config.expand
        if config.expand != 1:
            self._expand_conv = nn.Conv2d(config.channels_in, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner, eps=eps)
        self._depthwise_conv = nn.Conv2d(inner, inner, config.kernel, config.stride, groups=inner, bias=False)
        self._bn1 = nn.BatchNorm2d(inner, eps=eps)
        self._project_conv = nn.Conv2d(inner, config.channels_out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(config.channels_out, eps=eps)
        self.widens = config.expand != 1
        self.adds = config.stride == 1 and config.channels_in == config.channels_out

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, C, H, W) → (B, C', H / stride, W / stride)."""
        y = x
        if self.widens:
            y = F.relu6(self.normed(self._expand_conv, self._bn0, "_expand_conv", y))
        y = F.relu6(self.normed(self._depthwise_conv, self._bn1, "_depthwise_conv", y))
        y = self.normed(self._project_conv, self._bn2, "_project_conv", y)
        return x + y if self.adds else y


class EfficientNet(SameConvs):
    """The network. Pictures are RGB, (value - 127) / 128."""

    pairs: ClassVar = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}

    def __init__(self, config: EfficientNetConfig) -> None:
        super().__init__()
        self.config = config
        eps = config.batch_norm_eps
        self._conv_stem = nn.Conv2d(3, config.stem, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(config.stem, eps=eps)
        self._blocks = nn.ModuleList(InvertedResidual(block, eps) for block in config.blocks())
        self._conv_head = nn.Conv2d(config.channels[-1], config.width, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(config.width, eps=eps)
        self._fc = nn.Linear(config.width, config.classes)

    def features(self, pixel_values: Tensor) -> Tensor:
        """The last grid. Shapes: (B, 3, S, S) → (B, D, S / stride, S / stride), sides rounded up."""
        x = F.relu6(self.normed(self._conv_stem, self._bn0, "_conv_stem", pixel_values))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self.normed(self._conv_head, self._bn1, "_conv_head", x))

    def classify(self, pooled: Tensor) -> Tensor:
        """Logits of the published classifier. Shapes: the grid's mean (B, D) → (B, classes)."""
        out: Tensor = self._fc(pooled)
        return out

    def forward(self, pixel_values: Tensor) -> EfficientNetOutput:
        """Shapes: (B, 3, S, S) → logits (B, classes) and the last grid."""
        grid = self.features(pixel_values)
        return EfficientNetOutput(self.classify(grid.mean((2, 3))), grid)
