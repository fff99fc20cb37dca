"""The names that the decoder is given with a picture, and what it is given with pictures of the training set.

A head that saw a picture in training names it better than any picture it will meet. So every second row is judged by a
head that was taught on the others, and the decoder learns to read names that are as often wrong as they will be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.tutti_mini.features import Seen
from recipes.tutti_mini.objects import emoji_names
from recipes.tutti_mini.photos import COMMON, UNLIKE, Photo
from recipes.tutti_mini.space import PHOTO_TEMPLATES, Names, Pooled, captioned, held_out, points_of
from recipes.tutti_mini.texts import Reader
from recipes.tutti_mini.voices import Row
from tutti.models.omni.published import PublishedHead

SHARES = {
    "photos_caltech101": 0.30, "photos_openimages": 0.28, "photos_flowers": 0.06, "photos_mixed": 0.12,
    "clothing": 0.08, "grocery": 0.10, "cifar10": 0.06,
}  # fmt: skip
"""How often each pack is asked about."""
NEAR = 9
EXCHANGED = 0.25
"""How often a picture is given, and called, by another name."""
UNKNOWN, SAME = 0.1, 0.72
"""How often a picture's own name is withheld, and names nearer to it than this with it."""


def bank(names: Mapping[str, Names], reader: Reader) -> Names:
    """ImageNet's names, those of photographs, and the plain ones of emoji."""
    everything = names["all"]
    more = sorted(set(emoji_names().values()) - set(everything.names))
    points = torch.cat((everything.points, reader.names(more, PHOTO_TEMPLATES)))
    all_names = [*everything.names, *more]
    kept = [i for i, name in enumerate(all_names) if not name.startswith(("hand showing", "chest x ray"))]
    kept.sort(key=lambda index: all_names[index])
    return Names([all_names[index] for index in kept], points[kept])


def token_ids(names: Sequence[str], tokenizer: Any, longest: int) -> Tensor:
    """Names as tokens, cut and filled. Shape (names, longest) int32."""
    ids = torch.zeros(len(names), longest, dtype=torch.int32)
    for index, encoding in enumerate(tokenizer.encode_batch(list(names))):
        row = encoding.ids[:longest]
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.int32)
    return ids


@dataclass(frozen=True, eq=False)
class Shown:
    """A pack of photographs as the decoder is shown them."""

    seen: Seen
    labels: list[str]
    points: Tensor
    """(n, shared D), each by a head that did not learn from it."""
    train: NDArray[np.int64]
    check: NDArray[np.int64]
    chance: NDArray[np.float64]


def show(seen: Seen, pooled: Pooled, heads: Sequence[PublishedHead], whole: PublishedHead, known: Names) -> Shown:
    """Judge a pack's rows: those to train on by the head that was taught on the others, the rest by the whole."""
    number = torch.arange(len(pooled.rows))
    points = torch.where((number % 2 == 0)[:, None], points_of(heads[1], pooled), points_of(heads[0], pooled))
    kept = torch.tensor([held_out(pooled.name, row) for row in pooled.rows])
    points[kept] = points_of(whole, pooled)[kept]
    train = np.array([i for i in pooled.train if pooled.labels[i] in known.index], np.int64)
    rest = [i for i, row in enumerate(pooled.rows) if row["split"] != "train" and not captioned(pooled.name, row)]
    check = np.array([i for i in rest if pooled.labels[i] in known.index], np.int64)
    counts = Counter(pooled.labels[i] for i in train)
    chance = np.array([counts[pooled.labels[i]] ** -0.5 for i in train])
    return Shown(seen, pooled.labels, points, train, check, chance / chance.sum())


class Asked:
    """What is asked about a photograph, and which names the decoder is given."""

    def __init__(self, known: Names, pool: Sequence[str], scale: float) -> None:
        self.known, self.pool, self.scale = known, list(pool), scale
        self.alike = (known.points @ known.points.T).numpy()

    def photo(
        self, row: Row, label: str, point: Tensor, rng: np.random.Generator, may_hide: bool
    ) -> tuple[Photo, list[str], NDArray[np.bool_]]:
        """A photograph, names that are wrong for it with the likelier first, and names that are withheld."""
        own = self.known.index[label]
        near = (self.known.points @ point).topk(NEAR)[1].tolist()
        hidden = np.zeros(len(self.known.names), bool)
        if hide := may_hide and rng.random() < UNKNOWN:
            hidden = self.alike[own] > SAME
        objects = tuple(dict.fromkeys(map(str, row.get("objects") or (label,))))
        objects = objects if label in objects else (label,)
        kind = str(row.get("kind") or "")
        right = {*objects, kind}
        names = [self.known.names[index] for index in near if not hidden[index]]
        likelier = [
            self.known.names[index]
            for index in near
            if self.alike[own, index] < UNLIKE and not _within(label, self.known.names[index])
        ]
        drawn = [self.pool[index] for index in rng.integers(len(self.pool), size=14)]
        others = [name for name in (*drawn, *COMMON) if not self._like(own, name) and not _within(label, name)]
        wrong = [name for name in (*likelier[:6], *others) if name not in right and name not in kind.split()]
        near_names = tuple(names[:1] if hide else names)
        return Photo(label=label, kind=kind, objects=objects, near=near_names, known=not hide), wrong, hidden

    def exchanged(self, label: str, point: Tensor, rng: np.random.Generator) -> tuple[str, Tensor]:
        """Another name, and the point reflected so that it lies to that name as it lay to its own.

        A decoder that is told of names beside pictures of something else learns to read the names, and not to say the
        few that it was taught on. A point whose own name is not the nearest is left as it is.
        """
        own, other = self.known.index[label], int(rng.integers(len(self.known.names)))
        if int((self.known.points @ point).argmax()) != own:
            return label, point
        axis = self.known.points[own] - self.known.points[other]
        return self.known.names[other], point - 2 * axis * (axis @ point) / (axis @ axis).clamp_min(1e-9)

    def _like(self, own: int, name: str) -> bool:
        other = self.known.index.get(name)
        return other is not None and bool(self.alike[own, other] >= UNLIKE)

    def nearest(self, points: Tensor, hidden: Tensor, shown: int) -> tuple[Tensor, Tensor]:
        """Names that are given, and their shares. Shapes (B, shown)."""
        scores = (self.scale * points @ self.known.points.T).masked_fill(hidden, -1e4)
        share, which = scores.softmax(-1).topk(shown, dim=-1)
        return which, share


def _within(one: str, two: str) -> bool:
    """Whether one name is a part of the other: "dog" of "hot dog" is left out, too, to be safe."""
    return one in two or two in one
