"""Counterfactual pairs: pictures that differ in gender or tone alone, and how often that changes what a model says.

Pairs are rows of one label whose groups differ in one attribute; the emoji packs hold them complete (profession x
gender x tone). Source: Garg et al. 2019, "Counterfactual Fairness in Text Classification", section 3.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from tutti.evaluate.statistics import share_interval, sign_flip_p
from tutti.trust.fairness.table import AuditRow
from tutti.trust.fairness.tasks import GivenLabels

_MOST_PAIRS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterfactualChange:
    """How often the answer changes when one attribute does."""

    attribute: str
    pairs: int
    changed: float
    """Share of pairs with different labels."""
    low: float
    """Of its interval, in clusters of a label."""
    high: float
    favoured: str
    """The group whose pictures are right more often within the pairs that differ."""
    favour: float
    """Share of the pairs in which exactly one is right, that are right for this group."""
    p_value: float
    """Two-sided, that neither of the favoured group and the others is right more often (sign test over labels)."""


def pairs_of(rows: Sequence[AuditRow], attribute: str) -> Iterator[tuple[int, int]]:
    """Places of rows with the same label and other attributes, and another group of this one."""
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        rest = tuple(sorted((name, group) for name, group in row.groups.items() if name != attribute))
        alike[row.label, rest].append(place)
    for places in alike.values():
        for one, other in combinations(places, 2):
            if rows[one].groups[attribute] != rows[other].groups[attribute]:
                yield one, other


def change_of(
    rows: Sequence[AuditRow], judged: GivenLabels, attribute: str, *, seed: int = 0
) -> CounterfactualChange | None:
    """How often labels change over the pairs of an attribute; None where there are no pairs."""
    pairs = list(pairs_of(rows, attribute))
    if not pairs:
        return None
    if len(pairs) > _MOST_PAIRS:
        picked = np.random.default_rng(seed).permutation(len(pairs))[:_MOST_PAIRS]
        pairs = [pairs[place] for place in picked]
    changed = [judged.said[one] != judged.said[other] for one, other in pairs]
    interval = share_interval(list(map(float, changed)), [rows[one].label for one, _ in pairs])
    favoured, favour, p_value = _favoured(rows, judged, pairs, attribute, seed)
    return CounterfactualChange(
        attribute=attribute, pairs=len(pairs), changed=interval.mean, low=interval.low, high=interval.high,
        favoured=favoured, favour=favour, p_value=p_value,
    )  # fmt: skip


def _favoured(
    rows: Sequence[AuditRow], judged: GivenLabels, pairs: Sequence[tuple[int, int]], attribute: str, seed: int
) -> tuple[str, float, float]:
    """The group that is right where its counterpart is wrong, most often; p by flipping signs of whole labels."""
    wins: dict[str, list[float]] = defaultdict(list)
    labels: dict[str, list[str]] = defaultdict(list)
    for one, other in pairs:
        right = [judged.said[place] == rows[place].label for place in (one, other)]
        if right[0] != right[1]:
            for place, won in ((one, right[0]), (other, right[1])):
                group = rows[place].groups[attribute]
                wins[group].append(1.0 if won else -1.0)
                labels[group].append(rows[place].label)
    if not wins:
        return "none", 0.5, 1.0
    best = max(wins, key=lambda group: sum(wins[group]) / len(wins[group]))
    p_value = min(1.0, sign_flip_p(wins[best], labels[best], seed=seed) * len(wins))
    return best, sum(value > 0 for value in wins[best]) / len(wins[best]), p_value


def prompts_for(rows: Sequence[AuditRow], question: str, folder: str | Path) -> Path:
    """Write a suite of the same pictures and question, to ask hosted models with `tutti evaluate`.

    Args:
        rows: Of the audit.
        question: What each model is asked.
        folder: Is made; gets the pictures, and suite.jsonl with a case a row and its groups as tags.

    Returns:
        The path of the suite.

    Raises:
        OSError: The folder cannot be written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, row in enumerate(rows):
        picture = row.open()
        source = picture.source
        content = source if isinstance(source, bytes) else Path(str(source)).read_bytes()
        file = f"{number:05d}{Path(row.name).suffix or '.png'}"
        (place / file).write_bytes(content)
        tags = [f"{name}={group}" for name, group in row.groups.items()]
        lines.append(
            {"id": f"{number:05d}", "media": [file], "question": question, "expected": [row.label],
             "metric": "contains", "group": row.label, "tags": tags}
        )  # fmt: skip
    suite = place / "suite.jsonl"
    suite.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return suite
