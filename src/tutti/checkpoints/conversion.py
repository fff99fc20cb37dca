"""The official ImageBind `.pth` to a safetensors folder. Other checkpoints come as safetensors; none is converted."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutti.checkpoints.headers import read_json
from tutti.checkpoints.saving import save
from tutti.errors import CheckpointError, UnsafeCheckpoint
from tutti.models.imagebind.config import ImageBindConfig, huge
from tutti.models.imagebind.model import ImageBindModel
from tutti.processing.clip_vocabulary import tokenizer_json

_CHUNK_BYTES = 1 << 22
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


def convert(
    file: str | PathLike[str],
    into: str | PathLike[str],
    *,
    vocabulary: str | PathLike[str] | None = None,
    config: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Convert the official ImageBind checkpoint. Nothing in it is executed.

    Args:
        file: `imagebind_huge.pth`, or another file of tensors only with the official names.
        into: The folder to be written; a checkpoint that is there is replaced.
        vocabulary: `bpe_simple_vocab_16e6.txt.gz` of the official repository, or a CLIP checkpoint's `tokenizer.json`.
            Without it the one that lies beside `file` is taken; if there is none, the folder reads no text.
        config: A `config.json` of `model_type` "imagebind", for a file of other sizes than the published.

    Returns:
        {"sha256": digest of `file`, "parameters": stored values, "vocabulary": its path or None}.

    Raises:
        UnsafeCheckpoint: The file holds more than tensors.
        CheckpointError: It is missing, damaged, or not of ImageBind, or there is something else in the place.
        InputError: The vocabulary cannot be read.
    """
    source = Path(file)
    state = _read(source)
    values = dict(huge() if config is None else read_json(Path(config)))
    model = _build(state, values, source.name)
    words = Path(vocabulary) if vocabulary is not None else _beside(source)
    digest = _digest(source)
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
    """The tensors of a `.pth`, mapped to the file."""
    if not file.is_file():
        raise CheckpointError(f"{file} is no file; expected the official ImageBind checkpoint, imagebind_huge.pth.")
    if not zipfile.is_zipfile(file):
        raise CheckpointError(
            f"{file} is not in the form that torch saves in since version 1.6 (a zip archive); "
            "expected the official ImageBind checkpoint."
        )
    try:
        found = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError:
        raise UnsafeCheckpoint(f"{file} asks to run code when it is read; expected a file of tensors only.") from None
    except (RuntimeError, ValueError, EOFError, KeyError, OSError) as error:
        raise CheckpointError(f"{file} is damaged ({type(error).__name__} on reading it): fetch it again.") from None
    if not isinstance(found, Mapping) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise UnsafeCheckpoint(f"{file} holds more than named tensors; expected the official ImageBind checkpoint.")
    if _MARK not in found:
        some = ", ".join(sorted(map(str, found))[:3]) or "nothing"
        raise CheckpointError(
            f"{file} is not of ImageBind, the only checkpoint that is converted: it lacks {_MARK} and holds {some}; "
            "other families are read from safetensors."
        )
    return dict(found)


def _build(state: dict[str, Tensor], values: Mapping[str, Any], name: str) -> ImageBindModel:
    """A model of those weights, names and shapes checked."""
    with torch.device("meta"):
        model = ImageBindModel(ImageBindConfig.from_hf(values))
    weights = {key: tensor for key, tensor in state.items() if key not in model.computed}
    expected = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}
    found = {key: list(tensor.shape) for key, tensor in weights.items()}
    if wrong := sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key)):
        key = wrong[0]
        raise CheckpointError(
            f"{name} differs from the configuration in {len(wrong)} weights: {key} is {found.get(key, 'missing')}, "
            f"expected {expected.get(key, 'none of that name')}; give the config.json of its sizes with --config."
        )
    model.load_state_dict(weights, assign=True)
    return model


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """`preprocessor_config.json`, as the official code has it."""
    side = ImageBindConfig.from_hf(values).vision.image_size
    return {**_PREPROCESSOR, "image": {**_PREPROCESSOR["image"], "size": {"shortest_edge": side}}}


def _beside(file: Path) -> Path | None:
    return next((file.parent / name for name in _VOCABULARIES if (file.parent / name).is_file()), None)


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
