"""From a model's name to what computes it: doors that import a provider only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING

from tutti.errors import InputError
from tutti.interfaces import Embedder, Provider, Responder, SealerOf
from tutti.settings import HOSTED, Settings, read_settings

if TYPE_CHECKING:
    from tutti.content import Media
    from tutti.media import MediaDecoder
    from tutti.providers.hosted import HostedOptions
    from tutti.providers.outgoing import Accepts


ROUTE = "route:"
"""What the name of a router begins with; a folder of `tutti specialise` follows."""
BEST = "best:"
"""What the name of the best of several answers begins with; a run of `tutti tune --objective reward` follows."""


def open_provider(  # noqa: PLR0913 - each is a choice of the user's
    name: str | PathLike[str] | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    quantize: str | None = None,
    adapter: str | PathLike[str] | None = None,
    hosted: HostedOptions | None = None,
    decoder: MediaDecoder | None = None,
    told: Callable[[int, int], None] | None = None,
    sealer_of: SealerOf | None = None,
) -> Provider:
    """Open what computes: a model on this machine, or the way to one elsewhere.

    Args:
        name: `tutti-mini`, a folder in the Hugging Face layout, or a hub id; `openai:MODEL`, `anthropic:MODEL`,
            `gemini:MODEL`, or `http://HOST:PORT/v1#MODEL` for a server in OpenAI's dialect; `route:FOLDER`
            for what `tutti specialise` made, `best:FOLDER` for a reward model of `tutti tune`; None takes
            `TUTTI_MODEL` or tutti-mini.
        device: Where a model on this machine computes: cpu, cuda, cuda:N, or auto, the first GPU where there is one;
            None takes `TUTTI_DEVICE` or auto.
        dtype: Precision of its weights: float32, bfloat16, float16, or auto, which None is: bfloat16 on a GPU that
            computes in it, unless they are quantized, and float32 otherwise.
        quantize: Weights of so many bits in the decoder ("int8", "int4"), and, with "+trunks" behind it, of eight in
            trunks ("+trunks4": of four in their MLPs); None keeps them as they are.
        adapter: A folder or hub id of a LoRA adapter in the PEFT layout that was trained on the model.
        hosted: How hosted models are called.
        decoder: Decodes the media; in this process, within the limits of the environment, if None.
        told: Called, as the weights of a model on this machine come in, with the bytes that were read and those of all.
        sealer_of: Encrypts what a model on this machine keeps of a tenant's media beyond the process.

    Raises:
        CheckpointError: There is no such model, or its folder is not what it claims to be.
        UnsupportedTask: The name is of a kind that this version does not serve.
        InputError: The address of a server names no model, there is no key for the provider (which is not needed for
            previews only), or the file of keys is broken.
        MissingExtra: The client of hosted models is not installed.
        CapacityError: A GPU has not the memory for the model.
    """
    settings = read_settings()
    wanted = fspath(name) if name is not None else settings.model
    provider, _, model = wanted.partition(":")
    if is_hosted(wanted):
        if quantize is not None:
            raise InputError(f"quantize was given for {wanted}, whose weights are elsewhere; leave it out.")
        if place := next((one for one in (device, dtype) if one is not None), None):
            raise InputError(f"{place} was given for {wanted}, which computes elsewhere; leave it out.")
        if adapter is not None:
            raise InputError(f"An adapter was given for {wanted}, whose weights are elsewhere; leave it out.")
        return _hosted(wanted, provider, model, settings, hosted, decoder)
    from tutti.providers.loading import load_local

    if wanted.startswith(ROUTE):
        from pathlib import Path

        from tutti.providers.routed import RoutedProvider, read_router

        folder = read_router(Path(wanted.removeprefix(ROUTE)).expanduser())
        if folder.model.startswith(ROUTE) or is_hosted(folder.model):  # a folder may not send media elsewhere
            raise InputError(f"{wanted} names the model {folder.model[:80]!r}; expected one on this machine.")
        base = open_provider(
            folder.model, device=device, dtype=dtype, quantize=quantize, adapter=adapter, hosted=hosted,
            decoder=decoder, told=told, sealer_of=sealer_of,
        )  # fmt: skip
        return RoutedProvider(wanted, base, folder)
    if wanted.startswith(BEST):
        from pathlib import Path

        from tutti.providers.best_of import BestOf, Rewarder, read_reward

        reward = read_reward(Path(wanted.removeprefix(BEST)).expanduser())
        if reward.model.startswith((ROUTE, BEST)) or is_hosted(reward.model):
            raise InputError(f"{wanted} names the model {reward.model[:80]!r}; expected one on this machine.")
        base = open_provider(
            reward.model, device=device, dtype=dtype, quantize=quantize or reward.quantize, adapter=adapter,
            decoder=decoder, told=told, sealer_of=sealer_of,
        )  # fmt: skip
        reads = decoder or _decoder(settings)
        computed = {"device": device or settings.device, "dtype": dtype or "auto"}
        same = adapter is None and quantize in (None, reward.quantize)
        like = getattr(base, "model", None) if same else None
        return BestOf(wanted, base, reward, Rewarder(reward, reads, computed, like))
    return load_local(
        wanted, settings, quantize=quantize, adapter=adapter, decoder=decoder, told=told, sealer_of=sealer_of,
        place={"device": device, "dtype": dtype},
    )  # fmt: skip


def _decoder(settings: Settings) -> MediaDecoder:
    from tutti.media import InProcess, Limits

    return InProcess(Limits.from_settings(settings))


def is_hosted(name: str) -> bool:
    """Whether a name is that of a model elsewhere: at a provider, or behind the address of a server."""
    provider, _, model = name.partition(":")
    return provider in ("http", "https") or (provider in HOSTED and bool(model))


def accepted(name: str) -> Accepts | None:
    """What a hosted model takes, without reaching for it; None of a name that is no hosted model's."""
    provider, _, model = name.partition(":")
    if not is_hosted(name):
        return None
    if provider == "anthropic":
        from tutti.providers import anthropic

        return anthropic.accepted(model)
    if provider == "gemini":
        from tutti.providers import gemini

        return gemini.Gemini.accepts
    from tutti.providers import openai

    return openai.accepted(model) if provider == "openai" else openai.SERVER


