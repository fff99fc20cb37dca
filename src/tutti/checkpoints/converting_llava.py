"""LLaVA-1.5 as its authors publish it (`liuhaotian/llava-v1.5-7b`) to a folder in the Hugging Face layout.

Source: github.com/haotian-liu/LLaVA, `llava/model/llava_arch.py` (names of the weights, the tower as a checkpoint of
its own), `llava/mm_utils.py` (pictures are padded to squares) and `llava/conversation.py` (the conversation of v1).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutti.checkpoints.family import image_settings, read_config
from tutti.checkpoints.foreign import digests_of, put_in, read_weights, stored_dtype
from tutti.checkpoints.saving import save
from tutti.errors import CheckpointError, InputError, UnsupportedConfig
from tutti.models.clip.config import CLIPVisionConfig
from tutti.models.config_keys import own_fields
from tutti.models.llava.config import LlavaConfig
from tutti.models.llava.model import LlavaForConditionalGeneration
from tutti.processing.sentencepiece import tokenizer_from_sentencepiece
from tutti.processing.tokenizer import Tokenizer

IMAGE_TOKEN = "<image>"  # noqa: S105 - no password
_RENAMES: Mapping[str, str] = {
    "model.mm_projector.0.": "multi_modal_projector.linear_1.",
    "model.mm_projector.2.": "multi_modal_projector.linear_2.",
    "model.vision_tower.vision_tower.": "vision_tower.",
    "model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
}
"""How names begin → how they begin in the Hugging Face layout; the first that fits counts."""
_SELECT = {"patch": "default", "cls_patch": "full"}
_ONLY: Mapping[str, Any] = {
    "mm_projector_type": "mlp2x_gelu",
    "mm_use_im_start_end": False,
    "mm_resampler_type": None,
    "mm_patch_merge_type": "flat",
    "s2": False,
}
"""Keys that would change what is computed, and the one value that is."""
_ASPECTS = ("pad", "square")
_OWN_KEYS = ("mm_", "image_", "freeze_mm_", "tune_mm_", "unfreeze_mm_", "use_mm_", "tokenizer_", "s2")
_KNOWN_KEYS = frozenset(
    {
        "mm_hidden_size",
        "mm_projector_lr",
        "mm_use_im_patch_token",
        "mm_vision_select_feature",
        "mm_vision_select_layer",
        "mm_vision_tower",
        "mm_vision_tower_lr",
        "image_aspect_ratio",
    }
)
_TEMPLATE = """\
{%- if messages and messages[0]['role'] == 'system' -%}
{%- for part in messages[0]['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor -%}
{%- else -%}
A chat between a curious user and an artificial intelligence assistant. \
The assistant gives helpful, detailed, and polite answers to the user's questions.
{%- endif -%}
{{- ' ' -}}
{%- for message in messages if message['role'] != 'system' -%}
{{- message['role'].upper() + ': ' -}}
{%- for part in message['content'] if part['type'] == 'image' %}{{ '<image>\\n' }}{% endfor -%}
{%- for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor -%}
{{- '</s>' if message['role'] == 'assistant' else ' ' -}}
{%- endfor -%}
{{- 'ASSISTANT:' if add_generation_prompt else '' -}}
"""
_CARD = """---
license: other
---
# LLaVA-1.5, converted

Decoder and projector of `{name}` as LLaVA's authors publish them, and the picture tower of `{tower}`, written in the
Hugging Face layout by `tutti convert`. The numbers are unchanged; the licences are those of the two checkpoints.
SHA-256 of the files that were read:

{digests}
"""


def convert_llava(
    folder: Path,
    into: str | PathLike[str],
    *,
    vocabulary: str | PathLike[str] | None = None,
    vision_tower: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Convert a LLaVA-1.5 of its authors. Arguments, result and errors as for `tutti.checkpoints.convert`."""
    values = read_config(folder, foreign=True)
    _check_config(values)
    if vision_tower is None:
        raise InputError(
            f"{folder} holds no picture tower, which is a checkpoint of its own ({values.get('mm_vision_tower')}); "
            "give its folder with --vision-tower."
        )
    tower = Path(vision_tower).expanduser()
    vision = CLIPVisionConfig.from_hf(_tower_config(tower))
    tokenizer, words = _tokenizer(folder, vocabulary)
    end = tokenizer.token_id("</s>")
    config = {
        "model_type": "llava",
        "architectures": ["LlavaForConditionalGeneration"],
        "image_token_index": tokenizer.token_id(IMAGE_TOKEN),
        "projector_hidden_act": "gelu",
        "vision_feature_layer": values["mm_vision_select_layer"],
        "vision_feature_select_strategy": _SELECT[values.get("mm_vision_select_feature", "patch")],
        "text_config": _text_config(values),
        "vision_config": {"model_type": "clip_vision_model", **_written(vision)},
        "eos_token_id": end,
    }
    weights, read_files = _weights(folder, tower)
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(LlavaConfig.from_hf(config))
    weights = {name: tensor for name, tensor in weights.items() if name not in model.computed}
    put_in(model, weights, folder.name, "it is incomplete, or the picture tower is of another model")
    digests = digests_of(read_files)
    card = _CARD.format(name=folder.name, tower=values["mm_vision_tower"], digests=_listed(digests))
    save(
        model,
        into,
        config,
        _files(tokenizer, values, tower, vision.image_size) | {"README.md": card},
        dtype=stored_dtype(weights),
    )
    parameters = sum(tensor.numel() for tensor in weights.values())
    return {"sha256": digests, "parameters": parameters, "vocabulary": str(words)}


def _check_config(values: Mapping[str, Any]) -> None:
    """Refuse what would be computed otherwise.

    Raises:
        UnsupportedConfig: A key is unknown, or has a value that is not computed here.
    """
    own = {key for key in values if key.startswith(_OWN_KEYS)}
    ignored = {
        key for key in own if key.startswith(("freeze_mm_", "tune_mm_", "unfreeze_mm_", "use_mm_", "tokenizer_"))
    }
    if unknown := sorted(own - ignored - _KNOWN_KEYS - _ONLY.keys()):
        raise UnsupportedConfig(f"The configuration of LLaVA's authors has the unknown key {unknown[0]!r}.")
    for key, value in _ONLY.items():
        if (found := values.get(key, value)) != value:
            raise UnsupportedConfig(
                f"{key} is {found!r}; of LLaVA's authors' checkpoints those with {value!r} are read."
            )
    for key, known in (("mm_vision_select_feature", tuple(_SELECT)), ("image_aspect_ratio", _ASPECTS)):
        if (found := values.get(key, known[0])) not in known:
            raise UnsupportedConfig(f"{key} is {found!r}; expected {' or '.join(known)}.")
    if type(values.get("mm_vision_select_layer")) is not int:
        raise UnsupportedConfig("config.json lacks mm_vision_select_layer, the layer of the tower that is taken.")


def _written(config: CLIPVisionConfig) -> dict[str, Any]:
    """Fields of a configuration as `config.json` has them."""
    return {key: getattr(config, key) for key in own_fields(type(config))}


def _text_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """The decoder's part of the configuration."""
    kept = {key: value for key, value in values.items() if not key.startswith(_OWN_KEYS)}
    decoder = "mistral" if values["model_type"] == "llava_mistral" else "llama"
    for key in ("_name_or_path", "architectures", "model_type", "transformers_version"):
        kept.pop(key, None)
    return {"model_type": decoder, **kept}


def _tower_config(tower: Path) -> Mapping[str, Any]:
    """The configuration of a CLIP checkpoint's picture tower: its own, or its part of the whole.

    Raises:
        CheckpointError: The folder is not there.
        UnsupportedConfig: It is no CLIP.
    """
    if not tower.is_dir():
        raise CheckpointError(f"{tower} is no folder; expected the CLIP checkpoint that the model sees through.")
    values = read_config(tower, foreign=True)
    if values.get("model_type") == "clip":
        return values.get("vision_config") or values.get("vision_config_dict") or {}
    if values.get("model_type") == "clip_vision_model":
        return values
    raise UnsupportedConfig(
        f"{tower} is of model_type {values.get('model_type')!r}; expected a CLIP checkpoint, such as "
        "openai/clip-vit-large-patch14-336."
    )


def _weights(folder: Path, tower: Path) -> tuple[dict[str, Tensor], list[Path]]:
    """All weights by their names in the Hugging Face layout, and the files that they were read from.

    A tower that was tuned lies among the decoder's weights, and then counts.
    """
    own, files = read_weights(folder)
    weights = dict(_renamed(own))
    if not any(name.startswith("vision_tower.") for name in weights):
        seen, more = read_weights(tower)
        weights |= {f"vision_tower.{name}": tensor for name, tensor in seen.items() if name.startswith("vision_model.")}
        files += more
    return weights, files


def _renamed(weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in weights.items():
        start = next((start for start in _RENAMES if name.startswith(start)), None)
        if start is None:
            raise UnsupportedConfig(f"The weights of LLaVA's authors have {name}, which LLaVA-1.5 has no use for.")
        yield _RENAMES[start] + name.removeprefix(start), tensor


def _tokenizer(folder: Path, vocabulary: str | PathLike[str] | None) -> tuple[Tokenizer, Path]:
    """The tokenizer with the placeholder of pictures in it, and the file that it was made from.

    Raises:
        CheckpointError: There is none.
        InputError: It cannot be read.
    """
    names = ("tokenizer.json", "tokenizer.model")
    given = [Path(vocabulary)] if vocabulary is not None else [folder / name for name in names]
    file = next((file for file in given if file.is_file()), None)
    if file is None:
        raise CheckpointError(f"There is no {' or '.join(map(str, given))}; expected the vocabulary of the model.")
    if file.suffix == ".json":
        plain = Tokenizer.from_file(file)
    else:
        plain = Tokenizer(tokenizer_from_sentencepiece(file.read_bytes(), str(file)))
    return plain.with_special_token(IMAGE_TOKEN), file


def _files(tokenizer: Tokenizer, values: Mapping[str, Any], tower: Path, side: int) -> dict[str, str]:
    """The files beside weights and configuration."""
    settings = dict(image_settings(tower))
    kept: dict[str, Any] = {key: settings[key] for key in ("image_mean", "image_std", "resample") if key in settings}
    if values.get("image_aspect_ratio", "pad") == "pad":
        colour = [int(255 * part) for part in settings["image_mean"]]
        kept |= {"size": {"longest_edge": side}, "do_pad": True, "pad_color": colour, "do_center_crop": False}
    else:
        kept |= {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}, "do_center_crop": True}
    special = {"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "LlamaTokenizerFast"}
    return {
        "preprocessor_config.json": json.dumps({"image_processor_type": "CLIPImageProcessor", **kept}, indent=1) + "\n",
        "tokenizer.json": tokenizer.to_json(),
        "tokenizer_config.json": json.dumps(special, indent=1) + "\n",
        "chat_template.jinja": _TEMPLATE,
    }


def _listed(digests: Mapping[str, str]) -> str:
    return "\n".join(f"- `{name}`: {digest}" for name, digest in digests.items())
