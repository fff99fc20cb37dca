"""What a model is asked to do in an audit: classify, search, or answer freely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.content import Message, SamplingOptions, Text
from tutti.content.streams import answer_of_stream
from tutti.errors import InputError
from tutti.evaluate.hallucination import asserts
from tutti.interfaces import Embedder, Provider, Responder
from tutti.trust.fairness.table import AuditRow

AuditTask = Literal["classify", "search", "ask"]
Told: TypeAlias = Callable[[int, int], None]
"""Told how many rows are done, and of how many."""
_BATCH = 16
_MOST_TOKENS = 48


@dataclass(frozen=True)
class GivenLabels:
    """What a model said of each row."""

    said: list[str]
    """Labels."""
    sure: list[float]
    """Probabilities of these; empty where there are none."""
    vectors: NDArray[np.float32] | None = None
    """(N, D) pictures in the shared space, where there is one."""
    texts: list[str] | None = None
    """Free answers."""


def classify(
    model: Provider, rows: Sequence[AuditRow], labels: Sequence[str], prompt: str, told: Told | None = None
) -> GivenLabels:
    """The likeliest of the labels per row, by their prompts in the shared space.

    Raises:
        InputError: The model does not embed.
    """
    if not isinstance(model, Embedder):
        raise InputError(f"{model.name} does not embed, so that it does not classify; give --task ask.")
    pictures = embedded(model, rows, told)
    words = model.embed([Text(prompt.format(_with_article(label))) for label in labels]).vectors
    scores = model.sharpness("image") * pictures @ words.T
    weights = np.exp(scores - scores.max(1, keepdims=True))
    shares = weights / weights.sum(1, keepdims=True)
    return GivenLabels([labels[place] for place in shares.argmax(1)], [float(row.max()) for row in shares], pictures)


def embedded(model: Embedder, rows: Sequence[AuditRow], told: Told | None = None) -> NDArray[np.float32]:
    """(N, D) unit rows: the pictures, in batches."""
    found = []
    for start in range(0, len(rows), _BATCH):
        found.append(model.embed([row.open() for row in rows[start : start + _BATCH]]).vectors)
        if told is not None:
            told(min(len(rows), start + _BATCH), len(rows))
    return np.concatenate(found)


def answer(
    model: Provider, rows: Sequence[AuditRow], labels: Sequence[str], question: str, told: Told | None = None
) -> GivenLabels:
    """What free answers assert: the first label that the answer asserts, or "none of them".

    Raises:
        InputError: The model does not answer questions.
    """
    if not isinstance(model, Responder):
        raise InputError(f"{model.name} does not answer questions; give --task classify.")
    said, texts = [], []
    for place, row in enumerate(rows, 1):
        events = model.stream([Message.user(row.open(), question)], SamplingOptions(max_tokens=_MOST_TOKENS))
        text = answer_of_stream(events, model.name).text
        texts.append(text)
        said.append(next((label for label in labels if asserts(text, label)), "none of them"))
        if told is not None:
            told(place, len(rows))
    return GivenLabels(said, [], None, texts)


def _with_article(label: str) -> str:
    return f"{'an' if label[:1].lower() in 'aeiou' else 'a'} {label}"
