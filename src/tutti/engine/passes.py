"""Passes over a model before it runs: what it computes stays the same, how it is laid out does not.

Each can be undone. Models run without any of them; they only become slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import nn

from tutti.models.layers.linear import QuantizedLinear, join, separate


class Pass(NamedTuple):
    """A change of layout."""

    name: str
    apply: Callable[[nn.Module], None]
    undo: Callable[[nn.Module], None]


def run_passes(model: nn.Module) -> nn.Module:
    """Apply all passes, in place."""
    for one in PASSES:
        one.apply(model)
    return model


def undo_passes(model: nn.Module) -> nn.Module:
    """Undo all passes, in place."""
    for one in reversed(PASSES):
        one.undo(model)
    return model


def _join(model: nn.Module) -> None:
    for layers in _groups(model):
        join(*layers)


def _separate(model: nn.Module) -> None:
    for layers in _groups(model):
        separate(*layers)


def _groups(model: nn.Module) -> Iterator[list[nn.Module]]:
    """Layers on one input, as modules name them in `joins`."""
    for module in list(model.modules()):
        for names in getattr(module, "joins", ()):
            yield [getattr(module, name) for name in names]


def _pack(model: nn.Module) -> None:
    for layer in _quantized(model):
        layer.kernel.pack()


def _unpack(model: nn.Module) -> None:
    for layer in _quantized(model):
        layer.kernel.unpack()


def _quantized(model: nn.Module) -> Iterator[QuantizedLinear]:
    return (layer for layer in model.modules() if isinstance(layer, QuantizedLinear))


PASSES: tuple[Pass, ...] = (
    # Projections of one input as one product: fewer kernels, and activations are turned into codes once.
    Pass("join projections", _join, _separate),
    # int8 weights in the order that the kernel reads: now, and not while someone waits for the first answer.
    Pass("pack weights", _pack, _unpack),
)
"""In the order in which they are applied."""
