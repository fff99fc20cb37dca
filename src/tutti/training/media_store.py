"""What trunks make of media while a model is tuned: once for each medium where the trunks stand still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from tutti.engine.embedding_cache import EmbeddingCache, embedding_key
from tutti.engine.runner import Decoder
from tutti.engine.speech_window import SpeechDecoder
from tutti.processing.prompt import MediaInput
from tutti.training.lessons import Place

_TENANT = "tuning"


class MediaStore:
    """Encodes media by digest.

    Args:
        arrays: Gives the medium of a digest, ready for its trunk.
        cache: Where encoded media are kept, in memory and on disk.
        key: Of the weights of trunks and connectors, as part of the cache's keys.
        moves: Whether trunks or connectors are trained, so that nothing may be kept.
    """

    def __init__(self, arrays: Callable[[str], MediaInput], cache: EmbeddingCache, key: str, moves: bool) -> None:
        self._arrays, self.cache, self._key, self.moves = arrays, cache, key, moves
        self.encodings = 0
        """How many times a trunk was run."""

    def encoded(
        self, model: Decoder | SpeechDecoder, places: Iterable[Place], device: torch.device
    ) -> dict[str, Tensor]:
        """States of media by digest, each run once. Shapes: → (N, D) each."""
        found: dict[str, Tensor] = {}
        for place in places:
            if place.digest not in found:
                found[place.digest] = self._one(model, place, device)
        return found

    def _one(self, model: Decoder | SpeechDecoder, place: Place, device: torch.device) -> Tensor:
        if self.moves:
            return self._run(model, place, device)
        key = embedding_key(_TENANT, place.modality, place.digest, self._key)
        kept = self.cache.get(key)
        if kept is not None:
            return kept.to(device)
        begun = time.perf_counter()
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            made = self._run(model, place, device)
        self.cache.put(key, made.cpu(), time.perf_counter() - begun)
        return made

    def _run(self, model: Decoder | SpeechDecoder, place: Place, device: torch.device) -> Tensor:
        self.encodings += 1
        medium = self._arrays(place.digest)
        arrays = {name: torch.tensor(array, device=device) for name, array in medium.arrays.items()}
        if isinstance(model, SpeechDecoder):
            return model.encode(arrays["input_features"][None])[0]
        return model.encode_media(place.modality, arrays)
