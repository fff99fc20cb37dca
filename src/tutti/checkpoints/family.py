"""What reading a family of checkpoints takes, and what its configuration tells before any weight is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.headers import read_json
from tutti.checkpoints.layouts import OWNERS, foreign_layout
from tutti.errors import CheckpointError, UnsafeCheckpoint, UnsupportedConfig

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor

_CODE_KEYS = ("auto_map", "custom_pipelines", "custom_generate", "trust_remote_code")
"""Keys by which a checkpoint names code to run."""
QUANTIZED: Mapping[str, Any] = {"quant_method": "tutti", "version": 1}
"""`quantization_config` of folders that hold codes, as `tutti.models.layers.codes` describes them."""
COMPILED = re.compile(r"(?<![^.])_orig_mod\.")
"""What `torch.compile` puts before the names of a model's weights, or of a part's."""
_HEAD = re.compile(r"\w+For(\w+)")
_CONFIGS = ("config.json", "preprocessor_config.json", "processor_config.json", "tokenizer_config.json")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a configuration tells before any weight is read."""

    tasks: tuple[str, ...]
    """What the model can do."""
    context_length: int | None
    """In tokens; None where there is no limit."""
    kv_bytes_per_token: int
    """Bytes of keys and values in float32."""
    tied: bool = False
    """Whether the outputs are the table of words."""
    media_tokens: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Modality → unit ("picture", "frame", "second", "recording") → tokens it takes at most in the decoder, or
    in its own trunk where there is none."""
    media_kv_bytes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The same → bytes of keys and values in float32 beside the context, where text looks at media."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a family is read and built: doors, so that what is not asked for is not imported."""

    config: Callable[[Mapping[str, Any]], Any]
    """`config.json` → configuration. Reaches neither torch nor numpy."""
    facts: Callable[[Any, Path], Facts]
    """Configuration and folder → what is known. Reaches neither torch nor numpy."""
    model: Callable[[Any], nn.Module]
    """Configuration → model with fresh weights."""
    processor: Callable[[Any, Path], Processor]
    """Configuration and folder → what makes the model's inputs."""
    heads: Sequence[str] = ()
    """What follows "For" in the names of the reference's classes whose weights are read, such as "CausalLM"."""
    renames: Sequence[tuple[str, str]] = ()
    """Other names of weights in checkpoints → the model's. `{}` stands for any text; the first that fits counts."""
    decoder_blocks: Sequence[str] = ()
    """Names of modules that hold the decoder's blocks; their linear layers take the precision asked for."""
    outputs: Sequence[str] = ()
    """Names of linear layers onto the vocabulary."""
    words: str = ""
    """Name of the table of words, whose weight the outputs take where a checkpoint has none of their own."""
    shares_table: bool = True
    """Whether outputs that are the table of words share int8 codes with it: not where it is more than one table."""

    def shared_table(self, tied: bool, quantized: Collection[str]) -> str | None:
        """The table that becomes int8 codes with the outputs that it is.

        Args:
            tied: Whether the outputs are the table of words.
            quantized: Names of the layers that become codes.
        """
        shared = tied and self.shares_table and self.words and any(output in quantized for output in self.outputs)
        return self.words if shared else None

    def name_in_model(self, name: str) -> str:
        """The model's name of a checkpoint's tensor. Marks of `torch.compile` are left out."""
        name = COMPILED.sub("", name)
        for theirs, ours in self.renames:
            if found := _pattern(theirs).fullmatch(name):
                return ours.format(*found.groups())
        return name

    def name_elsewhere(self, name: str) -> str:
        """What the reference calls a weight of the model in memory: the first of the other names."""
        for theirs, ours in self.renames:
            if found := _pattern(ours).fullmatch(name):
                return theirs.format(*found.groups())
        return name


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """What fits a name in which `{}` stands for any text."""
    return re.compile(re.escape(name).replace(r"\{\}", "(.+)"))


