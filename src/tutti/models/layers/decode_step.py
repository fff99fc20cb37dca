"""A decode step of a LLaMA-type decoder in one call of the compiled part: tokens of sequences, new ones and prompts'.

It takes the place of some 200 operators of torch a block: norms, codes of activations, products, rotary positions, the
new keys and values, attention over the cache, gates and sums (`native/step.h`). A row's result depends on no other row
and not on how many threads there are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tutti.models.layers import native
from tutti.models.layers.adapted import AdaptedLinear, AdapterRows, LowRank
from tutti.models.layers.attention import CacheRows
from tutti.models.layers.dispatch import int8_sums
from tutti.models.layers.kernels import RowsKernel
from tutti.models.layers.linear import QuantizedLinear, base_of
from tutti.models.layers.lora import LoRALinear
from tutti.models.layers.native.forms import FLOAT32, ChangeForm, DecoderForm, LayerForm, MatrixForm, StepForm
from tutti.models.layers.packed import PackedKernel, instructions

MOST_ROWS = 64
"""Tokens of a step where weights are float32; more are a matter for many-row products."""
MOST_CODED_ROWS = 640
"""Tokens of a step where all weights are packed, prompts included; more take much memory for what lies between."""
_AT_ONCE = 256
"""Of which so many go through all blocks at once: what lies between stays nearer to the processor (0.76 ms a row of
230, 0.93 of 512, in one run)."""
_KEPT_SCRATCH = 64 << 20
"""Bytes of scratch memory that are kept from step to step at most."""
_ALL_THROUGH_ONE = AdapterRows(every=0)


@dataclass(frozen=True)
class BlockParts:
    """A block's parts: norms (D,), and linear layers."""

    norms: tuple[Tensor, Tensor]
    inputs: tuple[nn.Module, ...]
    output: nn.Module
    gates: tuple[nn.Module, nn.Module]
    down: nn.Module
    window: int | None


class Sizes(NamedTuple):
    """Of a decoder."""

    width: int
    inner: int
    heads: int
    kv_heads: int
    head_width: int
    eps: float


