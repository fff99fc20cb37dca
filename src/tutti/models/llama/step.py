"""The compiled decode step of a LLaMA-type decoder: what of it goes where, and whether it is right here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from tutti.models.layers import native
from tutti.models.layers.adapted import NO_ADAPTER, AdaptedLinear, AdapterRows, LowRank
from tutti.models.layers.attention import CacheRows, MaskedAttend
from tutti.models.layers.codes import quantize
from tutti.models.layers.decode_step import BlockParts, DecodeStep, Sizes
from tutti.models.layers.dispatch import int8_sums
from tutti.models.layers.kernels import Int4Kernel, Int8Kernel
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.packed import PackedKernel, instructions, packed_fault, packs
from tutti.models.llama.config import LlamaConfig
from tutti.models.schemes import Scheme

Make = Callable[[LlamaConfig], Any]
"""A `LlamaLayers` of a configuration; its module imports this one."""
Frequencies = Callable[[LlamaConfig], Tensor]
_CLOSE = {None: 1e-4, "int8": 0.02, "int4": 0.02}
"""Relative errors that differ from torch's by nothing but rounding: of sums, and of activations to codes."""


def compiled_step(decoder: Any, make: Make, frequencies: Frequencies) -> DecodeStep | None:
    """The step of a decoder; None where it cannot be, or what was compiled is not right here.

    Args:
        decoder: Its weights are pointed to as they lie.
        make: Makes a decoder of a configuration, to try the step on.
        frequencies: Rotary frequencies (E / 2,) of a configuration.
    """
    kinds = {_scheme(layer) for layer in decoder.layers.modules() if isinstance(layer, nn.Linear | QuantizedLinear)}
    if next(decoder.parameters()).device.type != "cpu" or any(step_fault(kind, make, frequencies) for kind in kinds):
        return None
    return _step(decoder, frequencies(decoder.config))


def pack_decoder(decoder: Any) -> None:
    """Bring quantized layers into the form that steps take, where the compiled part multiplies rightly."""
    for layer in decoder.layers.modules():
        if not isinstance(layer, QuantizedLinear) or not isinstance(layer.kernel, Int8Kernel | Int4Kernel):
            continue
        if layer.joined is None and packs(layer.scheme, layer.kernel.width):
            layer.kernel = PackedKernel.of(layer.kernel)


def _scheme(layer: nn.Module) -> Scheme | None:
    return layer.scheme if isinstance(layer, QuantizedLinear) else None


def _step(decoder: Any, frequencies: Tensor) -> DecodeStep | None:
    config = decoder.config
    sizes = Sizes(
        config.hidden_size, config.intermediate_size, config.num_attention_heads, config.num_key_value_heads,
        config.head_dim, config.rms_norm_eps,
    )  # fmt: skip
    try:
        return DecodeStep(sizes, [_block(one) for one in decoder.layers], decoder.norm.weight, frequencies)
    except TypeError:
        return None


def _block(layer: Any) -> BlockParts:
    attention, mlp = layer.self_attn, layer.mlp
    return BlockParts(
        (layer.input_layernorm.weight, layer.post_attention_layernorm.weight),
        (attention.q_proj, attention.k_proj, attention.v_proj), attention.o_proj,
        (mlp.gate_proj, mlp.up_proj), mlp.down_proj, attention.window,
    )  # fmt: skip


@cache
def step_fault(scheme: Scheme | None, make: Make, frequencies: Frequencies) -> str | None:
    """What is wrong with the compiled step for weights of a kind: held against torch on a tiny random decoder."""
    found = native.library()
    if found is None or found.tutti_instructions() < instructions(int8_sums().levels):
        return "is not there"
    if scheme is not None and (fault := packed_fault(scheme)):
        return fault
    generator = torch.Generator(device="cpu").manual_seed(0)
    config = LlamaConfig(
        vocab_size=1, hidden_size=128, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=64, sliding_window=9, full_layers=1,
    )  # fmt: skip
    with torch.device("meta"):  # where nothing is drawn from the user's own random numbers
        decoder = make(config).eval()
    decoder.to_empty(device="cpu")
    with torch.device("cpu"), torch.inference_mode():
        for weight in decoder.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, device="cpu") * weight.shape[-1] ** -0.5)
        for name, layer in list(decoder.named_modules()):
            if scheme is not None and isinstance(layer, nn.Linear):
                decoder.set_submodule(name, QuantizedLinear(quantize(layer.weight, scheme)))
        adapters = _with_adapters(decoder, generator)
        pack_decoder(decoder)
        step = _step(decoder, frequencies(config))
        if step is None:
            return "does not take the layers"
        return _difference(decoder, step, _CLOSE[scheme], (generator, adapters))


