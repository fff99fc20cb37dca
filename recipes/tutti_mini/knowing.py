"""What a head of pictures takes for familiar: centres, axes and covariances of the pictures that it is taught on.

Centres are the mean pictures of classes; of drawings, whose classes have one picture a style, the centres of clusters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from recipes.tutti_mini.features import Seen
from recipes.tutti_mini.space import SIGNS, Pooled, captioned, held_out, label_of
from tutti.models.omni.parts import FamiliarConfig, TrunkConfig
from tutti.models.omni.published import PublishedHead

AXES, CLUSTERS, ROUNDS = 256, 160, 8
ENOUGH = 5
"""Pictures that a class needs for a centre of its own."""
EVERY_AXES, EVERY_DRAWING, EVERY_USUAL = 9, 6, 3
"""Every so many rows are looked at: for the axes, of drawings, and for the usual point."""
USUAL = 0.3
"""Weight of the mean point, which is taken off."""
RARE, WIDTH = 0.02, 0.15
"""Share of known validation photographs below the gate, where half of what was added stays; and how soft it is."""


def _drawing(pack: Pooled) -> bool:
    return pack.name.startswith("emoji")


def centred(packs: Sequence[Seen]) -> list[str]:
    """Classes with a centre of their own."""
    photos = [pack for pack in packs if not pack.name.startswith("emoji")]
    counts = Counter(label_of(pack.name, row) for pack in photos for row in pack.rows if not held_out(pack.name, row))
    return sorted(name for name, count in counts.items() if count >= ENOUGH)


def config_of(trunk: TrunkConfig, classes: Sequence[str]) -> TrunkConfig:
    """A trunk whose head tells what is familiar."""
    return replace(trunk, familiar=FamiliarConfig(centres=len(classes) + CLUSTERS, axes=AXES))


@torch.no_grad()
def set_usual(head: PublishedHead, packs: Sequence[Pooled]) -> None:
    """Take the mean point of photographs off every point."""
    logits = [pack.logits[pack.train][::EVERY_USUAL] for pack in packs if not _drawing(pack) and pack.name not in SIGNS]
    head.usual.zero_()
    head.usual.copy_(USUAL * head.named(torch.cat(logits)).mean(0))


@torch.no_grad()
def familiarize(head: PublishedHead, packs: Sequence[Pooled], classes: Sequence[str]) -> None:
    """Measure what is familiar: centres and covariances by training pictures, the threshold by validation ones."""
    assert head.familiar is not None
    index = {name: number for number, name in enumerate(classes)}
    photos = [pack for pack in packs if not _drawing(pack)]
    shown = torch.cat([pack.seen[pack.train] for pack in photos])
    owner = torch.tensor([index.get(pack.labels[i], -1) for pack in photos for i in pack.train])
    drawn = torch.cat([pack.seen[pack.train][::EVERY_DRAWING] for pack in packs if _drawing(pack)] or [shown[:0]])
    both = F.layer_norm(torch.cat((shown, drawn)), shown.shape[-1:])
    mean = both.mean(0)
    axes = torch.linalg.svd((both - mean)[::EVERY_AXES], full_matrices=False)[2][:AXES].T
    x = (both - mean) @ axes
    x, drawn = x[: len(shown)], x[len(shown) :]
    known = owner >= 0
    centres = _means(x[known], owner[known], len(classes))
    clusters, which = _cluster(drawn) if len(drawn) else (x.new_zeros(CLUSTERS, AXES), owner[:0])
    rest = torch.cat((x[known] - centres[owner[known]], drawn - clusters[which]))
    within = _whiten(_covariance(rest), ridge=1e-3)
    overall = _whiten(_covariance(torch.cat((x, drawn))), ridge=0.0)
    part = head.familiar
    for name, whitened in (("within", axes @ within), ("overall", axes @ overall)):
        getattr(part, name).copy_(whitened.T)
        getattr(part, f"{name}_offset").copy_(-mean @ whitened)
    part.centres.copy_(torch.cat((centres, clusters)) @ within)
    part.gate.copy_(torch.tensor([float(torch.quantile(_judged(head, photos), RARE)), WIDTH]))


def _covariance(x: Tensor) -> Tensor:
    """Around the mean that was taken off before."""
    return x.T @ x / len(x)


def _judged(head: PublishedHead, packs: Sequence[Pooled]) -> Tensor:
    """How familiar validation photographs of what was taught are."""
    assert head.familiar is not None
    some = [
        pack.seen[[i for i, row in enumerate(pack.rows) if row["split"] != "train" and not captioned(pack.name, row)]]
        for pack in packs
        if pack.name not in SIGNS and len(pack.train)
    ]
    return head.familiar.measure(torch.cat(some))


def _means(x: Tensor, owner: Tensor, count: int) -> Tensor:
    counts = owner.bincount(minlength=count).clamp_min(1)[:, None]
    return torch.zeros(count, x.shape[1]).index_add_(0, owner, x) / counts


def _cluster(x: Tensor) -> tuple[Tensor, Tensor]:
    """k-means. Shapes: (n, D) → (clusters, D), (n,)."""
    picked = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:CLUSTERS]
    centres = x[picked].clone() if len(picked) == CLUSTERS else F.pad(x[picked], (0, 0, 0, CLUSTERS - len(picked)))
    for _ in range(ROUNDS):
        centres = _means(x, torch.cdist(x, centres).argmin(1), CLUSTERS)
    return centres, torch.cdist(x, centres).argmin(1)


def _whiten(covariance: Tensor, ridge: float) -> Tensor:
    """A factor L of the inverse, L Lᵀ. Shape (D, D)."""
    eye = torch.eye(len(covariance))
    covariance = covariance + max(ridge * float(covariance.diagonal().mean()), 1e-9) * eye
    return torch.linalg.cholesky(torch.linalg.inv(covariance))
