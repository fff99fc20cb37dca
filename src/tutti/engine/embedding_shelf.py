"""Embeddings on disk: found again after a restart, bounded in size, checked before they are believed.

A file an embedding, as safetensors, so that what lies in the folder is data and never code. Its name is the key and the
time that computing it took; the key holds the tenant and the digest of the weights, so that folders can be shared.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import threading
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from tutti.engine.embedding_cache import Worth
from tutti.errors import InputError

_NAME = re.compile(r"([0-9a-f]{64})-(\d{1,15})us\.safetensors")
_DIGEST = "sha256"


class DiskShelf:
    """A folder of embeddings. Processes may share one; each keeps to the size by its own account of it.

    Args:
        folder: Made if it is missing, for its owner only.
        max_bytes: Most bytes of files.

    Raises:
        InputError: The folder cannot be made or written to.
    """

    def __init__(self, folder: Path, max_bytes: int = 2**30) -> None:
        self._folder = folder
        self._names: dict[bytes, str] = {}
        self._worth = Worth(max_bytes)
        self._lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = [(entry.stat().st_mtime_ns, entry.name, entry.stat().st_size) for entry in os.scandir(folder)]
        except OSError as error:
            raise InputError(f"The folder {folder} for embeddings cannot be used: {error.strerror}.") from None
        for _, name, size in sorted(found):
            if name.endswith(".part"):
                self._unlink(name)  # a process ended while it wrote
            elif match := _NAME.fullmatch(name):
                self._enter(bytes.fromhex(match[1]), name, size, int(match[2]) / 1e6)

    @property
    def held_bytes(self) -> int:
        """Bytes of files held now."""
        return self._worth.bytes

    def __len__(self) -> int:
        return len(self._names)

    def get(self, key: bytes) -> tuple[Tensor, float] | None:
        """The embedding kept under this key and the seconds it took to compute, or None.

        A file that is damaged, or was put there under another's name, is removed and not believed.
        """
        with self._lock:
            name = self._names.get(key)
            if name is None:
                return None
            self._worth.use(key)
        try:
            content = (self._folder / name).read_bytes()
            embedding = _unpacked(key, content)
        except (OSError, ValueError, KeyError, safetensors.SafetensorError):
            self._forget(key)
            return None
        with contextlib.suppress(OSError):
            os.utime(self._folder / name)
        match = _NAME.fullmatch(name)
        return embedding, int(match[2]) / 1e6 if match else 0.0

    def put(self, key: bytes, embedding: Tensor, seconds: float) -> None:
        """Keep an embedding. A full disk loses it and nothing else."""
        content = _packed(key, embedding)
        name = f"{key.hex()}-{min(10**15 - 1, round(seconds * 1e6))}us.safetensors"
        part = self._folder / f"{key.hex()}.{os.getpid()}.{threading.get_ident()}.part"
        try:
            part.write_bytes(content)
            part.replace(self._folder / name)
        except OSError:
            self._unlink(part.name)
            return
        with self._lock:
            old = self._names.get(key)
            self._enter(key, name, len(content), seconds)
        if old is not None and old != name:
            self._unlink(old)

    def _enter(self, key: bytes, name: str, size: int, seconds: float) -> None:
        self._names[key] = name
        for dropped in self._worth.add(key, size, seconds):
            self._unlink(self._names.pop(dropped))

    def _forget(self, key: bytes) -> None:
        with self._lock:
            self._worth.remove(key)
            name = self._names.pop(key, None)
        if name is not None:
            self._unlink(name)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()


def _packed(key: bytes, embedding: Tensor) -> bytes:
    tensor = embedding.detach().cpu().contiguous()
    return safetensors.torch.save({"embedding": tensor}, metadata={_DIGEST: _digest(key, tensor)})


def _unpacked(key: bytes, content: bytes) -> Tensor:
    embedding = safetensors.torch.load(content)["embedding"]
    header = content[8 : 8 + int.from_bytes(content[:8], "little")]
    if _digest(key, embedding).encode() not in header:
        raise ValueError
    return embedding


def _digest(key: bytes, tensor: Tensor) -> str:
    """Over the key, the type, the shape and the bytes."""
    digest = hashlib.sha256(key)
    digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def weights_digest(model: torch.nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all weights: embeddings on disk outlive a change of them."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name}\0{getattr(value, 'dtype', type(value))}\0{getattr(value, 'shape', ())}\0".encode())
        if isinstance(value, torch.Tensor):
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        else:  # packed by a library, which gives its own form of the bytes
            digest.update(pickle.dumps(value))
    return digest.hexdigest()
