"""`route:FOLDER`: a generalist with specialists beside it, asked by confidence (`tutti specialise` fits such folders).

Of the questions that it was fitted on, with one medium, the generalist's most likely label is the answer where its
confidence reaches the operating point; below that the specialist's is; below the specialist's own point the answer is
that a person should look. All other questions go to the generalist as they are. Both work on one embedding.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from tutti.content import (
    Answer,
    Conversation,
    Embeddings,
    Event,
    Finished,
    Media,
    Modality,
    Part,
    SamplingOptions,
    Text,
    TextDelta,
    TokenLogprob,
    Usage,
)
from tutti.errors import InputError, UnsupportedTask
from tutti.interfaces import Embedder, Provider, Responder
from tutti.providers.in_front import InFront

PERSON = "I am not sure; a person should look at this."
_MOST_BYTES = 256_000_000
_SAME = 0.99
"""Cosine of the probe's vectors from which on two models count as one (quantized weights differ a little)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedTask:
    """A question, and who answers it when."""

    question: str
    labels: tuple[str, ...]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    temperature: float
    generalist_temperature: float
    generalist_point: float
    specialist_point: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFolder:
    """What a folder of `tutti specialise` holds."""

    model: str
    label_as: str
    probe: NDArray[np.float32]
    tasks: tuple[RoutedTask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who answered, and how sure."""

    by: str
    """generalist, specialist or person."""
    probabilities: Mapping[str, float]
    """Label → probability, of who answered; of a person, of the specialist or generalist that was not sure."""


def read_router(folder: Path) -> RouterFolder:
    """Read a folder; nothing in it is run.

    Raises:
        InputError: It is no router, or its numbers do not fit together.
    """
    try:
        files = [folder / "router.json", folder / "heads.safetensors"]
        if sum(file.stat().st_size for file in files) > _MOST_BYTES:
            raise InputError(f"{folder} has more than {_MOST_BYTES:,} bytes; expected a folder of `tutti specialise`.")
        table = json.loads(files[0].read_bytes())
        arrays = load(files[1].read_bytes())
        if table["format"] != "tutti router 1":
            raise ValueError(f"its format is {table['format']!r}")
        tasks = tuple(_task(row, arrays, place) for place, row in enumerate(table["tasks"]))
        label_as, model = str(table["label_as"]), str(table["model"])
        if label_as.count("{}") != 1 or not tasks:
            raise ValueError("it names no task or no form of labels")
        return RouterFolder(model=model, label_as=label_as, probe=arrays["probe"], tasks=tasks)
    except OSError as error:
        raise InputError(f"{folder} is no router ({error.strerror or error}); make one: tutti specialise.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        told = f"{type(error).__name__}: {error}"[:160]
        raise InputError(f"{folder} is damaged ({told}); fit the router anew: tutti specialise.") from None


def _task(row: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], place: int) -> RoutedTask:
    weight, bias = (np.asarray(arrays[f"{place}.{name}"], np.float64) for name in ("weight", "bias"))
    labels = tuple(str(label) for label in row["labels"])
    if weight.ndim != 2 or weight.shape[0] != len(labels) or bias.shape != (len(labels),) or len(labels) < 2:
        raise ValueError(f"a head is {weight.shape} for {len(labels)} labels")
    names = ("temperature", "generalist_temperature", "generalist_point", "specialist_point")
    numbers = {name: float(row[name]) for name in names}
    if not (np.isfinite(list(numbers.values())).all() and np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError("a number is not finite")
    if min(numbers["temperature"], numbers["generalist_temperature"]) <= 0:
        raise ValueError("a temperature is not above zero")
    return RoutedTask(question=str(row["question"]), labels=labels, weight=weight, bias=bias, **numbers)


class RoutedProvider(InFront):
    """A generalist, and specialists for some questions.

    Args:
        name: What it is called.
        base: The generalist, which embeds; it answers all other questions if it can.
        folder: What was fitted.

    Raises:
        InputError: It was fitted on another model.
    """

    def __init__(self, name: str, base: Provider, folder: RouterFolder) -> None:
        if not isinstance(base, Embedder):
            raise UnsupportedTask(f"{base.name} does not embed, so that no specialist can be asked beside it.", "embed")
        self.name, self.base, self._folder = name, base, folder
        self._embedder: Embedder = base
        probe = base.embed([Text("tutti")]).vectors[0]
        if probe.shape != folder.probe.shape or float(probe @ folder.probe) < _SAME:
            raise InputError(
                f"{name} was fitted on the embeddings of another model than {base.name} is here (it says "
                f"{folder.model}); fit it anew: tutti specialise."
            )
        self._tasks = {_normal(task.question): task for task in folder.tasks}
        self._labels: dict[str, NDArray[np.float32]] = {}

    def sharpness(self, modality: Modality) -> float:
        """The generalist's."""
        return self._embedder.sharpness(modality)

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        """The generalist's embeddings."""
        return self._embedder.embed(parts, tenant)

    def classify(self, medium: Media, labels: Sequence[str]) -> Mapping[str, float] | None:
        """Label → probability where some task has these labels; None where none has."""
        tasks = [task for task in self._folder.tasks if set(task.labels) == set(labels)]
        return self.decide(tasks[0], medium).probabilities if len(tasks) == 1 else None

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """Answer a question that was fitted at once; any other as the generalist does."""
        medium, task = self._asked(conversation)
        if medium is None or task is None or options.json_schema is not None or options.offered:
            if not isinstance(self.base, Responder):
                known = "; ".join(one.question for one in self._folder.tasks)
                raise UnsupportedTask(f"{self.name} answers these only, about one medium each: {known}", "ask")
            yield from self.base.stream(conversation, options)
            return
        begun = time.perf_counter()
        found = self.decide(task, medium, options.tenant)
        label, sure = max(found.probabilities.items(), key=lambda item: item[1])
        text = PERSON if found.by == "person" else label
        note = f"Routed to the {found.by}, confidence {sure:.2f}."
        yield TextDelta(text, _NO_LOGPROBS)
        usage = Usage(prompt_tokens=0, completion_tokens=0, media_tokens=0)
        yield Finished(Answer(text=text, model=self.name, finish_reason="stop", usage=usage,
                              seconds=time.perf_counter() - begun, notes=(note,)))  # fmt: skip

    def decide(self, task: RoutedTask, medium: Media, tenant: str | None = None) -> Decision:
        """Who answers a task's question about a medium, and what."""
        vector = self._embedder.embed([medium], tenant).vectors[0]
        logits = self.sharpness(medium.modality) * (self._vectors_of(task) @ vector).astype(np.float64)
        general = _softmax(logits / task.generalist_temperature)
        if general.max() >= task.generalist_point:
            return Decision(by="generalist", probabilities=_named(task, general))
        special = _softmax((task.weight @ vector.astype(np.float64) + task.bias) / task.temperature)
        by = "specialist" if special.max() >= task.specialist_point else "person"
        return Decision(by=by, probabilities=_named(task, special))

    def _vectors_of(self, task: RoutedTask) -> NDArray[np.float32]:
        if task.question not in self._labels:
            texts = [Text(self._folder.label_as.replace("{}", label)) for label in task.labels]
            self._labels[task.question] = self._embedder.embed(texts).vectors
        return self._labels[task.question]

    def _asked(self, conversation: Conversation) -> tuple[Media | None, RoutedTask | None]:
        if len(conversation) != 1:
            return None, None
        media = [part for part in conversation[0].parts if isinstance(part, Media)]
        words = " ".join(part.text for part in conversation[0].parts if isinstance(part, Text))
        return (media[0] if len(media) == 1 else None), self._tasks.get(_normal(words))


_NO_LOGPROBS: tuple[TokenLogprob, ...] = ()


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def _named(task: RoutedTask, values: NDArray[np.float64]) -> dict[str, float]:
    return dict(sorted(zip(task.labels, map(float, values), strict=True), key=lambda item: -item[1]))
