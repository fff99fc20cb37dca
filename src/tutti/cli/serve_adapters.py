"""`tutti serve --adapter NAME=FOLDER`: several adapters over one model, asked by name."""

from __future__ import annotations

import argparse
import re
from typing import Any

from tutti.cli.options import open_named, placing, told_of_loading
from tutti.errors import InputError


def open_adapted(arguments: argparse.Namespace, decoder: Any, sealer_of: Any) -> tuple[Any, dict[str, Any]]:
    """What serves the model, and name → what serves it with an adapter.

    Raises:
        InputError: The names are not what is expected, or the model is hosted.
        CheckpointError: There is no such model or adapter, or an adapter is of another model.
    """
    arguments.adapter, named = adapters_of(arguments.adapter)
    if not named:
        return open_named(arguments, decoder=decoder, sealer_of=sealer_of), {}
    from tutti.providers.adapted import load_adapted
    from tutti.providers.registry import is_hosted
    from tutti.settings import read_settings

    settings = read_settings()
    wanted = arguments.model or settings.model
    if is_hosted(wanted):
        raise InputError(f"An adapter was given for {wanted}, whose weights are elsewhere; leave it out.")
    more = {"decoder": decoder, "sealer_of": sealer_of, "told": told_of_loading(), **placing(arguments)}
    return load_adapted(wanted, named, settings, quantize=arguments.quantize, **more)


def serve_adapted(server: Any, adapted: dict[str, Any]) -> None:
    """Let clients ask for adapters by name."""
    if adapted:
        server.service.adapted.update(adapted)


def adapters_of(given: list[str] | None) -> tuple[str | None, dict[str, str]]:
    """The adapter of the model itself, if there is one, and name → folder of those that are asked by name.

    Raises:
        InputError: A name comes twice, or there are an adapter with a name and one without.
    """
    plain: list[str] = []
    named: dict[str, str] = {}
    for one in given or ():
        found = re.fullmatch(r"([A-Za-z0-9._:-]+)=(.+)", one)
        if found is None:
            plain.append(one)
        elif found[1] in named:
            raise InputError(f"--adapter names {found[1]!r} twice; give each adapter a name of its own.")
        else:
            named[found[1]] = found[2]
    if len(plain) + bool(named) > 1:
        raise InputError("--adapter was given several folders; name each, as in --adapter products=RUN.")
    return (plain[0] if plain else None), named
