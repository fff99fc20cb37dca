"""One model on this machine, and beside it the same with several adapters: its weights are there once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from tutti import checkpoints
from tutti.checkpoints.adapter_bank import shares_steps
from tutti.checkpoints.adapters import read_adapter
from tutti.checkpoints.families import find_family
from tutti.checkpoints.family import read_config, take_quantization
from tutti.checkpoints.model_paths import find_folder
from tutti.engine.passes import run_passes, stepped
from tutti.errors import InputError
from tutti.interfaces import Responder
from tutti.models.layers.adapted import AdaptedLinear
from tutti.models.layers.linear import base_of
from tutti.models.layers.lora import LoRALinear
from tutti.providers.loading import served
from tutti.providers.local import LocalResponder
from tutti.settings import Settings

if TYPE_CHECKING:
    from tutti.media import MediaDecoder


def load_adapted(
    name: str,
    adapters: Mapping[str, str | PathLike[str]],
    settings: Settings,
    *,
    quantize: str | None = None,
    decoder: MediaDecoder | None = None,
    **more: Any,
) -> tuple[Any, dict[str, Responder]]:
    """Load a checkpoint once for itself and for each adapter.

    Adapters of the decoder's blocks, which are those that `tutti tune` makes unless it is told otherwise, share its
    steps, its keys and values, and what trunks make of media. One that changes another part has keys, values and steps
    of its own, and shares the weights that it leaves alone.

    Args:
        name: A built-in name, a folder or a hub id.
        adapters: Name → folder of an adapter.
        settings: Of the environment.
        quantize: Weights of so many bits.
        decoder: Decodes the media.
        more: Further arguments of `tutti.providers.local.served`, and `told`, `device` and `dtype` of `load`.

    Returns:
        What serves the model as it is, and name → what serves it with an adapter.

    Raises:
        CheckpointError: There is no such model or adapter, or an adapter is of another model.
        InputError: The model does not answer.
    """
    told = more.pop("told", None)
    place: dict[str, Any] = {
        "device": more.pop("device", None) or settings.device,
        "dtype": more.pop("dtype", None) or "auto",
    }
    values = dict(read_config(find_folder(name)))
    take_quantization(values)
    family = find_family(values)
    together = [one for one, folder in adapters.items() if shares_steps(read_adapter(folder, family), family)]
    beside = [adapters[one] for one in together]
    base = checkpoints.load(name, quantize=quantize, adapter=beside or None, told=told, **place)
    run_passes(base.model, settings.second_form_bytes)
    plain = served(name, base, settings, decoder, **more)
    if not isinstance(plain, LocalResponder):
        raise InputError(f"{name} does not answer, so that no adapter can change its answers.")
    found: dict[str, Responder] = {}
    for adapted, folder in adapters.items():
        if adapted in together:
            found[adapted] = _through(plain, adapted, together.index(adapted))
            continue
        loaded = checkpoints.load(name, quantize=quantize, adapter=folder, **place)
        share_weights(loaded.model, base.model)
        one = served(adapted, loaded, settings, decoder, **more)
        assert isinstance(one, Responder)  # noqa: S101 - as the model itself is
        found[adapted] = one
    return plain, found


def _through(plain: LocalResponder, name: str, number: int) -> LocalResponder:
    """The same, with the same engine, whose answers go through an adapter."""
    getattr(plain, "ears", None)  # made now, so that all have the same
    made = copy.copy(plain)
    made.name, made.adapter = name, number
    return made


def share_weights(model: Any, base: Any) -> None:
    """Put the base's modules in the place of a model's own, but for adapters; then make its own compiled steps.

    Args:
        model: With one adapter, of the same checkpoint.
        base: With none, or several that are chosen among.
    """
    adapters = {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}
    inside = tuple(f"{name}." for name in adapters)
    banked = tuple(f"{name}." for name, module in base.named_modules() if isinstance(module, AdaptedLinear))
    for name, module in list(base.named_modules()):
        if not name or name.startswith(banked):
            continue
        own = base_of(module)
        if name in adapters:
            adapters[name].base_layer = own
        elif not name.startswith(inside) and not any(own.children()):
            model.set_submodule(name, own)
    for name, parameter in base.named_parameters():
        holder, _, attribute = name.rpartition(".")
        if not name.startswith((*inside, *banked)) and any(base.get_submodule(holder).children()):
            setattr(model.get_submodule(holder), attribute, parameter)
    for one in stepped(model):
        one.compile_step()
