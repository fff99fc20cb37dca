"""Regressions that are caught at the number of cases that the power calculation names, and false alarms in reruns.

python benchmarks/evaluation_power.py [--reruns N] [--trials N]

A model is right on 70 % of yes-or-no cases. Its successor answers a share of them anew. In a rerun that share is as
likely right as before; in a regression the mean drops by 10 points. The number of cases comes from `cases_needed`, as
the report names it, at 80 % power and 5 % false alarms.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from machine import commit, processor, versions

from tutti.evaluate.statistics import cases_needed, clustered_deviation, sign_flip_p

RIGHT, DROP, ALPHA = 0.7, 0.1, 0.05


def changes(count: int, anew: float, drop: float, rng: np.random.Generator) -> list[float]:
    """Differences of scores, new less old, of cases of which a share is answered anew."""
    old = rng.random(count) < RIGHT
    again = rng.random(count) < anew
    chance = RIGHT - drop / anew if anew else RIGHT
    new = np.where(again, rng.random(count) < chance, old)
    return (new.astype(float) - old.astype(float)).tolist()


def alarms(count: int, anew: float, drop: float, trials: int, seed: int) -> int:
    """In how many trials the alarm is raised."""
    rng = np.random.default_rng(seed)
    names = [str(index) for index in range(count)]
    return sum(
        sign_flip_p(changes(count, anew, drop, rng), names, one_sided=True, seed=trial) < ALPHA
        for trial in range(trials)
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reruns", type=int, default=50)
    parser.add_argument("--trials", type=int, default=500)
    words = parser.parse_args()
    rows = []
    for anew in (0.2, 0.4, 1.0):
        many = changes(200_000, anew, DROP, np.random.default_rng(0))
        deviation = clustered_deviation(many, [str(index) for index in range(len(many))])
        needed = cases_needed(DROP, deviation, alpha=ALPHA, one_sided=True)
        assert needed is not None
        rows.append({
            "answered anew": anew,
            "cases named": needed,
            "caught": alarms(needed, anew, DROP, words.trials, 1) / words.trials,
            "false alarms in reruns": f"{alarms(needed, anew, 0.0, words.reruns, 2)} of {words.reruns}",
            "false alarms, many reruns": alarms(needed, anew, 0.0, 4 * words.trials, 3) / (4 * words.trials),
        })  # fmt: skip
    steady = alarms(200, 0.05, 0.0, words.reruns, 4)
    print(json.dumps({
        "10 points worse": rows,
        "a rerun that answers 5 % anew, 200 cases": f"{steady} of {words.reruns}",
        "a rerun that answers as before": f"{alarms(200, 0.0, 0.0, words.reruns, 5)} of {words.reruns}",
        "hardware": processor(), "versions": versions("numpy"), "commit": commit(),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
