"""Pictures into the space: ConSE's point with a learned residual, on features that were extracted once.

The loss is cross-entropy of a picture among all names of its kind, with a term for photographs that keeps the
similarities to the 1,000 names as the published classifier has them, and the same term on features that were moved
towards a class at random, so that what no pack shows is kept as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recipes.tutti_mini.features import REAL, Seen
from recipes.tutti_mini.packs import HELD_OUT_STYLE
from recipes.tutti_mini.texts import Reader
from recipes.tutti_mini.voices import Row
from tutti.models.omni.published import PublishedHead

PHOTO_TEMPLATES = ("{}", "a photo of {}", "a picture of {}", "this is {}")
EMOJI_TEMPLATES = ("{}", "an emoji of {}", "a drawing of {}")
SHARES = {
    "photos_caltech101": 0.20, "photos_openimages": 0.15, "photos_flowers": 0.04, "photos_mixed": 0.09,
    "clothing": 0.07, "grocery": 0.10, "cifar10": 0.08, "hand_digits": 0.04, "cxr": 0.03,
    "emoji_noto": 0.16, "emoji_openmoji": 0.16, "emoji_fluent_flat": 0.16,
}  # fmt: skip
"""How often each pack is drawn from."""
SIGNS = ("hand_digits", "cxr")
"""Photographs of what ImageNet has no classes for: nothing is kept of what its classifier says of them."""
BROADER = ("grocery", "cxr")
"""Packs whose pictures are called something else, too (`broader`)."""
BATCH, MOVED = 512, 320
KEEP, KEEP_MOVED, AMONG_ALL = 2.0, 1.0, 0.5
"""Weights of the terms beside the cross-entropy."""
SOFTER = 0.7
"""Factor of the classifier's logarithms, so that its second thoughts count."""


def label_of(pack: str, row: Row) -> str:
    """What a row shows, in plain words."""
    label = str(row["label"]).lower().replace("-", " ").replace("_", " ")
    return {"hand_digits": f"hand showing {label}", "cxr": f"chest x ray {label}"}.get(pack, label)


def broader(pack: str, row: Row) -> str:
    """What else a row of some packs is called: groceries by their sort, x-rays in a sentence."""
    if pack == "grocery":
        return str(row["coarse"]).lower().replace("-", " ")
    return str(row["text"][1 if row["label"] == "no finding" else 0])


def captioned(pack: str, row: Row) -> bool:
    """Whether people wrote captions for it: these are never trained on."""
    return pack == "photos_mixed" and not row.get("made")


def held_out(pack: str, row: Row) -> bool:
    """Whether it is never trained on."""
    return bool(row["split"] != "train" or pack == HELD_OUT_STYLE or captioned(pack, row))


@dataclass(frozen=True, eq=False)
class Names:
    """Names with their points in the space."""

    names: list[str]
    points: Tensor
    index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {name: number for number, name in enumerate(self.names)})


@dataclass(frozen=True, eq=False)
class Pooled:
    """A pack's pooled features, and what each picture shows."""

    name: str
    rows: Sequence[Row]
    labels: list[str]
    own: Tensor
    seen: Tensor
    logits: Tensor
    train: NDArray[np.int64]
    chance: NDArray[np.float64]


@torch.no_grad()
def pool_own(seen: Seen, head: PublishedHead) -> Tensor:
    """The small trunk's grids, pooled by a head that stands still. Shape (n, D)."""
    starts = range(0, len(seen.rows), 512)
    return torch.cat(
        [head.pool(torch.from_numpy(seen.own[start : start + 512].astype(np.float32))) for start in starts]
    )


def pool(
    seen: Seen,
    head: PublishedHead,
    fc: nn.Linear,
    fold: int | None = None,
    leave_out: bool = False,
    own: Tensor | None = None,
) -> Pooled:
    """Pool a pack's features; `fold` leaves to training every second row only, `leave_out` none."""
    own = pool_own(seen, head) if own is None else own
    with torch.no_grad():
        means = torch.from_numpy(np.asarray(seen.pooled).astype(np.float32))
        logits = fc(means)
    labels = [label_of(seen.name, row) for row in seen.rows]
    train = np.array([i for i, row in enumerate(seen.rows) if not held_out(seen.name, row)], np.int64)
    train = train[:0] if leave_out else train if fold is None else train[train % 2 == fold]
    counts = Counter(labels[i] for i in train)
    chance = np.array([counts[labels[i]] ** -0.5 for i in train])
    return Pooled(seen.name, seen.rows, labels, own, means, logits, train, chance / max(chance.sum(), 1e-9))


