"""What reading a family of checkpoints takes, and what its configuration tells before any weight is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.headers import read_json
from tutti.errors import CheckpointError, UnsafeCheckpoint

if TYPE_CHECKING:
    from torch import nn

_CODE_KEYS = ("auto_map", "custom_pipelines", "custom_generate", "trust_remote_code")
"""Keys by which a checkpoint names code to run."""
_CONFIGS = ("config.json", "preprocessor_config.json", "processor_config.json", "tokenizer_config.json")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a configuration tells before any weight is read."""

    tasks: tuple[str, ...]
    """What the model can do."""
    context_length: int
    """In tokens."""
    kv_bytes_per_token: int
    """Bytes of keys and values in float32."""
    media_tokens: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Modality → unit ("picture", "frame", "second", "recording") → tokens it takes in the decoder."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a family is read and built: doors, so that what is not asked for is not imported."""

    config: Callable[[Mapping[str, Any]], Any]
    """`config.json` → configuration. Reaches neither torch nor numpy."""
    facts: Callable[[Any, Path], Facts]
    """Configuration and folder → what is known. Reaches neither torch nor numpy."""
    model: Callable[[Any], nn.Module]
    """Configuration → model with fresh weights."""
    processor: Callable[[Any, Path], object]
    """Configuration and folder → what makes the model's inputs."""


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a checkpoint.

    Raises:
        CheckpointError: It is missing or broken.
        UnsafeCheckpoint: It, or one of its neighbours, names code to run.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder} has no config.json; expected a checkpoint in the Hugging Face layout.")
    for name in _CONFIGS:
        values = read_json(folder / name) if (folder / name).is_file() else {}
        if code := [key for key in _CODE_KEYS if values.get(key)]:
            raise UnsafeCheckpoint(
                f"{name} asks to run code of the checkpoint's own ({code[0]}), which Tutti never does; "
                "use a checkpoint of a family it knows."
            )
    return read_json(folder / "config.json")


def image_settings(folder: Path) -> Mapping[str, Any]:
    """`preprocessor_config.json`, or what newer checkpoints hold of it in `processor_config.json`."""
    if not (folder / "preprocessor_config.json").is_file() and (folder / "processor_config.json").is_file():
        settings = read_json(folder / "processor_config.json").get("image_processor")
        if isinstance(settings, Mapping):
            return settings
    return read_json(folder / "preprocessor_config.json")
