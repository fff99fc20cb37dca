"""What conversions from other layouts share: pickles read as tensors only, weights into a model, digests of files."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from tutti.checkpoints.headers import INDEX, SINGLE, read_folder, read_json
from tutti.checkpoints.quantizing import read
from tutti.errors import CheckpointError, UnsafeCheckpoint


def read_pickle(file: Path, expected: str) -> dict[str, Tensor]:
    """The tensors of a file that torch saved, mapped to the file. No code in it is executed.

    Args:
        file: A `.pth` or `.bin`.
        expected: What it should be, in words.

    Raises:
        UnsafeCheckpoint: It holds more than named tensors.
        CheckpointError: It is missing or damaged.
    """
    if not file.is_file():
        raise CheckpointError(f"{file} is no file; expected {expected}.")
    if not zipfile.is_zipfile(file):
        raise CheckpointError(
            f"{file} is not in the form that torch saves in since version 1.6 (a zip archive); expected {expected}."
        )
    try:
        found = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError:
        raise UnsafeCheckpoint(f"{file} asks to run code when it is read; expected a file of tensors only.") from None
    except (RuntimeError, ValueError, EOFError, KeyError, OSError) as error:
        raise CheckpointError(f"{file} is damaged ({type(error).__name__} on reading it): fetch it again.") from None
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items()
    ):
        raise UnsafeCheckpoint(f"{file} holds more than named tensors; expected {expected}.")
    return dict(found)


def read_weights(folder: Path) -> tuple[dict[str, Tensor], list[Path]]:
    """All weights of a folder, mapped, and the files that hold them: safetensors, otherwise pickles of tensors only.

    Raises:
        UnsafeCheckpoint: A pickle holds more than tensors, or the index names a file outside the folder.
        CheckpointError: There are no weights, a file is missing or damaged, or a weight is there twice.
    """
    if (folder / SINGLE).is_file() or (folder / INDEX).is_file():
        entries = read_folder(folder)
        return {name: read(entry) for name, entry in entries.items()}, sorted(
            {entry.file for entry in entries.values()}
        )
    files = _pickles(folder)
    weights: dict[str, Tensor] = {}
    for file in files:
        for name, tensor in read_pickle(file, "a shard of a checkpoint's weights").items():
            if name in weights:
                raise CheckpointError(f"{folder} holds {name} twice, the second time in {file.name}; it is damaged.")
            weights[name] = tensor
    return weights, files


def _pickles(folder: Path) -> list[Path]:
    """The files of weights in torch's form: those that the index names, or the only one there."""
    single, index = folder / "pytorch_model.bin", folder / "pytorch_model.bin.index.json"
    if not index.is_file():
        if not single.is_file():
            raise CheckpointError(f"{folder} has no weights; expected {SINGLE}, pytorch_model.bin, or their shards.")
        return [single]
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise CheckpointError(f"{index.name} has no weight_map.")
    for name in names.values():
        if not isinstance(name, str) or Path(name).name != name or "\\" in name or not name.endswith(".bin"):
            raise UnsafeCheckpoint(f"{index.name} names the shard {name!r}; expected the plain name of a .bin file.")
    return [folder / name for name in sorted(set(names.values()))]


def put_in(model: nn.Module, weights: Mapping[str, Tensor], name: str, remedy: str) -> None:
    """Put weights into a model on `meta`, once their names and shapes are known to be right; tied ones become one.

    Args:
        model: Built on `meta`.
        weights: By the model's names.
        name: What errors call their source.
        remedy: What errors advise.

    Raises:
        CheckpointError: A weight is missing, unexpected or misshapen.
    """
    tied: Mapping[str, str] = getattr(model, "tied", {})
    expected = {key: list(tensor.shape) for key, tensor in model.state_dict().items() if key not in tied}
    found = {key: list(tensor.shape) for key, tensor in weights.items()}
    if wrong := sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key)):
        key = wrong[0]
        raise CheckpointError(
            f"{name} differs from the configuration in {len(wrong)} weights: {key} is {found.get(key, 'missing')}, "
            f"expected {expected.get(key, 'none of that name')}; {remedy}."
        )
    model.load_state_dict(dict(weights), strict=False, assign=True)
    for key, source in tied.items():
        module, _, attribute = key.rpartition(".")
        setattr(model.get_submodule(module), attribute, model.get_parameter(source))


def stored_dtype(weights: Mapping[str, Tensor]) -> str | None:
    """The precision to store weights in: None keeps the one that all have; otherwise float32."""
    return None if len({tensor.dtype for tensor in weights.values()}) == 1 else "float32"


def digests_of(files: Sequence[Path]) -> dict[str, str]:
    """Names of files → their SHA-256; a name that is there twice gets its folder before it."""
    names = [file.name for file in files]
    return {
        file.name if names.count(file.name) == 1 else f"{file.parent.name}/{file.name}": file_digest(file)
        for file in files
    }


def file_digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
