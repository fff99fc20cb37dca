"""Weights as small whole numbers: how they are found, and the form in which a folder keeps them.

int8: weight[n, k] = scale[n] * code[n, k], code in -127 … 127 (Jacob et al. 2018, section 2.1, without a zero point).
int4: weight[n, k] = scale[n] * (step[n, j] * code[n, k] + offset[n, j]), code in 0 … 15 and j = k // group: a grid of
sixteen values for each group of a row (Frantar et al. 2023, GPTQ, section 3), laid upon the row's int8 grid.
We differ in: step and offset are whole numbers, so that every int4 weight is an int8 weight, too; few rows of
activations can then use an int4 kernel and many rows an int8 kernel on the very same weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tutti.models.schemes import Scheme, group_size

_CHUNK_VALUES = 1 << 18
"""Values worked on at once: their float32 copies stay in the cache of the processor."""


@dataclass(frozen=True)
class Codes:
    """A quantized matrix (N, K) in the form that folders keep."""

    values: Tensor
    """(N, K), int8 codes or uint8 codes in 0 … 15."""
    scale: Tensor
    """(N,) float32."""
    step: Tensor | None = None
    """int4: (N, K / group) uint8, 1 … 17."""
    offset: Tensor | None = None
    """int4: (N, K / group) int8."""

    @property
    def scheme(self) -> Scheme:
        """`int8` or `int4`."""
        return "int8" if self.step is None else "int4"

    def to(self, device: torch.device) -> Codes:
        """The same on another device."""
        parts = (self.values, self.scale, self.step, self.offset)
        values, scale, step, offset = (one if one is None else one.to(device) for one in parts)
        return Codes(values, scale, step, offset)  # type: ignore[arg-type]

    def tensors(self) -> dict[str, Tensor]:
        """What a folder keeps beside the module's name; two int4 codes a byte, the even column in the low half."""
        if self.step is None or self.offset is None:
            return {"weight": self.values, "weight_scale": self.scale}
        packed = self.values[:, ::2] | (self.values[:, 1::2] << 4)
        return {"weight": packed, "weight_scale": self.scale, "weight_step": self.step, "weight_offset": self.offset}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Codes:
        """The reverse of `tensors`."""
        weight, scale = tensors["weight"], tensors["weight_scale"]
        if "weight_step" not in tensors:
            return cls(weight, scale)
        values = torch.stack((weight & 15, weight >> 4), dim=-1).flatten(1)
        return cls(values, scale, tensors["weight_step"], tensors["weight_offset"])

    def int8(self) -> Tensor:
        """(N, K) int8 with weight = scale * this, whatever the scheme."""
        if self.step is None or self.offset is None:
            return self.values
        groups = torch.unflatten(self.values, 1, (self.step.shape[1], -1))
        # In bytes, where what exceeds 255 comes round to where it belongs.
        bytes_ = groups * self.step[..., None] + self.offset.view(torch.uint8)[..., None]
        out: Tensor = bytes_.flatten(1).view(torch.int8)
        return out

    def dequantized(self) -> Tensor:
        """(N, K) float32."""
        return self.int8() * self.scale[:, None]


def quantize(weight: Tensor, scheme: Scheme) -> Codes:
    """The nearest codes of a matrix (N, K) of any floating-point type, row by row, so that little memory is taken."""
    rows = max(1, _CHUNK_VALUES // weight.shape[1])
    parts = [_QUANTIZERS[scheme](chunk.float()) for chunk in torch.split(weight, rows)]
    values, scale = torch.cat([part.values for part in parts]), torch.cat([part.scale for part in parts])
    if scheme == "int8":
        return Codes(values, scale)
    steps, offsets = ([getattr(part, name) for part in parts] for name in ("step", "offset"))
    return Codes(values, scale, torch.cat(steps), torch.cat(offsets))


def _int8(weight: Tensor) -> Codes:
    scale = _row_scale(weight)
    return Codes((weight / scale[:, None]).round_().to(torch.int8), scale)


def _row_scale(weight: Tensor) -> Tensor:
    top = weight.abs().amax(1)
    return torch.where(top > 0, top / 127, 1.0)


def _int4(weight: Tensor) -> Codes:
    scale = _row_scale(weight)
    groups = (weight / scale[:, None]).view(len(weight), -1, group_size(weight.shape[1]))
    low, high = groups.amin(-1), groups.amax(-1)
    widest = ((high - low) / 15).ceil_()
    # A finer step cuts off the extremes and serves the many values between: the best of a few is taken. On normal
    # weights the relative error falls so from 0.105 to 0.095, and no further with more steps to choose from.
    step, offset, error = _grid(groups, widest, (low + high) / 2)
    for finer in (1, 2):
        other_step, other_offset, other_error = _grid(groups, widest - finer, (low + high) / 2)
        better = other_error < error
        step, offset = torch.where(better, other_step, step), torch.where(better, other_offset, offset)
        error = torch.minimum(error, other_error)
    values = _codes(groups, step, offset).flatten(1)
    return Codes(_bytes(values), scale, _bytes(step), offset.to(torch.int8))


def _grid(groups: Tensor, step: Tensor, middle: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Step and offset of a grid of sixteen values around the middle of each group, and the error that it leaves."""
    step = step.clamp(min=1)
    offset = torch.minimum((middle - 7.5 * step).round_().clamp_(min=-128), 127 - 15 * step)
    missed = _codes(groups, step, offset).mul_(step[..., None]).add_(offset[..., None]).sub_(groups)
    return step, offset, torch.linalg.vector_norm(missed, dim=-1)


def _codes(groups: Tensor, step: Tensor, offset: Tensor) -> Tensor:
    return (groups - offset[..., None]).mul_(1 / step[..., None]).round_().clamp_(0, 15)


def _bytes(numbers: Tensor) -> Tensor:
    """Small whole numbers as uint8; by way of int8, to which torch converts six times as fast."""
    return numbers.to(torch.int8).view(torch.uint8)


_QUANTIZERS = {"int8": _int8, "int4": _int4}