def join(pack: Pooled, views: Sequence[Pooled]) -> Pooled:
    """A pack with the training pictures of its other views beside its own."""
    rows, labels, train = list(pack.rows), list(pack.labels), [pack.train]
    for view in views:
        train.append(np.arange(len(rows), len(rows) + len(view.train)))
        rows += [view.rows[i] for i in view.train]
        labels += [view.labels[i] for i in view.train]
    own, seen, logits = (
        torch.cat([getattr(pack, part), *(getattr(view, part)[view.train] for view in views)])
        for part in ("own", "seen", "logits")
    )
    chance = np.concatenate([pack.chance, *(view.chance for view in views)])
    return Pooled(pack.name, rows, labels, own, seen, logits, np.concatenate(train), chance / max(chance.sum(), 1e-9))


def points_of(head: PublishedHead, pack: Pooled, which: Sequence[int] | NDArray[np.int64] | None = None) -> Tensor:
    """Unit points of a pack's pictures. Shape (n, shared D)."""
    some = np.arange(len(pack.rows)) if which is None else np.asarray(which)
    with torch.no_grad():
        parts = [
            head.point(pack.own[part], pack.seen[part], pack.logits[part])
            for part in np.array_split(some, max(1, len(some) // 2048))
        ]
    return F.normalize(torch.cat(parts), dim=-1)


def name_sets(packs: Sequence[Pooled], reader: Reader, imagenet: Sequence[str]) -> dict[str, Names]:
    """Names of photographs, of drawings, of ImageNet, and of photographs and ImageNet together."""
    photos = sorted({label for pack in packs if not pack.name.startswith("emoji") for label in pack.labels})
    drawings = sorted({label for pack in packs if pack.name.startswith("emoji") for label in pack.labels})
    found = {
        "photos": Names(photos, reader.names(photos, PHOTO_TEMPLATES)),
        "drawings": Names(drawings, reader.names(drawings, EMOJI_TEMPLATES)),
        "imagenet": Names(list(imagenet), reader.names(imagenet, PHOTO_TEMPLATES)),
    }
    for pack in packs:
        if pack.name in SIGNS:
            said: dict[str, set[str]] = {}
            for row, label in zip(pack.rows, pack.labels, strict=True):
                said.setdefault(label, set()).update(map(str, row["text"]))
            for label, texts in said.items():
                found["photos"].points[found["photos"].index[label]] = F.normalize(reader(sorted(texts)).sum(0), dim=-1)
    for pack in packs:
        if pack.name in BROADER:
            also = sorted({broader(pack.name, row) for row in pack.rows})
            found[pack.name] = Names(also, reader.names(also, ("{}",) if pack.name in SIGNS else PHOTO_TEMPLATES))
    both = sorted({*photos, *imagenet})
    points = [
        found["photos"].points[found["photos"].index[name]]
        if name in found["photos"].index
        else found["imagenet"].points[list(imagenet).index(name)]
        for name in both
    ]
    return {**found, "all": Names(both, torch.stack(points))}


def align(
    head: PublishedHead, packs: Sequence[Pooled], names: Mapping[str, Names], fc: nn.Linear, steps: int, seed: int = 0
) -> float:
    """Teach a head's residual; the inverse temperature that was learned beside it."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    learned = [p for part in (head.norm, head.published_norm, head.up, head.down) for p in part.parameters()]
    log_scale = nn.Parameter(torch.tensor(30.0).log())
    groups = [{"params": learned, "weight_decay": 0.02}, {"params": [log_scale], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, 1e-3)
    used = [pack for pack in packs if pack.name in SHARES and len(pack.train)]
    shares = np.array([SHARES[pack.name] for pack in used])
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1.0, (step + 1) / 30) * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-6
        drawn = [
            (pack, rng.choice(pack.train, count, p=pack.chance))
            for pack, count in zip(used, rng.multinomial(BATCH, shares / shares.sum()), strict=True)
            if count
        ]
        loss = _loss(head, drawn, names, fc, log_scale.exp().clamp(max=100))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(log_scale.detach().exp())


def _loss(
    head: PublishedHead,
    drawn: Sequence[tuple[Pooled, NDArray[np.int64]]],
    names: Mapping[str, Names],
    fc: nn.Linear,
    scale: Tensor,
) -> Tensor:
    own, seen, logits = (
        torch.cat([getattr(pack, part)[some] for pack, some in drawn]) for part in ("own", "seen", "logits")
    )
    points = F.normalize(head.point(own, seen, logits), dim=-1)
    owners = [(pack.name, pack.labels[index]) for pack, some in drawn for index in some]
    drawing = torch.tensor([pack.startswith("emoji") for pack, _ in owners])
    photo = torch.tensor([pack in REAL or pack in ("clothing", "grocery", "cifar10") for pack, _ in owners])
    loss = points.new_zeros(())
    for part, kind in ((~drawing, "photos"), (drawing, "drawings")):
        if part.any():
            wanted = torch.tensor(
                [names[kind].index[label] for (_, label), here in zip(owners, part, strict=True) if here]
            )
            told = F.cross_entropy(scale * points[part] @ names[kind].points.T, wanted, label_smoothing=0.05)
            loss = loss + told * part.float().mean()
    start = 0
    for pack, some in drawn:
        if also := names.get(pack.name):
            wanted = torch.tensor([also.index[broader(pack.name, pack.rows[index])] for index in some])
            told = scale * points[start : start + len(some)] @ also.points.T
            loss = loss + F.cross_entropy(told, wanted, label_smoothing=0.05) * (len(some) / len(points))
        start += len(some)
    everything = names["all"]
    known = torch.tensor([everything.index.get(label, -1) for _, label in owners])
    here = known >= 0
    loss = loss + AMONG_ALL * F.cross_entropy(
        scale * points[here] @ everything.points.T, known[here], label_smoothing=0.05
    )
    loss = loss + KEEP * photo.float().mean() * _kept(points[photo], logits[photo], names["imagenet"].points, scale)
    moved = _moved(seen, fc)
    others = own[torch.randint(len(own), (len(moved),))]
    said = fc(moved)
    there = F.normalize(head.point(others, moved, said), dim=-1)
    return loss + KEEP_MOVED * _kept(there, said, names["imagenet"].points, scale)


def _kept(points: Tensor, logits: Tensor, classes: Tensor, scale: Tensor) -> Tensor:
    """How far similarities to the classes' names are from what the classifier says."""
    wanted = (SOFTER * logits.log_softmax(-1)).softmax(-1)
    return F.kl_div((scale * points @ classes.T).log_softmax(-1), wanted, reduction="batchmean")


def _moved(seen: Tensor, fc: nn.Linear) -> Tensor:
    """Pooled features, moved until the classifier is about to say a class drawn at random."""
    base = seen[torch.randint(len(seen), (MOVED,))]
    which = torch.randint(fc.out_features, (MOVED,))
    logits, towards = fc(base), fc.weight[which]
    gap = logits.amax(1) - logits.gather(1, which[:, None])[:, 0] + torch.rand(MOVED) * 7 - 1
    return (base + towards * (gap / towards.pow(2).sum(1))[:, None]).clamp(0, 6).detach()


def check(packs: Sequence[Pooled], head: PublishedHead, names: Names) -> dict[str, float]:
    """Validation pictures named among all names of photographs: pack → share."""
    out = {}
    for pack in packs:
        some = [i for i, row in enumerate(pack.rows) if row["split"] != "train" and not captioned(pack.name, row)]
        if some and not pack.name.startswith("emoji"):
            nearest = (points_of(head, pack, some) @ names.points.T).argmax(1).tolist()
            out[pack.name] = float(
                np.mean([names.names[n] == pack.labels[i] for n, i in zip(nearest, some, strict=True)])
            )
    return out


def save(path: Path, head: PublishedHead, scale: float) -> None:
    """Keep what was learned."""
    torch.save({"head": head.state_dict(), "scale": scale}, path)