def read_config(folder: Path, *, foreign: bool = False) -> dict[str, Any]:
    """`config.json` of a checkpoint.

    Args:
        folder: The checkpoint.
        foreign: Whether it may be in a layout that is converted first.

    Raises:
        CheckpointError: It is missing or broken, or of such a layout.
        UnsafeCheckpoint: It, or one of its neighbours, names code to run.
    """
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise CheckpointError(f"{folder} is an adapter; name the model that it is for, and give it as the adapter.")
        raise CheckpointError(f"{folder} has no config.json; expected a checkpoint in the Hugging Face layout.")
    for name in _CONFIGS:
        values = read_if_there(folder / name)
        if code := [key for key in _CODE_KEYS if values.get(key)]:
            raise UnsafeCheckpoint(
                f"{name} asks to run code of the checkpoint's own ({code[0]}), which Tutti never does; "
                "use a checkpoint of a family it knows."
            )
    if not foreign and (layout := foreign_layout(folder)):
        raise CheckpointError(
            f"{folder} is in the layout of {OWNERS[layout]}; expected a checkpoint in the Hugging Face layout: "
            f"run tutti convert {folder} --into FOLDER."
        )
    return read_json(folder / "config.json")


def check_head(family: Family, values: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose head, by its `architectures`, is another than those that the family reads.

    Names without "For", those of bare models, are left to the comparison of weights.

    Raises:
        UnsupportedConfig: It is.
    """
    names = values.get("architectures")
    names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    heads = [match[1] for match in map(_HEAD.fullmatch, names) if match]
    if heads and not set(heads) & set(family.heads):
        known = f"with a head for {' or '.join(family.heads)}" if family.heads else "without a head"
        raise UnsupportedConfig(
            f"config.json is of {', '.join(names)}; of model_type {values.get('model_type')!r} models {known} are read."
        )


def take_quantization(values: MutableMapping[str, Any]) -> bool:
    """Take the entry about quantization out of a `config.json`; whether the folder is a quantized one of ours.

    Raises:
        UnsupportedConfig: It is quantized in another way.
    """
    found = values.pop("quantization_config", None)
    if found is None:
        return False
    method = found.get("quant_method") if isinstance(found, Mapping) else found
    if found != QUANTIZED:
        raise UnsupportedConfig(
            f"The checkpoint is quantized by {method!r}, in a form that is not read here; load the checkpoint that it "
            "was made from, with quantize='int8' or 'int4'."
        )
    return True


def end_tokens(folder: Path, token_id: Callable[[str], int]) -> frozenset[int]:
    """Tokens that end an answer, as `generation_config.json` says, else `config.json`, else the tokenizer's settings.

    Args:
        folder: The checkpoint.
        token_id: The id of a token as it is written.

    Returns:
        None at all if the checkpoint names none; an answer then ends by its length.

    Raises:
        CheckpointError: What is named there is no token.
    """
    config = read_if_there(folder / "config.json")
    text = config.get("text_config")
    sources = (read_if_there(folder / "generation_config.json"), config, text if isinstance(text, Mapping) else {})
    for found in (values.get("eos_token_id") for values in sources):
        ids = found if isinstance(found, list) else [found]
        if found is None or not ids:
            continue
        if not all(type(token) is int for token in ids):
            raise CheckpointError(f"eos_token_id is {found!r}; expected a token id, or a list of them.")
        return frozenset(ids)
    token = special_token(folder, "eos_token")
    return frozenset({token_id(token)}) if token else frozenset()


def special_token(folder: Path, name: str) -> str:
    """A token by its name in `tokenizer_config.json`, such as `bos_token`; nothing if there is none."""
    token = read_if_there(folder / "tokenizer_config.json").get(name)
    token = token.get("content") if isinstance(token, Mapping) else token
    return token if isinstance(token, str) else ""


def read_if_there(file: Path) -> dict[str, Any]:
    """A JSON object of a checkpoint that need not have it; empty then."""
    return read_json(file) if file.is_file() else {}


def image_settings(folder: Path) -> Mapping[str, Any]:
    """How pictures are made ready: `preprocessor_config.json`, or its part of a newer `processor_config.json`."""
    return _settings(folder, "image_processor")


def sound_settings(folder: Path) -> Mapping[str, Any]:
    """How recordings are made ready: `preprocessor_config.json`, or its part of a newer `processor_config.json`."""
    return _settings(folder, "feature_extractor")


def _settings(folder: Path, part: str) -> Mapping[str, Any]:
    if not (folder / "preprocessor_config.json").is_file() and (folder / "processor_config.json").is_file():
        settings = read_json(folder / "processor_config.json").get(part)
        if isinstance(settings, Mapping):
            return settings
    return read_json(folder / "preprocessor_config.json")
