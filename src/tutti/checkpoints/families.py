"""The families of models that are known: from `model_type` to what its configuration tells.

A checkpoint's words are looked up here and never imported. A door is a small function with a real import inside, so
that the import contract sees it. Nothing here reaches torch or numpy; what builds models is in `builders`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tutti.checkpoints.headers import read_json
from tutti.errors import CheckpointError, UnsafeCheckpoint, UnsupportedConfig

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
    """How a family is read."""

    config: Callable[[Mapping[str, Any]], Any]
    """`config.json` → configuration."""
    facts: Callable[[Any, Path], Facts]
    """Configuration and folder → what is known."""


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


def find_family(values: Mapping[str, Any]) -> tuple[str, Family]:
    """The family that a `config.json` belongs to, by its `model_type`.

    Raises:
        UnsupportedConfig: It is not known.
    """
    name = values.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        raise UnsupportedConfig(f"config.json is of model_type {name!r}; known are {', '.join(sorted(FAMILIES))}.")
    return name, FAMILIES[name]


def _clip_config(values: Mapping[str, Any]) -> Any:
    from tutti.models.clip.config import CLIPConfig

    return CLIPConfig.from_hf(values)


def _clip_facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.clip.config import TASKS

    return Facts(tasks=TASKS, context_length=config.text.max_position_embeddings, kv_bytes_per_token=0)


def _llama_config(values: Mapping[str, Any]) -> Any:
    from tutti.models.llama.config import LlamaConfig

    return LlamaConfig.from_hf(values)


def _llama_facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.llama.config import TASKS

    return Facts(
        tasks=TASKS,
        context_length=config.max_position_embeddings,
        kv_bytes_per_token=config.kv_bytes_per_token(),
    )


def _omni_config(values: Mapping[str, Any]) -> Any:
    from tutti.models.omni.config import OmniConfig

    return OmniConfig.from_hf(values)


def _omni_facts(config: Any, folder: Path) -> Facts:
    from tutti.models.omni.config import TASKS

    sound = read_json(folder / "preprocessor_config.json").get("audio", {})
    frames_per_s = sound.get("sampling_rate", 16_000) / sound.get("hop_length", 160)
    media: dict[str, dict[str, float]] = {}
    for modality, connector in config.connectors.items():
        kind = config.trunks[modality].kind
        if kind == "picture":
            media[modality] = {"picture": config.picture_tokens(modality)}
        elif kind == "sound" and connector.tokens:
            media[modality] = {"recording": connector.tokens}
        elif kind == "sound":
            media[modality] = {"second": frames_per_s / (config.trunks[modality].stride * connector.merge)}
    for modality in config.connectors:
        trunk = config.trunks[modality]
        if trunk.kind == "frames":
            media[modality] = {"frame": config.picture_tokens(modality), **media.get(trunk.sound, {})}
    return Facts(
        tasks=TASKS,
        context_length=config.decoder.max_position_embeddings,
        kv_bytes_per_token=config.kv_bytes_per_token(),
        media_tokens=media,
    )


FAMILIES: Mapping[str, Family] = {
    "clip": Family(config=_clip_config, facts=_clip_facts),
    "llama": Family(config=_llama_config, facts=_llama_facts),
    "tutti_omni": Family(config=_omni_config, facts=_omni_facts),
}
"""`model_type` → family."""
