"""Phase 3: questions on scenes. Several questions share one medium, and none sees another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from recipes.tutti_mini.build import CONFIG
from recipes.tutti_mini.pairs import normalize
from tutti.models.omni.model import Omni
from tutti.training.objectives import IGNORE, next_token


@dataclass(frozen=True)
class Packed:
    """Token ids of many samples, each a prefix and then its questions."""

    input_ids: Tensor
    """(B, T) int64."""
    labels: Tensor
    """(B, T) int64: the next token where it is to be learned."""
    positions: Tensor
    """(B, T) int64: every question counts on from the prefix."""
    segments: Tensor
    """(B, T) int16: 0 the prefix, k the k-th question, -1 padding."""

    def mask(self) -> Tensor:
        """(B, 1, T, T) bool: a token looks back at the prefix and at its own question only."""
        tokens = self.input_ids.shape[1]
        causal = torch.ones(tokens, tokens, dtype=torch.bool, device=self.input_ids.device).tril()
        query, key = self.segments[:, :, None], self.segments[:, None]
        eye = torch.eye(tokens, dtype=torch.bool, device=self.input_ids.device)
        return ((causal & ((key == 0) | (query == key))) | eye)[:, None]


def pack(
    tokenizer: Tokenizer, prefixes: Sequence[Sequence[int]], questions: Sequence[Sequence[tuple[str, str]]]
) -> dict[str, Tensor]:
    """Lay out samples.

    Args:
        tokenizer: For the words.
        prefixes: A sample's tokens before its questions.
        questions: A sample's (question, answer) pairs.

    Returns:
        The fields of `Packed`.
    """
    samples = [_lay_out(tokenizer, prefix, pairs) for prefix, pairs in zip(prefixes, questions, strict=True)]
    width = max(len(sample[0]) for sample in samples)
    fill = (0, IGNORE, 0, -1)
    columns = [
        torch.tensor([list(sample[field]) + [fill[field]] * (width - len(sample[field])) for sample in samples])
        for field in range(4)
    ]
    return {"input_ids": columns[0], "labels": columns[1], "positions": columns[2], "segments": columns[3].short()}


def _lay_out(
    tokenizer: Tokenizer, prefix: Sequence[int], pairs: Sequence[tuple[str, str]]
) -> tuple[list[int], list[int], list[int], list[int]]:
    ids, labels = list(prefix), [IGNORE] * len(prefix)
    positions, segments = list(range(len(prefix))), [0] * len(prefix)
    for number, (question, answer) in enumerate(pairs, 1):
        asked = [*tokenizer.encode(question).ids, CONFIG.assistant_id]
        said = [*tokenizer.encode(answer).ids, CONFIG.eos_id]
        ids += asked + said[:-1]
        labels += [IGNORE] * (len(asked) - 1) + said
        count = len(asked) + len(said) - 1
        positions += range(len(prefix), len(prefix) + count)
        segments += [number] * count
    return ids, labels, positions, segments


def picture_prefix() -> list[int]:
    """A user's turn that begins with a picture."""
    return [CONFIG.user_id] + [CONFIG.placeholder_ids["image"]] * CONFIG.picture_tokens()


def sound_prefix(frames: int) -> list[int]:
    """A user's turn that begins with a recording of so many log-mel frames."""
    return [CONFIG.user_id] + [CONFIG.placeholder_ids["audio"]] * CONFIG.sound_tokens(frames)


def clip_prefix(frames: int, sound_frames: int) -> list[int]:
    """A user's turn that begins with a clip."""
    return [CONFIG.user_id] + [CONFIG.placeholder_ids["video"]] * CONFIG.clip_tokens(frames, sound_frames)


@dataclass(frozen=True)
class Instruct:
    """Answer tokens given a medium and a question.

    Args:
        modality: Of the medium; "text" where the prefix is words.
    """

    modality: str

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cross entropy of the answers."""
        omni = cast("Omni", model)
        packed = Packed(*(batch[name] for name in ("input_ids", "labels", "positions", "segments")))
        arrays = {}
        if "pixels" in batch:
            arrays["pixel_values"] = normalize(batch["pixels"])
        if "features" in batch:
            arrays["input_features"] = batch["features"]
        media = {self.modality: arrays} if arrays else {}
        hidden = omni.hidden(packed.input_ids, media, packed.positions, packed.mask())
        return next_token(hidden, packed.labels, omni.logits)


def tensor(values: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Pictures or clips as the model takes them. Shapes: n of (…, 64, 64, 3) → (n, …, 3, 64, 64) uint8."""
    return torch.from_numpy(np.moveaxis(np.stack(values), -1, -3).copy())
