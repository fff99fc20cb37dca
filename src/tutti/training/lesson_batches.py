"""Lessons in batches: every one once an epoch, those of like length together, each batch a function of its number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.training.lessons import Lesson
from tutti.training.objectives import IGNORE

_WINDOW = 16
"""Batches' worth of lessons that are sorted by length at a time."""


class LessonBatch(NamedTuple):
    """Rows of a micro-batch."""

    input_ids: NDArray[np.int64]
    """(B, T), padded on the right with 0."""
    labels: NDArray[np.int64]
    """(B, T): the token behind each, or `IGNORE`."""
    lessons: tuple[Lesson, ...]
    """B of them. Of items with several lessons, all first ones, then all second ones."""
    good: NDArray[np.bool_]
    """One an item: whether its answer was good, where that is known."""
    share: float
    """Labelled tokens of the step over its micro-batches: what a sum of losses is divided by."""


@dataclass(frozen=True, eq=False)
class LessonGroup:
    """What is learned at once: a lesson, or several that are compared."""

    lessons: tuple[Lesson, ...]
    good: bool = True

    @property
    def length(self) -> int:
        """Tokens of the longest lesson."""
        return max(len(lesson.ids) for lesson in self.lessons)


class LessonSource:
    """Batches of items, in an order that is another in each epoch.

    Args:
        items: What is learned.
        batch: Items of a micro-batch.
        micro_batches: Micro-batches of a step.
        seed: Of the order.
        shuffle: False keeps the order of the items, in every epoch.
        data: What describes the data in the run folder, such as their digests.
    """

    def __init__(
        self,
        items: Sequence[LessonGroup],
        *,
        batch: int,
        micro_batches: int = 1,
        seed: int = 0,
        shuffle: bool = True,
        data: Any = None,
    ) -> None:
        self.items, self.batch, self.micro_batches = list(items), min(batch, len(items)), micro_batches
        self.seed, self.shuffle, self.data = seed, shuffle, data
        self._order = lru_cache(maxsize=2)(self._epoch)

    @property
    def batches_an_epoch(self) -> int:
        """Micro-batches that go through all items once, their sizes as even as possible."""
        return -(-len(self.items) // self.batch)

    @property
    def steps_an_epoch(self) -> int:
        """Steps that go through all items once."""
        return -(-self.batches_an_epoch // self.micro_batches)

    def describe(self) -> dict[str, Any]:
        """What a run folder records: the data and how they are cut into batches."""
        state = hashlib.sha256()
        for item in self.items:
            for lesson in item.lessons:
                state.update(lesson.ids.tobytes() + lesson.said.tobytes())
                state.update("".join(place.digest for place in lesson.places).encode())
        return {
            "items": len(self.items),
            "digest": state.hexdigest(),
            "batch": self.batch,
            "shuffle": self.shuffle,
            "data": self.data,
        }

    def batch_at(self, step: int, micro: int) -> LessonBatch:
        """A micro-batch of a step."""
        chosen = [self._items(step * self.micro_batches + index) for index in range(self.micro_batches)]
        learned = sum(lesson.learned for items in chosen for item in items for lesson in item.lessons)
        return collate(chosen[micro], share=max(1, learned) / self.micro_batches)

    def _items(self, number: int) -> list[LessonGroup]:
        epoch, index = divmod(number, self.batches_an_epoch)
        return [self.items[item] for item in self._order(epoch)[index]]

    def _epoch(self, epoch: int) -> list[list[int]]:
        """Numbers of the items of each batch."""
        numbers = np.arange(len(self.items))
        if not self.shuffle:
            return [part.tolist() for part in np.array_split(numbers, self.batches_an_epoch)]
        rng = np.random.default_rng((self.seed, epoch))
        numbers = rng.permutation(numbers)
        window = self.batch * _WINDOW
        ordered: list[int] = []
        for start in range(0, len(numbers), window):
            ordered += sorted(numbers[start : start + window].tolist(), key=lambda one: self.items[one].length)
        cut = np.array_split(np.array(ordered), self.batches_an_epoch)
        return [cut[index].tolist() for index in rng.permutation(len(cut))]


def collate(items: Sequence[LessonGroup], share: float | None = None) -> LessonBatch:
    """Items as padded arrays."""
    lessons = tuple(item.lessons[index] for index in range(len(items[0].lessons)) for item in items)
    ids = np.zeros((len(lessons), max(len(lesson.ids) for lesson in lessons)), np.int64)
    labels = np.full_like(ids, IGNORE)
    for row, lesson in enumerate(lessons):
        length = len(lesson.ids)
        ids[row, :length] = lesson.ids
        labels[row, : length - 1][lesson.said[1:]] = lesson.ids[1:][lesson.said[1:]]
    learned = float(max(1, sum(lesson.learned for lesson in lessons)))
    return LessonBatch(ids, labels, lessons, np.array([item.good for item in items]), share or learned)
