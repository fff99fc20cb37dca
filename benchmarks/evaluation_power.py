"""Regressions that are caught at the number of cases that the power calculation names, and false alarms in reruns.

python benchmarks/evaluation_power.py [--trials N]

A model is right on 70 % of yes-or-no cases. Its successor answers a share of them anew. In a rerun that share is as
likely right as before; in a regression the mean drops by 10 points. The number of cases comes from `cases_needed`, as
the report names it, at 80 % power. The alarm is raised in one comparison at 5 %, or at the level of `tutti evaluate
--baseline`, which 50 reruns share. The last row has scores that are means over six prompts, two cases a medium.
"""

from __future__ import annotations

import argparse
import json
from functools import cache

import numpy as np
from machine import commit, processor, versions
from numpy.typing import NDArray

from tutti.evaluate.regression import RUNS
from tutti.evaluate.statistics import Spread, cases_needed, sign_flip_p, spread_of

RIGHT, DROP, ALPHA = 0.7, 0.1, 0.05


def rerun(old: NDArray[np.bool_], anew: float, drop: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What the successor is right on."""
    again = rng.random(old.shape) < anew
    return np.where(again, rng.random(old.shape) < RIGHT - (drop / anew if anew else 0), old)


@cache
def p_value(ups: int, downs: int) -> float:
    """Of so many cases that became right, and so many that became wrong."""
    changed = [1.0] * ups + [-1.0] * downs
    return sign_flip_p(changed, [str(index) for index in range(ups + downs)], one_sided=True) if changed else 1.0


def p_of(old: NDArray[np.bool_], new: NDArray[np.bool_]) -> float:
    return p_value(int((new & ~old).sum()), int((old & ~new).sum()))


def caught(count: int, anew: float, level: float, trials: int) -> float:
    """Share of regressions that raise the alarm."""
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(trials):
        old = rng.random(count) < RIGHT
        found += p_of(old, rerun(old, anew, DROP, rng)) < level
    return found / trials


def false_alarms(count: int, anew: float, level: float, trials: int) -> list[int]:
    """Alarms in each of many rows of 50 reruns that are held against one baseline."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(trials):
        old = rng.random(count) < RIGHT
        found.append(sum(p_of(old, rerun(old, anew, 0.0, rng)) < level for _ in range(RUNS)))
    return found


def clustered(media: int, drop: float, rng: np.random.Generator) -> list[float]:
    """Changes of means over six prompts, two cases on each medium, whose chances are alike."""
    chance = np.repeat(rng.beta(1.4, 0.6, media), 2)[:, None]
    moved = np.clip(chance - drop * 2 * rng.random(chance.shape), 0, 1)
    old, new = (np.mean(rng.random((2 * media, 6)) < one, axis=1) for one in (chance, moved))
    return (new - old).tolist()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    words = parser.parse_args()
    for level, name in ((ALPHA, "one comparison at 5 %"), (ALPHA / RUNS, f"5 % shared by {RUNS} reruns")):
        for anew in (0.2, 0.4, 1.0):
            rng = np.random.default_rng(0)
            old = rng.random(200_000) < RIGHT
            seen = rerun(old, anew, DROP, rng).astype(float) - old
            needed = named(spread_of(seen.tolist(), each(len(seen))), DROP, level)
            alarms = false_alarms(needed, anew, level, words.trials)
            row = {
                "alarm": name, "answered anew": anew, "cases named": needed,
                "caught": caught(needed, anew, level, words.trials),
                f"false alarms in the first {RUNS} reruns": alarms[0],
                f"false alarms in {RUNS} reruns, on average": round(sum(alarms) / len(alarms), 4),
                f"rows of {RUNS} reruns without any": sum(one == 0 for one in alarms) / len(alarms),
            }  # fmt: skip
            print(json.dumps(row))
        print(json.dumps({"alarm": name, "prompts": 6} | prompts(level, words.trials)))
    print(json.dumps({"hardware": processor(), "versions": versions("numpy"), "commit": commit()}))


def named(spread: Spread | None, drop: float, level: float) -> int:
    assert spread is not None
    needed = cases_needed(drop, spread, alpha=level, one_sided=True)
    assert needed is not None
    return needed


def each(count: int, cases: int = 1) -> list[str]:
    return [str(index // cases) for index in range(count)]


def prompts(level: float, trials: int) -> dict[str, float]:
    """The number named, and what is caught with it, where scores are graded and cases go by two."""
    rng = np.random.default_rng(3)
    many = clustered(50_000, DROP, rng)
    drop = -float(np.mean(many))
    needed = named(spread_of(many, each(len(many), 2)), drop, level)
    media = -(-needed // 2)
    found = [
        sign_flip_p(clustered(media, DROP, rng), each(2 * media, 2), one_sided=True, seed=trial) < level
        for trial in range(trials)
    ]
    return {"drop": round(drop, 4), "cases named": needed, "caught": sum(found) / trials}


if __name__ == "__main__":
    main()
