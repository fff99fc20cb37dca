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
from torch.nn.attention import SDPBackend, sdpa_kernel

from recipes.tutti_mini.build import Pretraining
from recipes.tutti_mini.pairs import Keys, PictureBatch, PicturePairs, SoundPairs, normalize
from recipes.tutti_mini.token_labelling import MomentSource, PlaceSource, spotted
from tutti.models.omni.model import Omni
from tutti.models.omni.trunks import PictureTrunk
from tutti.training.objectives import classification, contrastive

BROAD = 0.6
"""How often a batch with captions calls groceries by their kind only."""


@dataclass(frozen=True, eq=False)
class PairSource:
    """Batches of media with captions and keys, and of scenes whose places or moments are known beside them."""

    modality: str
    pairs: PicturePairs | SoundPairs
    keys: Keys
    count: int
    spots: PlaceSource | MomentSource | None = None
    tokenizer: Tokenizer | None = None
    """Where the captions are wanted too."""
    others: int = 0
    """Further captions, of other pictures, to be told from those of the batch."""
    longest: int = 48
    """Tokens of a caption; what goes beyond is left away."""

    def __repr__(self) -> str:
        scenes = f", {self.spots!r}" if self.spots else ""
        return f"{self.count} of {self.pairs!r} and {self.others} captions{scenes}"

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one batch."""
        pictures = self.pairs if isinstance(self.pairs, PicturePairs) else None
        # Apples and their varieties cannot be told apart in the same batch, so each batch is of one or the other.
        broad = bool(pictures and self.tokenizer and rng.random() < BROAD)
        drawn = pictures.draw(rng, self.count, broad) if pictures else self.pairs.draw(rng, self.count)
        values = drawn.pixels if isinstance(drawn, PictureBatch) else drawn.features
        out: dict[str, Any] = {"keys": self.keys(drawn.keys), "values": values}
        if self.spots:
            out["spots"] = self.spots.batch(rng)
        if self.tokenizer:
            captions, keys = list(drawn.captions), list(drawn.keys)
            if self.others and pictures:
                more = pictures.captions(rng, self.others, broad)
                captions, keys = captions + more[0], keys + more[1]
            out["input_ids"], out["attention_mask"] = tokenize(self.tokenizer, captions, self.longest)
            out["text_keys"] = self.keys(keys)
        return out


def tokenize(tokenizer: Tokenizer, texts: list[str], longest: int) -> tuple[Tensor, Tensor]:
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


def encode_with_spots(model: Pretraining, modality: str, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
    """Trunk tokens of the pairs, and how well places or moments of the scenes, if there are any, are known.

    Pictures go through the trunk together, so that the batch norms keep the statistics of both.
    """
    if "spots" not in batch:
        return model.model.encode(modality, media(modality, batch["values"])), {}
    values, spots = batch["values"], batch["spots"]
    if modality == "image":
        both = model.model.encode(modality, media(modality, torch.cat((values, spots["values"]))))
        tokens, seen = both[: len(values)], both[len(values) :]
        named = spotted(model.classifiers["places"](seen), spots["classes"], spots["weights"])
        coloured = spotted(model.classifiers["colours"](seen), spots["colours"], spots["weights"])
        return tokens, {"loss": named["loss"] + 0.5 * coloured["loss"], "places": named["accuracy"]}
    tokens = model.model.encode(modality, media(modality, values))
    heard = model.model.encode(modality, media(modality, spots["values"]))
    figures = spotted(model.classifiers["moments"](heard), spots["classes"], spots["weights"])
    return tokens, {"loss": figures["loss"], "moments": figures["accuracy"]}


@dataclass(frozen=True)
class Classify:
    """Phase 1: which of the packs' labels, and what is where or when in scenes, if there are any."""

    modality: str

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Cross entropy on the throw-away classifiers."""
        pre = cast("Pretraining", model)
        tokens, spots = encode_with_spots(pre, self.modality, batch)
        known = _labelled(pre, self.modality, tokens, batch)
        if not spots:
            return known
        return {**spots, **known, "loss": known["loss"] + spots["loss"], "spots": spots["loss"].detach()}


def _labelled(pre: Pretraining, modality: str, tokens: Tensor, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """How well the throw-away classifier knows the packs' labels."""
    pooled = F.gelu(pre.model.heads[modality](tokens))
    return classification(pre.classifiers[modality](pooled), batch["keys"])


@dataclass(frozen=True)
class Glance:
    """Phase 1 on pictures of half the side: a quarter of the cost (progressive learning: Tan and Le 2021, 4)."""

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Cross entropy on the throw-away classifier of labels."""
        pre = cast("Pretraining", model)
        tokens = glance(cast("PictureTrunk", pre.model.trunks["image"]), F.avg_pool2d(batch["values"].float(), 2))
        return _labelled(pre, "image", tokens, batch)


def glance(trunk: PictureTrunk, pixels: Tensor) -> Tensor:
    """A trunk's tokens of pictures of half its side, at the means of its positions.

    Shapes: (B, 3, S / 2, S / 2) → (B, P / 4, D).
    """
    found = trunk.stages(normalize(pixels).contiguous(memory_format=torch.channels_last))
    side = 2 * found.shape[-1]
    places = F.avg_pool2d(trunk.positions.T.unflatten(1, (side, side)), 2)
    tokens: Tensor = trunk.norm(trunk.project(found.flatten(2).transpose(1, 2)) + places.flatten(1).T)
    return tokens


def embed_captions(omni: Omni, batch: Mapping[str, Any]) -> Tensor:
    """Points of a batch's captions, to be learned from. Shape (n, shared D)."""
    # Over so few tokens plain products are quicker on a CPU than the fused kernel's way back.
    with sdpa_kernel(SDPBackend.MATH):
        return omni.embed_text(batch["input_ids"], batch["attention_mask"])


def _bind(omni: Omni, modality: str, points: Tensor, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """Contrastive loss between media, at unit `points` (n, shared D), and the batch's captions."""
    captions = embed_captions(omni, batch)
    keys = {modality: batch["keys"], "text": batch["text_keys"]}
    return contrastive({modality: points, "text": captions}, keys, [(modality, "text")], omni.logit_scale)


@dataclass(frozen=True)
class Align:
    """Phase 2: media of one kind with their captions; what is not paired here is never compared."""

    modality: str

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Contrastive loss between the medium and its captions, and phase 1's over scenes so that it stays."""
        pre = cast("Pretraining", model)
        omni = pre.model
        tokens, spots = encode_with_spots(pre, self.modality, batch)
        out = _bind(omni, self.modality, F.normalize(omni.heads[self.modality](tokens), dim=-1), batch)
        return {**spots, **out, "loss": out["loss"] + 0.5 * spots["loss"], "spots": spots["loss"].detach()}


@dataclass(frozen=True)
class AlignHeads:
    """Phase 2, second part: larger batches on trunks that stay: a step tells more apart at a third of the cost."""

    modality: str

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Contrastive loss between the medium and its captions."""
        omni = cast("Omni", model)
        return _bind(omni, self.modality, omni.embed_media(self.modality, media(self.modality, batch["values"])), batch)
