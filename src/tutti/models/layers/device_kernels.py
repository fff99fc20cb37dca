"""Quantized matrices beside a GPU, and which kernel a matrix takes by where it lies.

On the CPU, `kernels` orders weights as its kernels read them. Here they lie as folders keep them, int4 codes two a
byte, and multiply as whole numbers: rows of activations become int8 codes, `dispatch.device_sums` gives exact sums,
and int4 weights are spread out to int8 a block of rows at a time. Results are those of a CPU kernel of as many levels
(VNNI, AMX: 127); the CPU's int4 kernel for few rows rounds otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from tutti.models.layers.codes import Codes
from tutti.models.layers.dispatch import device_sums
from tutti.models.layers.kernels import Kernel, join_kernels, make_kernel, quantize_rows
from tutti.models.layers.packed import PackedKernel

_SPREAD_VALUES = 1 << 25
"""int4 weights that are spread out at once: so many bytes beside the packed ones, and a few times that on the way."""


class DeviceKernel:
    """int8 or int4 weights as folders keep them, on whatever device they are; arguments as in `Kernel`."""

    def __init__(self, codes: Codes) -> None:
        self.set(codes.tensors())

    def set(self, packed: dict[str, Tensor]) -> None:
        """Take weights as a folder keeps them (`Codes.tensors`)."""
        self.packed = packed
        self.scheme = "int4" if "weight_step" in packed else "int8"
        self.scale = packed["weight_scale"]
        self.rows, self.width = len(self.scale), packed["weight"].shape[1] * (2 if self.scheme == "int4" else 1)
        self._sums = device_sums(str(self.scale.device))
        self._factor = self.scale / self._sums.levels

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return sum(one.nbytes for one in self.packed.values()) + self._factor.nbytes

    def pack(self) -> None:
        """It multiplies as it is."""

    def unpack(self) -> None:
        """There is nothing to undo."""

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) float32 → (M, N) float32."""
        codes, top = quantize_rows(x, self._sums.levels)
        parts = [self._sums(codes, values, factor) for values, factor in self._blocks()]
        return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)).mul_(top)

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """int8 weights (some of N, K), and their factors."""
        if self.scheme == "int8":
            yield self.packed["weight"], self._factor
            return
        rows = max(8, _SPREAD_VALUES // self.width // 8 * 8)
        split = {name: torch.split(tensor, rows) for name, tensor in self.packed.items()}
        for index, factor in enumerate(torch.split(self._factor, rows)):
            yield Codes.from_tensors({name: parts[index] for name, parts in split.items()}).int8(), factor

    def codes(self) -> Codes:
        """The form that folders keep."""
        return Codes.from_tensors(self.packed)

    @classmethod
    def joined(cls, kernels: Sequence[DeviceKernel]) -> DeviceKernel:
        """One kernel for matrices of one scheme, one below the other."""
        parts = [one.packed for one in kernels]
        whole = cls.__new__(cls)
        whole.set({name: torch.cat([part[name] for part in parts]) for name in parts[0]})
        return whole


def kernel_for(codes: Codes) -> Kernel:
    """The kernel for a matrix, by where it lies."""
    return make_kernel(codes) if codes.values.device.type == "cpu" else DeviceKernel(codes)


def kernel_of_all(kernels: Sequence[Kernel]) -> Kernel | None:
    """One kernel for matrices one below the other; None if they are of different kinds or on different devices."""
    if packed := [kernel for kernel in kernels if isinstance(kernel, PackedKernel)]:
        return PackedKernel.joined(packed) if len(packed) == len(kernels) else None
    found = [kernel for kernel in kernels if isinstance(kernel, DeviceKernel)]
    if not found:
        return join_kernels(kernels)
    alike = {(one.scheme, one.width, one.scale.device) for one in found}
    return DeviceKernel.joined(found) if len(found) == len(kernels) and len(alike) == 1 else None
