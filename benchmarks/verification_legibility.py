"""Fit the weights of `tutti.trust.legibility` on rendered lines that a reader did, or did not, read right.

python benchmarks/verification_legibility.py [--pictures 63] [--seed 1]

Words and fonts are those of development. Logistic regression with a ridge of 1 on standardized features (Hoerl 1970).
"""

from __future__ import annotations

import argparse

import numpy as np
from verification_scenes import degradation, scene

from tutti.content import Image
from tutti.trust.legibility import legibility, luminance
from tutti.trust.reading import RapidReader
from tutti.trust.verification.matching import key_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=63)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng, reader = np.random.default_rng(given.seed), RapidReader()
    features, right, zones = [], [], []
    for number in range(given.pictures):
        zone = ("legible", "illegible", "between")[number % 3]
        made = scene(rng, "dev", degradation(rng, zone))
        grey, read = luminance(made.pixels), [key_of(line.text) for line in reader.examine(Image(made.pixels))]
        for line, box in zip(made.lines, made.boxes, strict=True):
            features.append(legibility(grey, box).features())
            right.append(float(key_of(line) in read))
            zones.append(zone)
    weights = fit(np.array(features), np.array(right))
    print("weights:", ", ".join(f"{weight:.3f}" for weight in weights))
    legible = np.array(features) @ weights > 0
    for zone in dict.fromkeys(zones):
        there = np.array([one == zone for one in zones])
        agrees = (legible == (np.array(right) > 0.5))[there].mean()
        print(f"{zone}: read right {np.array(right)[there].mean():.1%}, score agrees {agrees:.1%}, n {there.sum()}")


def fit(features: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weights by Newton's method; the first feature is 1 everywhere and has no ridge."""
    mean, spread = features[:, 1:].mean(0), features[:, 1:].std(0)
    table = np.column_stack([np.ones(len(features)), (features[:, 1:] - mean) / spread])
    ridge = np.array([1e-6, *[1.0] * (table.shape[1] - 1)])
    weights = np.zeros(table.shape[1])
    for _ in range(50):
        sure = 1 / (1 + np.exp(-table @ weights))
        slope = table.T @ (sure - right) + ridge * weights
        weights -= np.linalg.solve((table.T * (sure * (1 - sure))) @ table + np.diag(ridge), slope)
    scaled = weights[1:] / spread
    return np.array([weights[0] - scaled @ mean, *scaled])


if __name__ == "__main__":
    main()