def _with_adapters(decoder: Any, generator: torch.Generator) -> AdapterRows:
    """Two random adapters beside some layers, one of which the second leaves alone."""
    rows = AdapterRows()
    for name in ("layers.0.self_attn.q_proj", "layers.1.self_attn.v_proj", "layers.1.mlp.down_proj"):
        layer = decoder.get_submodule(name)
        n, k = (layer.kernel.rows, layer.kernel.width) if isinstance(layer, QuantizedLinear) else layer.weight.shape
        changes: list[LowRank | None] = []
        for rank in (5, 0 if name.endswith("q_proj") else 8):
            down, up = (torch.randn(*size, generator=generator, device="cpu") for size in ((rank, k), (n, rank)))
            changes.append(LowRank(down / k**0.5, up / 4) if rank else None)
        decoder.set_submodule(name, AdaptedLinear(layer, changes, rows))
    return rows


class _Kept(MaskedAttend):
    """Keeps the keys and values that attention is given."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[Tensor, Tensor]] = []

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        self.kept.append((key, value))
        return super().__call__(layer, query, key, value, window)


def _difference(decoder: Any, step: DecodeStep, close: float, given: tuple[torch.Generator, AdapterRows]) -> str | None:
    """Whether the last tokens of three sequences come out of the step as out of torch, through adapters or none."""
    generator, adapters = given
    tokens, slots, through = (21, 14, 3), 66, (1, NO_ADAPTER, 0)
    x = [torch.randn(1, count, decoder.config.hidden_size, generator=generator, device="cpu") for count in tokens]
    shape = (len(decoder.layers), decoder.config.num_key_value_heads, slots, decoder.config.head_dim)
    keys, values = torch.zeros(shape, device="cpu"), torch.zeros(shape, device="cpu")
    wanted, scattered = [], torch.arange(61, 61 - 3 * 14, -3, device="cpu")
    places: tuple[int | Tensor, ...] = (0, scattered, 62)
    for one, place, number in zip(x, places, through, strict=True):
        attend = _Kept()
        with adapters.all_through(number):
            wanted.append(decoder(one, torch.arange(one.shape[1], device="cpu")[None], attend)[0, -1])
        own = torch.arange(place, place + one.shape[1], device="cpu") if isinstance(place, int) else place
        for layer, kept in enumerate(attend.kept):
            for cache_, new in zip((keys, values), kept, strict=True):
                cache_[layer].index_copy_(1, own[:-1], new[0, :-1].transpose(0, 1))
    last = torch.tensor([20, int(scattered[-1]), 64], device="cpu")
    cache_rows = CacheRows(list(keys), list(values), last, places, tokens)
    with adapters.through(through):
        found = step(torch.cat([one[0, -1:] for one in x]), torch.tensor(tokens, device="cpu") - 1, cache_rows)
    for row, right in zip(found, wanted, strict=True):
        if not float((row - right).norm()) <= close * float(right.norm()):
            return f"differs by {float((row - right).norm() / right.norm()):.2g}"
    return _chain_fault(step, torch.cat([one[0, -3:] for one in x[:2]]), (list(keys), list(values), scattered))


def _chain_fault(step: DecodeStep, x: Tensor, cache_: tuple[list[Tensor], list[Tensor], Tensor]) -> str | None:
    """Whether the last three tokens of two sequences are, to the last bit, what they are one by one."""
    keys, values, scattered = cache_
    slots = torch.cat((torch.arange(18, 21, device="cpu"), scattered[-3:]))
    places: tuple[int | Tensor, ...] = (0, 0, 0, *[scattered] * 3)
    contexts = (19, 20, 21, 12, 13, 14)
    positions = torch.tensor(contexts, device="cpu") - 1
    each = [
        step(x[row : row + 1], positions[row : row + 1], CacheRows(
            keys, values, slots[row : row + 1], places[row : row + 1], contexts[row : row + 1]))
        for row in range(len(x))
    ]  # fmt: skip
    for cached in (*keys, *values):
        cached[:, slots] = float("nan")  # what a row does not wait for spoils it
    chained = step(x, positions, CacheRows(keys, values, slots, places, contexts))
    return None if torch.equal(torch.cat(each), chained) else "has other results for several tokens of a sequence"
