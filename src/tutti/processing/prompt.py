"""What the engine is given: token ids with room for media, and the media as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError


@dataclass(frozen=True, eq=False)
class MediaInput:
    """One medium, ready for its trunk."""

    modality: str
    arrays: Mapping[str, NDArray[Any]]
    """Named as the trunk takes them, e.g. {"pixel_values": (3, S, S)}."""
    tokens: int
    """N: how many tokens it fills in the prompt."""
    digest: str
    """Digest of the arrays, from `media_digest`."""


class View(NamedTuple):
    """Which tokens look at a medium by cross-attention, in families whose text does so."""

    medium: int
    """Its number."""
    first: int
    """The first token that looks."""
    stop: int
    """Behind the last one. The end of the prompt means that the answer's tokens look, too."""
    states: int
    """How many of the medium's states they see; those behind are padding."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """Token ids in which each medium has its place.

    Raises:
        InputError: The media do not fit their places.
    """

    input_ids: NDArray[np.int64]
    """(T,), with placeholders where media go."""
    media: tuple[MediaInput, ...] = ()
    """In order of their places."""
    starts: tuple[int, ...] = ()
    """Medium i fills `input_ids[starts[i] : starts[i] + media[i].tokens]`."""
    views: tuple[View, ...] = ()
    """Which tokens look at which media; none where a medium's states themselves stand in its place."""

    def __post_init__(self) -> None:
        if len(self.media) != len(self.starts):
            raise InputError(f"The prompt has {len(self.media)} media but {len(self.starts)} places for them.")
        end = 0
        for medium, start in zip(self.media, self.starts, strict=True):
            if start < end or medium.tokens < 1 or start + medium.tokens > len(self.input_ids):
                raise InputError(
                    f"The {medium.modality} of {medium.tokens} tokens at {start} does not fit the prompt "
                    f"of {len(self.input_ids)} tokens, of which {end} are taken."
                )
            end = start + medium.tokens


def media_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over the names, types, shapes and bytes of arrays, in hexadecimal.

    Every part is preceded by its length, so that different arrays cannot be written as the same bytes. The order of the
    names does not count.
    """
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        for part in (name, array.dtype.str, str(array.shape)):
            content = part.encode()
            digest.update(len(content).to_bytes(8, "little") + content)
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
