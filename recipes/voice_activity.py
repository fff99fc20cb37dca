"""The weights of `tutti.processing.voice_activity`, and how well they tell voices from other sounds.

python -m recipes.voice_activity --data DIR --cache DIR [--blocks N]

Blocks of two seconds from packs of recordings: speech, speech in noise, noises and instruments. Fitted on the beginning
of some packs; judged on what comes later in them, and on packs that were not fitted on. Packs are decoded once and kept
in the cache, as for `recipes.tutti_mini`.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.tutti_mini.packs import load_sounds
from tutti.processing.voice_activity import BLOCK_S, FEATURES, RATE_HZ, features

SPEECH = ("speech_intents", "speech_words_pd", "speech_digits")
NOISE = ("sound_ambient", "sound_instruments", "sound_esc10")
OTHERS = ("speech_keywords", "sound_instruments_cc0")
"""Not fitted on."""
TRAINED_DB, JUDGED_DB = (0, 5, 10, 20), (0, 5, 10)
RIDGE = 5.0
SHOWN = (0.05, 0.1, 0.2, 0.5)
Blocks = list[NDArray[np.float32]]


def blocks(data: Path, cache: Path, pack: str, count: int, part: int) -> Blocks:
    """So many blocks of a pack, the parts one behind the other; those that are silent are left out."""
    if not (cache / f"{pack}.npz").exists():
        load_sounds(data, cache, pack)
    size = round(BLOCK_S * RATE_HZ)
    with zipfile.ZipFile(cache / f"{pack}.npz") as stored, stored.open("samples.npy") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        file.seek(file.tell() + part * count * size * 2)
        samples = np.frombuffer(file.read(count * size * 2), np.float16).astype(np.float32)
    pieces = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    return [piece for piece in pieces if np.abs(piece).max() > 1e-3]


def mixed(speech: Blocks, noise: Blocks, levels_db: tuple[int, ...], rng: np.random.Generator) -> Blocks:
    """Speech in noise, so many decibels above it."""
    out = []
    for number, block in enumerate(speech):
        other = noise[int(rng.integers(len(noise)))]
        gain = np.sqrt(np.square(block).mean() / (np.square(other).mean() + 1e-12))
        level_db = levels_db[number % len(levels_db)]
        out.append(np.clip(block + other * gain * 10 ** (-level_db / 20), -1, 1).astype(np.float32))
    return out


def columns(
    values: NDArray[np.float32], means: NDArray[np.float64], spreads: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What the regression weighs: features, their squares, and one."""
    scaled = (values - means) / spreads
    return np.concatenate([scaled, np.square(scaled), np.ones((len(scaled), 1))], axis=1)


def fitted(inputs: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of a logistic regression in which both kinds count as much, by Newton's method."""
    weights = np.zeros(inputs.shape[1])
    counts = np.where(there > 0, 1 / there.mean(), 1 / (1 - there.mean()))
    for _ in range(40):
        odds = probability(inputs, weights)
        slope = inputs.T @ (counts * (there - odds)) - RIDGE * weights
        curve = (inputs * (counts * odds * (1 - odds))[:, None]).T @ inputs + RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(curve, slope)
    return weights


def probability(inputs: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a voice."""
    return 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))


def main() -> None:
    """Fit, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded packs")
    parser.add_argument("--blocks", type=int, default=150, help="of each pack")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    first, later = (
        {name: blocks(arguments.data, arguments.cache, name, arguments.blocks, part) for name in (*SPEECH, *NOISE)}
        for part in (0, 1)
    )
    others = {name: blocks(arguments.data, arguments.cache, name, arguments.blocks, 0) for name in OTHERS}
    noise = [block for name in NOISE[:2] for block in first[name]]
    in_noise = mixed([block for name in SPEECH[:2] for block in first[name][:80]], noise, TRAINED_DB, rng)
    known = {**first, "speech in noise": in_noise}
    values = {name: np.stack([features(block) for block in some]) for name, some in known.items()}
    every = np.concatenate(list(values.values()))
    means, spreads = every.mean(0, dtype=np.float64), every.std(0, dtype=np.float64)
    there = np.concatenate([np.full(len(some), float(name not in NOISE)) for name, some in values.items()])
    weights = fitted(columns(every, means, spreads), there)
    judged = {**later, **others}
    for level_db in JUDGED_DB:
        unseen = [*later["sound_esc10"], *others["sound_instruments_cc0"]]
        judged[f"keywords {level_db} dB above noise"] = mixed(others["speech_keywords"], unseen, (level_db,), rng)
    for name, some in judged.items():
        odds = probability(columns(np.stack([features(block) for block in some]), means, spreads), weights)
        print(f"{name:28}", *(f"{100 * float((odds > least).mean()):6.1f} % above {least}" for least in SHOWN))
    size = len(FEATURES)
    rows = {"_MEANS": means, "_SPREADS": spreads, "_WEIGHTS": weights[:size], "_SQUARES": weights[size : 2 * size]}
    for name, row in rows.items():
        print(name, "=", [round(float(value), 3) for value in row])
    print("_BIAS =", round(float(weights[-1]), 3))


if __name__ == "__main__":
    main()
