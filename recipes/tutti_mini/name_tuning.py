"""Phase 2, third part: what was aligned in batches learns on against all names at once, one side standing still.

`Tune` moves a trunk and its head towards the points of all names (locked-image tuning the other way round: Zhai et al.
2022, LiT, section 3): where names outnumber a batch by far, and few of them change, telling a picture from all of them
costs less than telling it from a batch's captions, which must be read anew at every step. `Bind` then moves the
projections and the text trunk together, on media that the trunks saw once: a step costs little but the captions.

Where media and captions are told apart only, they keep to regions of their own in the shared space (Liang et al. 2022,
section 2); so their angle counts, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from recipes.tutti_mini.alignment import BROAD, embed_captions, encode_with_spots, media, tokenize
from recipes.tutti_mini.build import SMALL, Pretraining
from recipes.tutti_mini.pairs import PicturePairs, SoundPairs, caption
from recipes.tutti_mini.token_labelling import MomentSource, PlaceSource
from tutti.models.omni.model import Head, Omni
from tutti.training.objectives import classification, contrastive

WAYS = 6
"""Captions of a name that `Tune` knows."""
SCALE = 50.0
"""Inverse temperature: names that differ in a word lie close together."""
SMOOTHING = 0.05
NEIGHBOURS = 16
_AT_ONCE = 512


class Names:
    """All that media of one kind are called, and how it is said.

    Groceries are called by their variety or, on the broad level, by their kind.
    """

    def __init__(self, pairs: PicturePairs | SoundPairs) -> None:
        self.pairs = pairs
        self._packs = {pack.name: pack for pack, share in zip(pairs.packs, pairs.shares, strict=True) if share > 0}
        levels = [pairs.keys, *([pairs.broad] if isinstance(pairs, PicturePairs) else [])]
        self._rows: list[dict[str, list[tuple[str, int]]]] = []
        for keys in levels:
            rows: dict[str, list[tuple[str, int]]] = {}
            for pack in self._packs:
                for index, key in enumerate(keys[pack]):
                    rows.setdefault(key, []).append((pack, index))
            self._rows.append(rows)
        self.levels = [{name: number for number, name in enumerate(sorted(rows))} for rows in self._rows]
        """For each level, name → number."""

    def level(self, rng: np.random.Generator) -> int:
        """Draw one: 1 is the broad one."""
        return int(len(self.levels) > 1 and rng.random() < BROAD)

    def say(self, name: str, level: int, rng: np.random.Generator) -> str:
        """One caption."""
        rows = self._rows[level][name]
        pack, index = rows[int(rng.integers(len(rows)))]
        return caption(pack, self._packs[pack].rows[index], rng, broad=level > 0)

    def ways(self, seed: int) -> list[str]:
        """`WAYS` captions of each name, level by level."""
        rng = np.random.default_rng((seed, WAYS))
        every = [(name, level) for level, names in enumerate(self.levels) for name in names]
        return [self.say(name, level, rng) for name, level in every for _ in range(WAYS)]

    def captions(self, rng: np.random.Generator, count: int, level: int) -> tuple[list[str], list[str]]:
        """Captions and their names, as often as pictures are drawn; none of sounds, whose names are few."""
        if not isinstance(self.pairs, PicturePairs):
            return [], []
        return self.pairs.captions(rng, count, broad=level > 0)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Tensor, list[str], int]:
        """Media with their names and the level of these."""
        level = self.level(rng)
        if isinstance(self.pairs, PicturePairs):
            seen = self.pairs.draw(rng, count, broad=level > 0)
            return seen.pixels, seen.keys, level
        heard = self.pairs.draw(rng, count)
        return heard.features, heard.keys, level


@dataclass(frozen=True, eq=False)
class NameSource:
    """Batches of media, each to be told by name from all names, and of scenes beside them."""

    names: Names
    count: int
    spots: PlaceSource | MomentSource | None = None

    def __repr__(self) -> str:
        scenes = f", {self.spots!r}" if self.spots else ""
        return f"{self.count} of {self.names.pairs!r} among all names{scenes}"

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one batch: values, keys (n,) and, of each name of the level, the place of a caption in `Names.ways`."""
        values, keys, level = self.names.draw(rng, self.count)
        numbers = self.names.levels[level]
        first = WAYS * sum(map(len, self.names.levels[:level]))
        ways = first + WAYS * np.arange(len(numbers)) + rng.integers(WAYS, size=len(numbers))
        keys_of = torch.tensor([numbers[key] for key in keys])
        out = {"values": values, "keys": keys_of, "ways": torch.from_numpy(ways)}
        return {**out, "spots": self.spots.batch(rng)} if self.spots else out


