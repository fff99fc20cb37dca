"""The environment, read in this file and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from tutti.errors import InputError

HOSTED = ("openai", "anthropic", "gemini")
"""Providers of hosted models."""
DEFAULT_TENANT = "default"
"""Whose a request, an index, a case or feedback is where no key and no option names anybody."""
KEYED = (*HOSTED, "tutti_server")
"""Who may want a key: those, and a server in OpenAI's dialect."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment decides."""

    model: str = "tutti-mini"
    """`TUTTI_MODEL`: the model that is loaded when none is named."""
    device: str = "auto"
    """`TUTTI_DEVICE`: where models on this machine compute when none is named: auto, cpu, cuda or cuda:N."""
    threads: int | None = None
    """`TUTTI_THREADS`: compute threads; None leaves the choice to torch."""
    hosted_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY`, and `TUTTI_SERVER_API_KEY` for
    servers in OpenAI's dialect: keys of hosted models, by provider."""
    keys_file: str = "~/.config/tutti/keys.toml"
    """`TUTTI_KEYS_FILE`: keys of hosted models that are not in the environment; mode 0600."""
    cache_folder: str = "~/.cache/tutti"
    """`TUTTI_CACHE_FOLDER`: where what was found in long videos is kept, and, when that is asked for, answers of hosted
    models and embeddings of media."""
    api_keys: str | None = None
    """`TUTTI_API_KEYS`: keys that `tutti serve` takes beside those of its file, as TENANT:KEY,TENANT:KEY."""
    vault_key: str = "file:~/.config/tutti/vault.key"
    """`TUTTI_VAULT_KEY`: where the root key of vaults comes from: file:PATH, env:NAME, age:IDENTITY, command:WORDS."""
    embedding_bytes: int | None = None
    """`TUTTI_EMBEDDING_BYTES`: most bytes of embeddings of media that outlive the process; None keeps none."""
    second_form_bytes: int = 1_000_000_000
    """`TUTTI_SECOND_FORM_BYTES`: most memory for int8 weights beside the int4 ones of a model, with which prompts and
    batches are faster; they take a byte a weight, and a model whose int4 weights are more (above a billion parameters,
    unless this is raised) keeps none. 1 keeps none at all."""
    privacy: str | None = None
    """`TUTTI_PRIVACY`: a TOML file that says what must be done to media before they may go to a hosted model."""
    max_pixels: int = 128_000_000
    """`TUTTI_MAX_PIXELS`: most pixels of one picture, or of all the frames kept from one video."""
    max_seconds: float = 1800.0
    """`TUTTI_MAX_SECONDS`: longest recording or video that is decoded, in seconds."""
    max_stream_seconds: float = 86_400.0
    """`TUTTI_MAX_STREAM_SECONDS`: longest recording or video that is read piece by piece, or of which a model takes
    frames only, in seconds."""
    max_pages: int = 50
    """`TUTTI_MAX_PAGES`: most pages of a document that a model is given at once."""
    max_bytes: int = 512_000_000
    """`TUTTI_MAX_BYTES`: largest file that is read, in bytes."""


def read_settings() -> Settings:
    """Read the settings from the environment as it is now.

    Raises:
        InputError: A variable holds something that is not of its type.
    """
    default = Settings()
    return Settings(
        model=os.environ.get("TUTTI_MODEL") or default.model,
        device=os.environ.get("TUTTI_DEVICE") or default.device,
        threads=_whole("TUTTI_THREADS", 1) if os.environ.get("TUTTI_THREADS") else None,
        hosted_keys={name: key for name in KEYED if (key := os.environ.get(f"{name.upper()}_API_KEY"))},
        keys_file=os.environ.get("TUTTI_KEYS_FILE") or default.keys_file,
        cache_folder=os.environ.get("TUTTI_CACHE_FOLDER") or default.cache_folder,
        api_keys=os.environ.get("TUTTI_API_KEYS") or None,
        vault_key=os.environ.get("TUTTI_VAULT_KEY") or default.vault_key,
        embedding_bytes=_whole("TUTTI_EMBEDDING_BYTES", 1) if os.environ.get("TUTTI_EMBEDDING_BYTES") else None,
        second_form_bytes=_whole("TUTTI_SECOND_FORM_BYTES", default.second_form_bytes),
        privacy=os.environ.get("TUTTI_PRIVACY") or None,
        max_pixels=_whole("TUTTI_MAX_PIXELS", default.max_pixels),
        max_seconds=_number("TUTTI_MAX_SECONDS", default.max_seconds),
        max_stream_seconds=_number("TUTTI_MAX_STREAM_SECONDS", default.max_stream_seconds),
        max_pages=_whole("TUTTI_MAX_PAGES", default.max_pages),
        max_bytes=_whole("TUTTI_MAX_BYTES", default.max_bytes),
    )


def secret_of(name: str) -> str | None:
    """A secret that the user keeps in a variable of a name of their own; None where it is not set."""
    return os.environ.get(name) or None


def _whole(name: str, default: int) -> int:
    value = _number(name, default)
    if not value.is_integer():
        raise InputError(f"{name} is {os.environ[name]!r}; expected a whole number.")
    return int(value)


def _number(name: str, default: float) -> float:
    text = os.environ.get(name)
    if not text:
        return float(default)
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{name} is {text!r}; expected a number: unset it or give one.") from None
    if not value > 0:
        raise InputError(f"{name} is {text!r}; expected a number above zero.")
    return value
