"""From a model's name to the model: doors that import a provider only when it is asked for."""

from __future__ import annotations

from os import PathLike, fspath

from tutti.errors import UnsupportedTask
from tutti.providers.model import Model
from tutti.settings import read_settings

HOSTED = ("openai:", "anthropic:", "gemini:", "http://", "https://")
"""How names of hosted models begin."""


def load(name: str | PathLike[str] | None = None, *, quantize: str | None = None) -> Model:
    """Load a model.

    Args:
        name: `tutti-mini`, a folder in the Hugging Face layout, or a hub id; None takes `TUTTI_MODEL` or tutti-mini.
        quantize: Weights of so many bits ("int8", "int4"); None keeps them as they are.

    Raises:
        CheckpointError: There is no such model, or its folder is not what it claims to be.
        UnsupportedTask: The name is of a kind that this version does not serve.
    """
    settings = read_settings()
    wanted = fspath(name) if name is not None else settings.model
    if wanted.startswith(HOSTED):
        raise UnsupportedTask(f"{wanted!r} names a hosted model, which this version does not reach; use a local one.")
    from tutti.providers.local import load_local

    return Model(load_local(wanted, settings, quantize=quantize))
