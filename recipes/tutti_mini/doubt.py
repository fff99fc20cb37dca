"""How well "none of these" is told: the constants of `tutti.providers.doubting`, and their AUROC on other packs.

python -m recipes.tutti_mini.doubt --data DIR [--model FOLDER] [--each N]

Validation pictures among two to eight labels of their pack or of all, half of them without their own name (or one much
like it). Slope and offset are fitted on `FITTED`, and judged on `JUDGED`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tutti
from recipes.tutti_mini.measure_photos import see
from recipes.tutti_mini.packs import open_picture
from recipes.tutti_mini.pairs import article
from recipes.tutti_mini.photos import plain_label
from recipes.tutti_mini.space import captioned
from tutti.providers.doubting import LIKE, doubt
from tutti.training.packs import PackReader

FITTED = ("photos_caltech101", "photos_mixed", "clothing")
JUDGED = ("photos_openimages", "photos_flowers", "grocery")


def pack(model: tutti.Model, data: Path, name: str, each: int, rng: np.random.Generator) -> tuple[Any, list[str]]:
    """Points and labels of validation pictures."""
    reader = PackReader(data / name)
    rows = [row for row in reader.rows if row["split"] != "train" and not captioned(name, row)]
    rows = [rows[index] for index in rng.permutation(len(rows))[:each]]
    pictures = [np.asarray(open_picture(reader, row)) for row in rows]
    return see(model, pictures), [plain_label(row) for row in rows]


def labels_for(own: str, pool: Sequence[str], points: dict[str, NDArray[Any]], rng: np.random.Generator) -> list[str]:
    """Two to eight names that are not much like a picture's own."""
    count = int(rng.integers(2, 9))
    drawn = dict.fromkeys(pool[index] for index in rng.integers(len(pool), size=3 * count))
    return [name for name in drawn if name != own and float(points[name] @ points[own]) < LIKE][:count]


def auroc(known: NDArray[Any], other: NDArray[Any]) -> float:
    """How often a known one is above another."""
    return float((known[:, None] > other[None]).mean())


def fit(nearer: NDArray[Any], there: NDArray[Any]) -> tuple[float, float]:
    """Slope and offset of a logistic regression, by Newton's method."""
    inputs, weights = np.stack((nearer, np.ones_like(nearer)), 1), np.zeros(2)
    for _ in range(30):
        odds = 1 / (1 + np.exp(-inputs @ weights))
        step = inputs.T @ (there - odds)
        curve = (inputs * (odds * (1 - odds))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        weights += np.linalg.solve(curve, step)
    return float(weights[0]), float(weights[1])


def main() -> None:
    """Fit, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--each", type=int, default=200, help="pictures a pack")
    arguments = parser.parse_args()
    model, rng = tutti.load(arguments.model, reader=False), np.random.default_rng(0)
    provider: Any = model.embedder()
    seen = {name: pack(model, arguments.data, name, arguments.each, rng) for name in (*FITTED, *JUDGED)}
    every = sorted({label for _, labels in seen.values() for label in labels})
    points = dict(zip(every, model.embed([article(name) for name in every]), strict=True))
    bank, sharpness = provider.model.names.points.float().numpy(), provider.sharpness("image")
    found: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    for name, (pictures, own_labels) in seen.items():
        nearer, there = [], []
        for point, own in zip(pictures, own_labels, strict=True):
            labels = labels_for(own, sorted(set(own_labels)) if rng.random() < 0.5 else every, points, rng)
            there.append(bool(rng.random() < 0.5))
            texts = np.stack([points[label] for label in ([*labels[:-1], own] if there[-1] else labels)])
            (none,) = doubt(point[None], texts, bank, sharpness)
            nearer.append(np.log((1 - none) / none))
        found[name] = np.array(nearer), np.array(there)
    some = [np.concatenate(parts) for parts in zip(*(found[name] for name in FITTED), strict=True)]
    slope, offset = fit(some[0], some[1])
    shares = {name: auroc(odds[there], odds[~there]) for name, (odds, there) in found.items()}
    together = [np.concatenate(parts) for parts in zip(*(found[name] for name in JUDGED), strict=True)]
    right = float(((together[0] > 0) == together[1]).mean())
    judged = {"auroc": auroc(together[0][together[1]], together[0][~together[1]]), "right": right}
    print(
        json.dumps(
            {"slope, times the one in use": slope, "offset, beside it": offset, **judged, "by pack": shares}, indent=1
        )
    )


if __name__ == "__main__":
    main()
