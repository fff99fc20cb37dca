"""On which model an adapter was trained: kept in the header of its weights, so that another model is refused by name.

An adapter fits any model of the same sizes, and makes nonsense of most of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from tutti.checkpoints.adapter_config import WEIGHTS
from tutti.checkpoints.family import Family
from tutti.checkpoints.headers import Entry, read_folder
from tutti.errors import CheckpointError

_NAME, _WEIGHTS, _VECTORS = "base_model", "base_digest", "base_vectors"
_SAMPLE_BYTES = 4096


def fingerprint(name: str, entries: Mapping[str, Entry]) -> dict[str, str]:
    """What the header of an adapter says of its base.

    Digests are over names, and the beginnings and ends of the weights: training changes those of every weight that it
    changes at all, and reading them takes no time with the largest of models. Vectors have a digest of their own, by
    which a quantized folder is known, whose matrices are codes.

    Args:
        name: What the base is called.
        entries: Its weights by the model's names.
    """
    return {_NAME: name, _WEIGHTS: _digest(entries.items()), _VECTORS: _digest(_vectors(entries))}


def fingerprint_of(folder: Path, name: str, family: Family, computed: Collection[str]) -> dict[str, str]:
    """`fingerprint` of a checkpoint's folder.

    Args:
        folder: The checkpoint.
        name: What it is called.
        family: Of the model.
        computed: Weights of the folder that the model computes by itself.

    Raises:
        CheckpointError: The folder has no weights, or a header is broken.
    """
    named = {family.name_in_model(written): entry for written, entry in read_folder(folder).items()}
    return fingerprint(name, {ours: entry for ours, entry in named.items() if ours not in computed})


def check_base(folder: Path, name: str, entries: Mapping[str, Entry], *, codes: bool = False) -> None:
    """Refuse an adapter of another base. One that does not say its base passes: other tools write none.

    Args:
        folder: The adapter's.
        name: Of the model that it shall go beside.
        entries: Its weights by the model's names.
        codes: Whether its matrices are codes, so that vectors alone can be compared.

    Raises:
        CheckpointError: The adapter was trained on another model, or its header cannot be read.
    """
    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            said = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{folder / WEIGHTS} cannot be read: {error}.") from None
    if _WEIGHTS not in said:
        return
    found = fingerprint(name, entries)
    key = _VECTORS if codes else _WEIGHTS
    if said.get(key) != found[key]:
        raise CheckpointError(
            f"The adapter {folder} was trained on {said.get(_NAME, 'another model')} (digest {said[_WEIGHTS][:12]}), "
            f"and {name} is another model (digest {found[_WEIGHTS][:12]}); name the model that it was trained on."
        )


def _vectors(entries: Mapping[str, Entry]) -> Iterable[tuple[str, Entry]]:
    plain = ((name, entry) for name, entry in entries.items() if entry.floating and len(entry.shape) == 1)
    return ((name, entry) for name, entry in plain if not name.endswith((".weight_scale", ".bias")))


def _digest(entries: Iterable[tuple[str, Entry]]) -> str:
    state = hashlib.sha256()
    for name, entry in sorted(entries):
        state.update(f"{name}\0{entry.dtype}\0{entry.shape}\0".encode())
        with entry.file.open("rb") as stream:
            for start in (entry.start, max(entry.start, entry.end - _SAMPLE_BYTES)):
                stream.seek(start)
                state.update(stream.read(min(_SAMPLE_BYTES, entry.end - start)))
    return state.hexdigest()
