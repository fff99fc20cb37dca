"""Labelled media as numbers: each question of a suite is a task, its cases split by what they share, embedded once."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.content import Text
from tutti.errors import InputError
from tutti.evaluate.suite import Case, Suite
from tutti.interfaces import Embedder
from tutti.media import wrap

PARTS = ("train", "validation", "test")
_SHARES = (0.5, 0.75)
"""Where the parts end."""
_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPart:
    """Cases of one task and one part."""

    vectors: NDArray[np.float32]
    """(N, D) embeddings of the media."""
    targets: NDArray[np.int64]
    """(N,) label of each."""
    generalist: NDArray[np.float64]
    """(N, K) logits of the labels' texts, as `classify` has them."""
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTask:
    """A question with its labels."""

    question: str
    labels: tuple[str, ...]
    train: LabelledPart
    validation: LabelledPart
    test: LabelledPart
    seconds: float
    """To embed one medium, on average: what the generalist and the specialist both take."""


def labelled_tasks(
    suite: Suite,
    embedder: Embedder,
    *,
    label_as: str = "{}",
    seed: int = 0,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> list[LabelledTask]:
    """The tasks of a suite, embedded.

    Args:
        suite: Cases of one medium and one expected answer, the label.
        embedder: Of media and labels.
        label_as: How a label becomes a text for the generalist.
        seed: Of the split; clusters stay together.
        told: Called with the media done and all.

    Raises:
        InputError: A case is of another form, or a label has too few clusters to be learned and tested.
    """
    if label_as.count("{}") != 1:
        raise InputError(f"The form of labels is {label_as!r}; expected one {{}} in it, as in 'a photo of {{}}'.")
    by_question: dict[str, list[Case]] = defaultdict(list)
    for case in suite.cases:
        if len(case.media) != 1 or not case.expected:
            raise InputError(f"Case {case.id!r} has {len(case.media)} media and {len(case.expected)} answers; a "
                             "specialist learns from one medium and one label a case.")  # fmt: skip
        by_question[case.question].append(case)
    splits = {question: _split(question, cases, seed) for question, cases in by_question.items()}
    paths = list(dict.fromkeys(case.media[0] for case in suite.cases))
    vectors, seconds = _embedded(paths, embedder, told)
    return [
        _task(question, by_question[question], parts, vectors, embedder, label_as, seconds)
        for question, parts in splits.items()
    ]


def _split(question: str, cases: Sequence[Case], seed: int) -> list[str]:
    """The part of each case. Clusters are spread per label, so that each part has each label."""
    labels = sorted({case.expected[0] for case in cases})
    if len(labels) < 2:
        raise InputError(f"The question {question[:60]!r} has one label, {labels[0]!r}; expected two or more.")
    of_cluster: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        of_cluster[case.cluster][case.expected[0]] += 1
    by_label: dict[str, list[str]] = defaultdict(list)
    for cluster, counts in of_cluster.items():
        by_label[counts.most_common(1)[0][0]].append(cluster)
    part_of: dict[str, str] = {}
    for clusters in by_label.values():
        clusters.sort(key=lambda one: hashlib.sha256(f"{seed}\0{one}".encode()).digest())
        for place, cluster in enumerate(clusters):
            part_of[cluster] = PARTS[int(np.searchsorted(_SHARES, place / len(clusters), side="right"))]
    found = [part_of[case.cluster] for case in cases]
    for label in labels:
        held = {part for part, case in zip(found, cases, strict=True) if case.expected[0] == label}
        if len(held) < len(PARTS):
            raise InputError(
                f"The label {label!r} of {question[:60]!r} stands in too few groups of cases to be learned, tuned and "
                "tested apart; expected at least four media (or groups) of each label."
            )
    return found


def _embedded(
    paths: Sequence[str], embedder: Embedder, told: Callable[[int, int], None]
) -> tuple[dict[str, NDArray[np.float32]], float]:
    found: dict[str, NDArray[np.float32]] = {}
    begun = time.perf_counter()
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        found.update(zip(batch, embedder.embed([wrap(path) for path in batch]).vectors, strict=True))
        told(len(found), len(paths))
    return found, (time.perf_counter() - begun) / max(1, len(paths))


def _task(
    question: str,
    cases: Sequence[Case],
    parts: Sequence[str],
    vectors: dict[str, NDArray[np.float32]],
    embedder: Embedder,
    label_as: str,
    seconds: float,
) -> LabelledTask:
    labels = sorted({case.expected[0] for case in cases})
    texts = embedder.embed([Text(label_as.replace("{}", label)) for label in labels]).vectors
    sharpness = embedder.sharpness(wrap(cases[0].media[0]).modality)

    def part(name: str) -> LabelledPart:
        own = [case for case, of in zip(cases, parts, strict=True) if of == name]
        rows = np.stack([vectors[case.media[0]] for case in own])
        return LabelledPart(
            vectors=rows,
            targets=np.array([labels.index(case.expected[0]) for case in own]),
            generalist=sharpness * (rows @ texts.T).astype(np.float64),
            clusters=tuple(case.cluster for case in own),
        )

    train, validation, test = map(part, PARTS)
    return LabelledTask(
        question=question, labels=tuple(labels), train=train, validation=validation, test=test, seconds=seconds
    )
