"""Sources and objectives of the recipe's phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from recipes.tutti_mini.build import Pretraining
from recipes.tutti_mini.pairs import Keys, PictureBatch, PicturePairs, SoundPairs, normalize
from tutti.models.omni.model import Omni
from tutti.training.objectives import classification, contrastive


@dataclass(frozen=True, eq=False)
class PairSource:
    """Batches of media with captions and keys."""

    modality: str
    pairs: PicturePairs | SoundPairs
    keys: Keys
    count: int
    tokenizer: Tokenizer | None = None
    """Where the captions are wanted too."""

    def __repr__(self) -> str:
        return f"{self.count} of {self.pairs!r}"

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one batch."""
        drawn = self.pairs.draw(rng, self.count)
        values = drawn.pixels if isinstance(drawn, PictureBatch) else drawn.features
        out: dict[str, Any] = {"keys": self.keys(drawn.keys), "values": values}
        if self.tokenizer:
            out["input_ids"], out["attention_mask"] = tokenize(self.tokenizer, drawn.captions)
        return out


def tokenize(tokenizer: Tokenizer, texts: list[str], longest: int = 48) -> tuple[Tensor, Tensor]:
    """Token ids and mask, padded to the longest. Shapes (n, T)."""
    rows = [encoding.ids[:longest] for encoding in tokenizer.encode_batch(texts)]
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros(len(rows), width)
    for row, values in enumerate(rows):
        ids[row, : len(values)] = torch.tensor(values)
        mask[row, : len(values)] = 1
    return ids, mask


def media(modality: str, values: Tensor) -> dict[str, Tensor]:
    """A batch's values under the name that the model gives them."""
    return {"pixel_values": normalize(values)} if modality == "image" else {"input_features": values}


@dataclass(frozen=True)
class Classify:
    """Phase 1: which of the packs' labels."""

    modality: str

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cross entropy on the throw-away classifier."""
        pre = cast("Pretraining", model)
        tokens = pre.model.encode(self.modality, media(self.modality, batch["values"]))
        pooled = F.gelu(pre.model.heads[self.modality](tokens))
        return classification(pre.classifiers[self.modality](pooled), batch["keys"])


@dataclass(frozen=True)
class Align:
    """Phase 2: media of one kind with their captions; what is not paired here is never compared."""

    modality: str

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Contrastive loss between the medium and its captions."""
        omni = cast("Omni", model)
        points = {
            self.modality: omni.embed_media(self.modality, media(self.modality, batch["values"])),
            "text": omni.embed_text(batch["input_ids"], batch["attention_mask"]),
        }
        keys = {self.modality: batch["keys"], "text": batch["keys"]}
        return contrastive(points, keys, [(self.modality, "text")], omni.logit_scale)