def check_taken(name: str, media: Sequence[Media]) -> None:
    """Refuse media that a hosted model does not take; a video can be pictures to one that sees.

    Raises:
        UnsupportedTask: There is such a medium; the message names a model that takes it.
    """
    accepts = accepted(name)
    if accepts is None:
        return
    for medium in media:
        if not (accepts.takes(medium.modality) or (medium.modality == "video" and accepts.takes("image"))):
            raise accepts.refused(name, medium.modality)


def _hosted(
    wanted: str,
    provider: str,
    model: str,
    settings: Settings,
    hosted: HostedOptions | None,
    decoder: MediaDecoder | None,
) -> Responder | Embedder:
    from tutti.providers.hosted import HostedOptions
    from tutti.providers.keys import Key, find_key

    options, decoder = hosted or HostedOptions(), decoder or _decoder(settings)
    if provider in ("http", "https"):
        from tutti.providers.openai import OpenAI

        address, _, served = wanted.partition("#")
        if not served:
            raise InputError(f"{wanted} names no model; expected an address such as http://localhost:8000/v1#MODEL.")
        own = Key(settings.hosted_keys.get("tutti_server") or "none")
        return OpenAI(wanted, served, own, decoder, options, base_url=address)
    key = Key("none") if options.preview_only else find_key(provider, settings)
    if provider == "anthropic":
        from tutti.providers.anthropic import Anthropic

        return Anthropic(wanted, model, key, decoder, options)
    if provider == "gemini":
        from tutti.providers.gemini import Gemini

        return Gemini(wanted, model, key, decoder, options)
    from tutti.providers.openai import OpenAI

    return OpenAI(wanted, model, key, decoder, options)
