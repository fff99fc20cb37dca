"""One model on this machine, and beside it the same with several adapters: its weights are there once."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from tutti import checkpoints
from tutti.errors import InputError
from tutti.interfaces import Responder
from tutti.models.layers.lora import LoRALinear
from tutti.providers.loading import served
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

    All share the modules that no adapter changes, and the weights that are beside one; each has keys and values, and
    steps, of its own. Passes over the model (`tutti.engine.passes`) are left out, since they join layers that an
    adapter takes apart.

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
    base = checkpoints.load(name, quantize=quantize, told=told, **place)
    found: dict[str, Responder] = {}
    for adapted, folder in adapters.items():
        loaded = checkpoints.load(name, quantize=quantize, adapter=folder, **place)
        _share(loaded.model, base.model)
        one = served(adapted, loaded, settings, decoder, **more)
        if not isinstance(one, Responder):
            raise InputError(f"{name} does not answer, so that no adapter can change its answers.")
        found[adapted] = one
    return served(name, base, settings, decoder, **more), found


def _share(model: Any, base: Any) -> None:
    """Put the base's modules in the place of a model's own, but for adapters."""
    adapters = {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}
    for name, lora in adapters.items():
        lora.base_layer = base.get_submodule(name)
    inside = tuple(f"{name}." for name in adapters)
    for name, module in list(base.named_modules()):
        if name and not name.startswith(inside) and name not in adapters and not any(module.children()):
            model.set_submodule(name, module)
    for name, parameter in base.named_parameters():
        holder, _, attribute = name.rpartition(".")
        if not name.startswith(inside) and any(base.get_submodule(holder).children()):
            setattr(model.get_submodule(holder), attribute, parameter)
