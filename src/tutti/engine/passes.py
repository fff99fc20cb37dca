"""Passes over a model before it runs: what it computes stays the same, how it is laid out does not.

Each can be undone. Models run without any of them; they only become slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from torch import nn

from tutti.models.layers.decode_step import Stepped
from tutti.models.layers.device_kernels import kernel_for
from tutti.models.layers.kernels import Int4Kernel, Int8Kernel, Kernel, RowsKernel
from tutti.models.layers.linear import QuantizedLinear, join, separate
from tutti.models.layers.packed import PackedKernel, packs
from tutti.models.layers.stems import Folding, NormedConv
from tutti.models.layers.trunk_block import Compiled


class Pass(NamedTuple):
    """A change of layout."""

    name: str
    apply: Callable[[nn.Module], None]
    undo: Callable[[nn.Module], None]


def passes(int8_beside_bytes: int = 0) -> tuple[Pass, ...]:
    """All passes, in the order in which they are applied.

    Args:
        int8_beside_bytes: Most memory for int8 weights beside int4 ones.
    """
    return (
        # Decoders' weights in the one form that compiled steps and products of many rows both take, and int8 anywhere.
        Pass("pack for compiled products", _pack_compiled, _unpack_compiled),
        # Projections of one input as one product: fewer kernels, and activations are turned into codes once.
        Pass("join projections", _join, _separate),
        # Batch norms as part of the convolutions before them: no kernel of their own, a tenth to a fifth of a stem.
        Pass("fold batch norms", _fold, _unfold),
        # Prompts and batches of int4 models run on int8 weights, three times as fast, where memory allows it.
        Pass(
            "keep int8 beside int4",
            partial(_keep_int8, most_bytes=int8_beside_bytes),
            partial(_keep_int8, most_bytes=0),
        ),
        # int8 weights in the order that the kernel reads: now, and not while someone waits for the first answer.
        Pass("pack weights", _pack, _unpack),
        # A token of each sequence by one call instead of thousands: last, since it points to weights as they lie.
        Pass("compile decode steps", _compile_steps, _forget_steps),
        # A block of a picture tower by one call.
        Pass("compile blocks of trunks", _compile_blocks, _forget_blocks),
    )


def run_passes(model: nn.Module, int8_beside_bytes: int = 0) -> nn.Module:
    """Apply all passes, in place. Arguments as for `passes`."""
    for one in passes(int8_beside_bytes):
        one.apply(model)
    return model


def undo_passes(model: nn.Module) -> nn.Module:
    """Undo all passes, in place."""
    for one in reversed(passes()):
        one.undo(model)
    return model


def _pack_compiled(model: nn.Module) -> None:
    for decoder in stepped(model):
        decoder.pack()
    for layer in _quantized(model):  # the same results, to the last bit, in less time for any number of rows
        if isinstance(layer.kernel, Int8Kernel) and layer.joined is None and packs("int8", layer.kernel.width):
            layer.kernel = PackedKernel.of(layer.kernel)


def _unpack_compiled(model: nn.Module) -> None:
    for layer in _quantized(model):
        if isinstance(layer.kernel, PackedKernel):
            layer.kernel = kernel_for(layer.kernel.codes())


def _compile_steps(model: nn.Module) -> None:
    for decoder in stepped(model):
        decoder.compile_step()


def _forget_steps(model: nn.Module) -> None:
    for decoder in stepped(model):
        decoder.step = None


def _compile_blocks(model: nn.Module) -> None:
    for block in model.modules():
        if isinstance(block, Compiled):
            block.compile_block()


def _forget_blocks(model: nn.Module) -> None:
    for block in model.modules():
        if isinstance(block, Compiled):
            block.compiled = None


def stepped(model: object) -> list[Stepped]:
    """Decoders in a model that may have compiled steps."""
    return [one for one in model.modules() if isinstance(one, Stepped)] if isinstance(model, nn.Module) else []


def _join(model: nn.Module) -> None:
    for layers in _groups(model):
        join(*layers)


def _separate(model: nn.Module) -> None:
    for layers in _groups(model):
        separate(*layers)


def _fold(model: nn.Module) -> None:
    for layer in _normed(model):
        layer.fold()


def _unfold(model: nn.Module) -> None:
    for layer in _normed(model):
        layer.unfold()


def _normed(model: nn.Module) -> Iterator[NormedConv | Folding]:
    return (layer for layer in model.modules() if isinstance(layer, NormedConv | Folding))


def _groups(model: nn.Module) -> Iterator[list[nn.Module]]:
    """Layers on one input, as modules name them in `joins`."""
    for module in list(model.modules()):
        for names in getattr(module, "joins", ()):
            yield [getattr(module, name) for name in names]


def _keep_int8(model: nn.Module, most_bytes: int) -> None:
    """For all int4 weights if they fit, and else for none: a part of them would cost memory and change little."""
    layers = (layer.kernel for layer in _quantized(model))
    wholes = {id(whole): whole for one in layers if isinstance(whole := _whole(one), Int4Kernel)}.values()
    keeps = sum(one.rows * one.width for one in wholes) <= most_bytes
    for one in wholes:
        one.keep_int8(keeps)


def _whole(kernel: Kernel) -> Kernel:
    return kernel.whole if isinstance(kernel, RowsKernel) else kernel


def _pack(model: nn.Module) -> None:
    for layer in _quantized(model):
        layer.kernel.pack()


def _unpack(model: nn.Module) -> None:
    for layer in _quantized(model):
        layer.kernel.unpack()


def _quantized(model: nn.Module) -> Iterator[QuantizedLinear]:
    return (layer for layer in model.modules() if isinstance(layer, QuantizedLinear))
