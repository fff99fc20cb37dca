"""Configuration of EfficientNet-Lite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tutti.errors import UnsupportedConfig


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """One inverted residual block."""

    kernel: int
    """Side of the depthwise kernel."""
    stride: int
    """1, or 2 where the block halves both sides."""
    expand: int
    """Factor by which the block widens its input inside; 1: it does not."""
    channels_in: int
    """Channels that come in."""
    channels_out: int
    """Channels that go out."""


@dataclass(frozen=True, kw_only=True)
class EfficientNetConfig:
    """Sizes of the network. The defaults are Lite0 (width and depth factor 1)."""

    stem: int = 32
    """Channels after the first convolution, which halves both sides."""
    repeats: tuple[int, ...] = (1, 2, 2, 3, 3, 4, 1)
    """Blocks of each stage."""
    kernels: tuple[int, ...] = (3, 3, 5, 3, 5, 5, 3)
    """Side of the depthwise kernels of each stage."""
    strides: tuple[int, ...] = (1, 2, 2, 2, 1, 2, 1)
    """Stride of the first block of each stage."""
    expands: tuple[int, ...] = (1, 6, 6, 6, 6, 6, 6)
    """Factor by which the blocks of each stage widen inside."""
    channels: tuple[int, ...] = (16, 24, 40, 80, 112, 192, 320)
    """Channels that leave each stage."""
    width: int = 1280
    """D: channels of the last grid."""
    classes: int = 1000
    """Classes of the published classifier."""
    batch_norm_eps: float = 1e-3
    """Added to the variance in every batch norm (TensorFlow's default)."""

    def __post_init__(self) -> None:
        rows = (self.repeats, self.kernels, self.strides, self.expands, self.channels)
        if len({len(row) for row in rows}) != 1 or not self.channels:
            raise UnsupportedConfig(
                f"An EfficientNet has {', '.join(str(len(row)) for row in rows)} entries of repeats, kernels, strides, "
                "expands and channels; expected one number a stage in each."
            )

    @property
    def stride(self) -> int:
        """How many pixels a place of the last grid spans along each side."""
        total = 2
        for stride in self.strides:
            total *= stride
        return total

    def blocks(self) -> Iterator[BlockConfig]:
        """All blocks in order."""
        channels_in = self.stem
        rows = zip(self.repeats, self.kernels, self.strides, self.expands, self.channels, strict=True)
        for repeats, kernel, stride, expand, channels in rows:
            for number in range(repeats):
                yield BlockConfig(
                    kernel=kernel,
                    stride=1 if number else stride,
                    expand=expand,
                    channels_in=channels_in,
                    channels_out=channels,
                )
                channels_in = channels

    def parameters(self) -> int:
        """Parameters, the classifier included."""
        total = 3 * 9 * self.stem + 2 * self.stem
        for block in self.blocks():
            inner = block.channels_in * block.expand
            total += (block.channels_in * inner + 2 * inner) if block.expand != 1 else 0
            total += block.kernel**2 * inner + 2 * inner + inner * block.channels_out + 2 * block.channels_out
        total += self.channels[-1] * self.width + 2 * self.width
        return total + self.width * self.classes + self.classes

    def flops(self, size: int) -> int:
        """Operations (two a multiply-add) for one picture of `size` x `size`, without the classifier."""
        side = -(-size // 2)
        total = 2 * 27 * self.stem * side**2
        for block in self.blocks():
            inner = block.channels_in * block.expand
            total += 2 * side**2 * block.channels_in * inner * (block.expand != 1)
            side = -(-side // block.stride)
            total += 2 * side**2 * (block.kernel**2 * inner + inner * block.channels_out)
        return total + 2 * side**2 * self.channels[-1] * self.width
