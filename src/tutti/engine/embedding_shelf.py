"""Embeddings on disk: found again after a restart, bounded in size, checked before they are believed.

A file an embedding, as safetensors, so that what lies in the folder is data and never code. Its name is the key and the
time that computing it took; the key holds the tenant and the digest of the weights, so that folders can be shared.
With sealers, files are encrypted, each with its tenant's key, and so are their names: neither what was seen nor that it
was seen can be told from the folder.
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
from tutti.interfaces import SealerOf

_NAME = re.compile(r"([0-9a-f]{64})-(\d{1,15})us\.(safetensors|sealed)")
_DIGEST = "sha256"
_NOBODY = "default"
"""The tenant of whoever names none."""


class DiskShelf:
    """A folder of embeddings. Processes may share one; each keeps to the size by its own account of it.

    Args:
        folder: Made if it is missing, for its owner only.
        max_bytes: Most bytes of files.
        sealer_of: Encrypts the files of a tenant. What lies there in the clear from before is removed then.

    Raises:
        InputError: The folder cannot be made or written to.
    """

    def __init__(self, folder: Path, max_bytes: int = 2**30, sealer_of: SealerOf | None = None) -> None:
        self._folder, self._sealer_of = folder, sealer_of
        self._kind = "safetensors" if sealer_of is None else "sealed"
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
            elif (match := _NAME.fullmatch(name)) and match[3] != self._kind:
                if sealer_of is not None:
                    self._unlink(name)
            elif match:
                self._enter(bytes.fromhex(match[1]), name, size, int(match[2]) / 1e6)

    @property
    def held_bytes(self) -> int:
        """Bytes of files held now."""
        return self._worth.bytes

    def __len__(self) -> int:
        return len(self._names)

    def get(self, key: bytes, tenant: str = "") -> tuple[Tensor, float] | None:
        """The embedding kept under this key and the seconds it took to compute, or None.

        A file that is damaged, was put there under another's name, or was sealed with a key that is destroyed, is
        removed and not believed.
        """
        try:
            place = self._place(key, tenant)
        except InputError:
            return None
        with self._lock:
            name = self._names.get(place)
            if name is None:
                return None
            self._worth.use(place)
        try:
            content = (self._folder / name).read_bytes()
            if self._sealer_of is not None:
                content = self._sealer_of(tenant or _NOBODY).unseal(content, f"embedding {place.hex()}")
            embedding = _unpacked(key, content)
        except (OSError, ValueError, KeyError, safetensors.SafetensorError, InputError):
            self._forget(place)
            return None
        with contextlib.suppress(OSError):
            os.utime(self._folder / name)
        match = _NAME.fullmatch(name)
        return embedding, int(match[2]) / 1e6 if match else 0.0

    def put(self, key: bytes, embedding: Tensor, seconds: float, tenant: str = "") -> None:
        """Keep an embedding. A full disk loses it and nothing else; so does the end of a tenant's key."""
        content = _packed(key, embedding)
        try:
            place = self._place(key, tenant)
            if self._sealer_of is not None:
                content = self._sealer_of(tenant or _NOBODY).seal(content, f"embedding {place.hex()}")
        except InputError:
            return
        name = f"{place.hex()}-{min(10**15 - 1, round(seconds * 1e6))}us.{self._kind}"
        part = self._folder / f"{place.hex()}.{os.getpid()}.{threading.get_ident()}.part"
        try:
            part.write_bytes(content)
            part.replace(self._folder / name)
        except OSError:
            self._unlink(part.name)
            return
        with self._lock:
            old = self._names.get(place)
            self._enter(place, name, len(content), seconds)
        if old is not None and old != name:
            self._unlink(old)

    def _place(self, key: bytes, tenant: str) -> bytes:
        """What a file is named by: the key, or what stands for it."""
        return key if self._sealer_of is None else bytes.fromhex(self._sealer_of(tenant or _NOBODY).digest(key.hex()))

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