@dataclass(eq=False)
class Tune:
    """Media of one kind against the captions of all names, which the frozen text trunk reads once."""

    modality: str
    texts: list[str] = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    nearness: float = 0.0
    """Weight of the angle between a medium and its caption, besides the cross entropy."""
    _points: Tensor | None = field(default=None, repr=False)

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Cross entropy over the names by cosine, the angle to one's own, and phase 1's over scenes to keep it."""
        pre = cast("Pretraining", model)
        if self._points is None:
            self._points = read(pre.model, self.tokenizer, self.texts)
        tokens, spots = encode_with_spots(pre, self.modality, batch)
        points = F.normalize(pre.model.heads[self.modality](tokens), dim=-1)
        captions = self._points[batch["ways"]]
        known = classification(SCALE * (points.float() @ captions.T), batch["keys"], SMOOTHING)
        own = captions[batch["keys"]] - self._points.mean(0)
        near = F.cosine_similarity(points - points.mean(0).detach(), own).mean()
        known |= {"loss": known["loss"] + NEAR_NAMES * (1 - near), "cosine": near.detach()}
        if not spots:
            return known
        return {**spots, **known, "loss": known["loss"] + 0.5 * spots["loss"], "spots": spots["loss"].detach()}


@torch.no_grad()
def read(omni: Omni, tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    """Points of texts. Shape (n, shared D)."""
    device = omni.logit_scale.device
    parts = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
    pieces = [
        omni.embed_text(*(part.to(device) for part in tokenize(tokenizer, part, SMALL.words.max_tokens)))
        for part in parts
    ]
    return torch.cat(pieces).float()


@dataclass(frozen=True, eq=False)
class CaptionSource:
    """Batches of names, each said in one way.

    Of pictures, half are named as often as they are drawn, so that a photo's class counts for more than an emoji; the
    rest, and sounds, equally often, and neighbours in the alphabet together, which may differ in a word.
    """

    names: Names
    tokenizer: Tokenizer
    count: int

    def __repr__(self) -> str:
        return f"{self.count} captions of all that {self.names.pairs!r} are called"

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one batch."""
        level = self.names.level(rng)
        texts, names = self.names.captions(rng, self.count // 2, level)
        known = list(self.names.levels[level])
        starts = rng.integers(len(known), size=(self.count - len(names)) // NEIGHBOURS)
        more = [known[(start + step) % len(known)] for start in starts for step in range(NEIGHBOURS)]
        texts = [*texts, *(self.names.say(name, level, rng) for name in more)]
        ids, mask = tokenize(self.tokenizer, texts, SMALL.words.max_tokens)
        keys = torch.tensor([self.names.levels[level][name] for name in (*names, *more)])
        return {"input_ids": ids, "attention_mask": mask, "keys": keys, "level": level}


@dataclass(frozen=True, eq=False)
class Remembered:
    """Media as the frozen trunk and its pool see them, in the order of their names."""

    pooled: Tensor
    """(V, trunk width)."""
    owners: Tensor
    """(V,) int64: whose they are."""
    starts: Tensor
    """(names + 1,) int64: where each name's begin."""

    def one_of(self, keys: Tensor) -> Tensor:
        """Places of one medium of each name, drawn anew; -1 where it has none. Shape: keys (n,) → (n,)."""
        first, count = self.starts[keys], self.starts.diff()[keys]
        place = first + (torch.rand(len(keys), device=keys.device) * count).long().clamp_max(count - 1)
        return torch.where(count > 0, place, -1)

    @cached_property
    def means(self) -> Tensor:
        """Of each name. Shape (names, trunk width)."""
        counts = self.starts.diff()
        total = self.pooled.new_zeros(len(counts), self.pooled.shape[1]).index_add_(0, self.owners, self.pooled)
        return total / counts.clamp_min(1)[:, None]


@dataclass(eq=False)
class Bind:
    """Heads and the text trunk together, on media that the frozen trunk saw once."""

    modality: str
    names: Names = field(repr=False)
    views: int
    """Media that are remembered."""
    seed: int
    _seen: list[Remembered] | None = field(default=None, repr=False)

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Captions among the means of all names, media among the captions, by cosine; and how near the two are."""
        omni = cast("Omni", model)
        if self._seen is None:
            self._seen = self._look(omni)
        seen, project = self._seen[batch["level"]], cast("Head", omni.heads[self.modality]).project
        captions, keys = embed_captions(omni, batch).float(), batch["keys"]
        known = classification(SCALE * (captions @ F.normalize(project(seen.means), dim=-1).T), keys, SMOOTHING)
        own = seen.one_of(keys)
        drawn = torch.cat((own.clamp_min(0), torch.randint(len(seen.owners), (len(keys),), device=keys.device)))
        points = F.normalize(project(seen.pooled[drawn]), dim=-1)
        told = contrastive(
            {"media": points, "text": captions},
            {"media": seen.owners[drawn], "text": keys},
            [("media", "text")],
            LOG_SCALE,
        )
        near = F.cosine_similarity(points[: len(keys)], captions)[own >= 0].mean()
        loss = known["loss"] + told["loss"] + NEARNESS * (1 - near)
        return {"loss": loss, "accuracy": known["accuracy"], "cosine": near.detach(), "told": told["loss"].detach()}

    @torch.no_grad()
    def _look(self, omni: Omni) -> list[Remembered]:
        """What was seen, level by level."""
        rng = np.random.default_rng((self.seed, self.views))
        device = omni.logit_scale.device
        pooled: list[list[Tensor]] = [[] for _ in self.names.levels]
        owners: list[list[int]] = [[] for _ in self.names.levels]
        for _ in range(0, self.views, _AT_ONCE // 2):
            values, keys, level = self.names.draw(rng, _AT_ONCE // 2)
            tokens = omni.encode(self.modality, media(self.modality, values.to(device)))
            pooled[level].append(cast("Head", omni.heads[self.modality]).pool(tokens).float())
            owners[level] += [self.names.levels[level][key] for key in keys]
        out = []
        for names, parts, numbers in zip(self.names.levels, pooled, owners, strict=True):
            whose, order = torch.tensor(numbers).sort(stable=True)
            starts = F.pad(whose.bincount(minlength=len(names)).cumsum(0), (1, 0))
            out.append(Remembered(torch.cat(parts)[order.to(device)], whose.to(device), starts.to(device)))
        return out


NEARNESS = 4.0
"""Weight of the angle between a caption and what it is said of."""
NEAR_NAMES = 2.0
"""The same where only media move, each side from its middle, since the regions cannot meet."""
LOG_SCALE = torch.tensor(SCALE).log()
