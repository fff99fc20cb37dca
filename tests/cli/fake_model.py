"""A model that costs nothing, in the place of the real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tutti.content import Answer, Event, Finished, Part, Segment, TextDelta, Transcript, Usage


@dataclass
class FakeModel:
    """Answers "a brown dog" and remembers what it was asked."""

    name: str = "fake"
    calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    def ask(self, question: Any, *media: Part, **options: Any) -> Answer:
        self.calls.append((question, media, options))
        usage = Usage(prompt_tokens=20, completion_tokens=3, media_tokens=16)
        return Answer(text="a brown dog", model=self.name, finish_reason="stop", usage=usage, seconds=0.25)

    def stream(self, question: Any, *media: Part, **options: Any) -> Iterator[Event]:
        answer = self.ask(question, *media, **options)
        yield TextDelta("a brown")
        yield TextDelta(" dog")
        yield Finished(answer)

    def embed(self, items: Sequence[Part], *, truncate: bool = False) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[len(item.modality) % 4 for item in items]]

    def classify(self, medium: Part, labels: Sequence[str]) -> dict[str, float]:
        return {label: 2.0 * (index + 1) / (len(labels) * (len(labels) + 1)) for index, label in enumerate(labels)}

    def transcribe(self, medium: Part, *, progress: Any = None, **options: Any) -> Transcript:
        self.calls.append((progress, (medium,), options))
        if progress:
            progress(0.5)
        segments = (Segment(start_s=0.0, end_s=1.25, text="A dog"), Segment(start_s=1.5, end_s=2.0, text="barks."))
        return Transcript(
            text="A dog barks.",
            segments=segments,
            model=self.name,
            language="en",
            task=options["task"] or "transcribe",
            duration_s=3.0,
            seconds=0.25,
        )