class Stepped(nn.Module):
    """A decoder that may have a compiled step, which is made for its weights as they lie."""

    step: DecodeStep | None = None

    def pack(self) -> None:
        """Bring quantized weights into the form that steps take, where there can be steps."""
        raise NotImplementedError

    def compile_step(self) -> None:
        """Make the step, if there can be one."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """The step does not follow to another device or precision."""
        self.step = None
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class DecodeStep:
    """The step of a decoder whose layers are plain in float32, or quantized and packed.

    Args:
        sizes: Of the decoder.
        blocks: Its blocks.
        norm: Weights (D,) of the norm behind them.
        frequencies: (E / 2,) float32, radians per position.

    Raises:
        TypeError: A layer is of another kind.
    """

    def __init__(self, sizes: Sizes, blocks: Sequence[BlockParts], norm: Tensor, frequencies: Tensor) -> None:
        self._kept: list[Any] = [norm, frequencies]  # what is pointed to
        self._adapters: AdapterRows | None = None
        self._coded = True
        self._levels = int8_sums().levels
        self._sizes = sizes
        self._layers = (LayerForm * len(blocks))(*(self._layer(block) for block in blocks))
        self._form = DecoderForm(
            ctypes.addressof(self._layers), _float32(norm).data_ptr(), _float32(frequencies).data_ptr(),
            len(blocks), *sizes[:5], sizes.eps, self._levels,
        )  # fmt: skip
        self._scratch: list[Tensor] = []  # one, while no step runs

    def __call__(self, x: Tensor, positions: Tensor, cache: CacheRows, asked: Tensor | None = None) -> Tensor:
        """Run all blocks and the norm behind them.

        Shapes: x (T, D) float32, positions (T,) int64, asked (R,) int64 tokens or None for all → (T or R, D).

        Raises:
            RuntimeError: The compiled part does not serve.
        """
        parts = -(-len(x) // _AT_ONCE) if self.reads else 1
        if parts <= 1:
            return self._run(x, positions, cache, asked)
        size, out = -(-len(x) // parts), []
        for start in range(0, len(x), size):  # a row reads nothing of those behind it
            some = slice(start, start + size)
            its = CacheRows(*cache[:2], cache.slots[some], cache.places[some], cache.contexts[some])
            wanted = None if asked is None else asked[(asked >= start) & (asked < start + size)] - start
            out.append(self._run(x[some], positions[some], its, wanted))
        return torch.cat(out)

    def _run(self, x: Tensor, positions: Tensor, cache: CacheRows, asked: Tensor | None) -> Tensor:
        found, rows, threads = native.library(), len(x), torch.get_num_threads()
        if found is None or not self.takes(cache):
            raise RuntimeError("the compiled part does not take this step")
        out = x.clone(memory_format=torch.contiguous_format)
        positions, slots = positions.contiguous(), cache.slots.contiguous()
        caches_ = [(ctypes.c_void_p * len(caches))(*(one.data_ptr() for one in caches)) for caches in cache[:2]]
        starts = (ctypes.c_int64 * rows)(*(place if isinstance(place, int) else 0 for place in cache.places))
        places = (ctypes.c_void_p * rows)(
            *(None if isinstance(place, int) else place.data_ptr() for place in cache.places)
        )
        contexts, longest = (ctypes.c_int64 * rows)(*cache.contexts), max(cache.contexts)
        sequences = {place if isinstance(place, int) else -1 - place.data_ptr() for place in cache.places}
        arrays: list[Any] = [*caches_, places, starts, contexts]
        adapters = None if self._adapters is None else self._adapters.numbers(rows)
        some = asked.contiguous() if asked is not None and self.reads else None
        scratch = self._room(found, threads, rows, longest)
        step = StepForm(
            out.data_ptr(), positions.data_ptr(), slots.data_ptr(), *map(ctypes.addressof, arrays),
            scratch.data_ptr(), None if adapters is None else adapters.data_ptr(),
            rows, cache.keys[0].shape[1], longest, len(sequences) < rows or some is not None,
            None if some is None else some.data_ptr(), 0 if some is None else len(some),
        )  # fmt: skip
        found.tutti_step(instructions(self._levels), threads, ctypes.addressof(self._form), ctypes.addressof(step))
        if scratch.numel() <= _KEPT_SCRATCH:
            self._scratch[:] = [scratch]
        return out[: len(some)] if some is not None else out if asked is None else out[asked]

    def takes(self, cache: CacheRows) -> bool:
        """Whether so many tokens and such keys and values are for it."""
        first, most = cache.keys[0], MOST_CODED_ROWS if self.reads else MOST_ROWS
        return 0 < len(cache.contexts) <= most and first.dtype == torch.float32 and first.device.type == "cpu"

    @property
    def reads(self) -> bool:
        """Whether it is for prompts, too: where all weights are packed, and not with AVX2 alone: torch is faster."""
        return self._coded and self._adapters is None and instructions(self._levels) == 2

    def _room(self, found: ctypes.CDLL, threads: int, rows: int, longest: int) -> Tensor:
        """Scratch memory, kept from step to step; contexts count in steps of 1,024."""
        needed = found.tutti_step_bytes(threads, ctypes.addressof(self._form), rows, -(-longest // 1024) * 1024)
        try:
            scratch = self._scratch.pop()
        except IndexError:  # the first, or another thread has it
            scratch = torch.empty(0, dtype=torch.uint8, device="cpu")
        return scratch if scratch.numel() >= needed else torch.empty(needed, dtype=torch.uint8, device="cpu")

    def _layer(self, block: BlockParts) -> LayerForm:
        norms = [self._pointer(one) for one in block.norms]
        return LayerForm(
            self._forms(block.inputs, 3), *self._forms((block.output,), 1), self._forms(block.gates, 2),
            *self._forms((block.down,), 1), (ctypes.c_void_p * 2)(*norms), block.window or 0,
        )  # fmt: skip

    def _forms(self, layers: Sequence[nn.Module], count: int) -> Any:
        """Layers of one input: a matrix if they were joined, else one each."""
        bases = [base_of(layer) for layer in layers]
        quantized = [layer for layer in bases if isinstance(layer, QuantizedLinear)]
        kernels = [layer.kernel for layer in quantized]
        wholes = {id(one.whole): one.whole for one in kernels if isinstance(one, RowsKernel)}
        if len(kernels) == len(layers) and len(wholes) == 1:
            (whole,), biases = wholes.values(), [layer.bias for layer in quantized]
            rows = [one.rows for one in kernels]
            forms = [self._changed(self._quantized(whole, joined_biases(biases, rows)), layers, rows)]
        else:
            forms = [self._form_of(layer) for layer in layers]
        return (MatrixForm * count)(*forms)

    def _form_of(self, layer: nn.Module) -> MatrixForm:
        base = base_of(layer)
        if isinstance(base, QuantizedLinear):
            form = self._quantized(base.kernel, base.bias)
        elif type(base) is nn.Linear:
            rows, width = base.weight.shape
            form = MatrixForm(rows, width, self._pointer(base.weight), None, self._pointer(base.bias), FLOAT32, 0)
            self._coded = False
        else:
            raise TypeError(f"a step takes no {type(base).__name__}")
        return self._changed(form, [layer], [form.n])

    def _changed(self, form: MatrixForm, layers: Sequence[nn.Module], rows: Sequence[int]) -> MatrixForm:
        """Put what adapters add to layers, which lie below one another in a matrix, beside it."""
        changes, first = [], 0
        for layer, count in zip(layers, rows, strict=True):
            if isinstance(layer, LoRALinear):
                layer = _of_one(layer)  # noqa: PLW2901 - the same in another form
            if isinstance(layer, AdaptedLinear):
                self._adapters = self._adapters or layer.rows
                ends = (ctypes.c_int64 * len(layer.ranks))(*layer.ranks)
                self._kept.append(ends)
                pointers = [self._pointer(layer.down), self._pointer(layer.up), ctypes.addressof(ends)]
                changes.append(ChangeForm(first, count, *pointers))
            first += count
        if changes:
            kept = (ChangeForm * len(changes))(*changes)
            self._kept.append(kept)
            form.changes, form.changed = ctypes.addressof(kept), len(changes)
        return form

    def _quantized(self, kernel: object, bias: Tensor | None) -> MatrixForm:
        if not isinstance(kernel, PackedKernel):
            raise TypeError(f"a step takes no {type(kernel).__name__}")
        self._kept.append(kernel)
        given = kernel.form
        return MatrixForm(given.n, given.k, given.weight, given.factor, self._pointer(bias), given.kind, given.group)

    def _pointer(self, tensor: Tensor | None) -> int | None:
        if tensor is None:
            return None
        self._kept.append(_float32(tensor))
        return tensor.data_ptr()


def _of_one(layer: LoRALinear) -> AdaptedLinear:
    """A layer with one adapter, which all rows go through, as one of several; the adapter is copied as it is."""
    down = layer.scale * layer.lora_A.weight.detach()
    return AdaptedLinear(layer.base_layer, [LowRank(down, layer.lora_B.weight.detach())], _ALL_THROUGH_ONE)


def _float32(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
        raise TypeError(f"a step takes no {tensor.dtype} on {tensor.device}")
    return tensor.detach()


def joined_biases(biases: Sequence[Tensor | None], rows: Sequence[int]) -> Tensor | None:
    """All biases in a row, zeros where there is none."""
    if all(bias is None for bias in biases):
        return None
    pairs = zip(biases, rows, strict=True)
    return torch.cat([torch.zeros(size, device="cpu") if bias is None else bias.detach() for bias, size in pairs])
