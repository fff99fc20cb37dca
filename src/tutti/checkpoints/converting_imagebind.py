"""The official ImageBind `.pth` to a folder in the Hugging Face layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutti.checkpoints.foreign import file_digest, put_in, read_pickle
from tutti.checkpoints.headers import read_json
from tutti.checkpoints.saving import save
from tutti.errors import CheckpointError
from tutti.models.imagebind.config import ImageBindConfig, huge
from tutti.models.imagebind.model import ImageBindModel
from tutti.processing.clip_vocabulary import tokenizer_json

_MARK = "modality_trunks.vision.blocks.0.attn.in_proj_weight"
"""A weight by which the official checkpoint is known."""
_VOCABULARIES = ("bpe_simple_vocab_16e6.txt.gz", "tokenizer.json")
_PREPROCESSOR: Mapping[str, dict[str, Any]] = {
    "image": {
        "size": {"shortest_edge": 224},
        "resample": 3,
        "do_center_crop": False,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    },
    "video": {"clips": 5, "clip_s": 2, "crops": 3},
    "audio": {"sampling_rate": 16000, "clips": 3, "clip_s": 2, "mean": -4.268, "std": 9.138},
    "depth": {
        "focal_times_baseline": 38.91,
        "min_depth": 0.01,
        "max_depth": 50,
        "max_disparity": 75,
        "mean": 0.0418,
        "std": 0.0295,
    },
    "thermal": {"mean": 0, "std": 1},
    "motion": {"sampling_rate": 400},
}
_CARD = """---
license: cc-by-nc-sa-4.0
---
# ImageBind, converted

Weights of {name} (SHA-256 {digest}), the official checkpoint of github.com/facebookresearch/ImageBind, written as
safetensors by `tutti convert`. Names and numbers of the weights are unchanged. The licence is the one of its authors
and forbids commercial use.
"""


def convert_imagebind(
    source: Path,
    into: str | PathLike[str],
    *,
    vocabulary: str | PathLike[str] | None = None,
    config: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Convert the official ImageBind checkpoint. Arguments, result and errors as for `tutti.checkpoints.convert`."""
    state = _read(source)
    values = dict(huge() if config is None else read_json(Path(config)))
    model = _build(state, values, source.name)
    words = Path(vocabulary) if vocabulary is not None else _beside(source)
    digest = file_digest(source)
    values["source"] = {"file": source.name, "sha256": digest}
    files = {
        "preprocessor_config.json": json.dumps(_settings(values), indent=1) + "\n",
        "README.md": _CARD.format(name=source.name, digest=digest),
    }
    if words is not None:
        files["tokenizer.json"] = tokenizer_json(words)
    save(model, into, values, files)
    parameters = sum(tensor.numel() for tensor in model.state_dict().values())
    return {"sha256": digest, "parameters": parameters, "vocabulary": None if words is None else str(words)}


def _read(file: Path) -> dict[str, Tensor]:
    """The tensors of the official file, mapped to it."""
    found = read_pickle(file, "the official ImageBind checkpoint, imagebind_huge.pth")
    if _MARK not in found:
        some = ", ".join(sorted(found)[:3]) or "nothing"
        raise CheckpointError(
            f"{file} is not of ImageBind, the only single file that is converted: it lacks {_MARK} and holds {some}; "
            "other families are read from folders."
        )
    return found


def _build(state: dict[str, Tensor], values: Mapping[str, Any], name: str) -> ImageBindModel:
    """A model of those weights, names and shapes checked."""
    with torch.device("meta"):
        model = ImageBindModel(ImageBindConfig.from_hf(values))
    weights = {key: tensor for key, tensor in state.items() if key not in model.computed}
    put_in(model, weights, name, "give the config.json of its sizes with --config")
    return model


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """`preprocessor_config.json`, as the official code has it."""
    side = ImageBindConfig.from_hf(values).vision.image_size
    return {**_PREPROCESSOR, "image": {**_PREPROCESSOR["image"], "size": {"shortest_edge": side}}}


def _beside(file: Path) -> Path | None:
    return next((file.parent / name for name in _VOCABULARIES if (file.parent / name).is_file()), None)
