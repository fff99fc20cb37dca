"""Models that answer at once, and a suite with media to ask them about."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from tutti.content import Answer, Embeddings, Event, Finished, Part, Text, TextDelta, Usage


@dataclass
class Player:
    """Answers by a function of the question, and remembers what it was asked."""

    answer: Callable[[str], str]
    name: str = "player"
    latency_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    def stream(self, conversation: object, options: object) -> Iterator[Event]:
        parts = conversation[-1].parts  # type: ignore[index]
        question = next(part.text for part in parts if isinstance(part, Text))
        self.asked.append(question)
        time.sleep(self.latency_s)
        text = self.answer(question)
        media = 10 * (len(parts) - 1)
        usage = Usage(
            prompt_tokens=len(question.split()) + media, completion_tokens=len(text.split()), media_tokens=media
        )
        yield TextDelta(text)
        yield Finished(Answer(text=text, model=self.name, finish_reason="stop", usage=usage, seconds=0.1))


@dataclass
class Space:
    """Embeds texts by how many of four letters they have."""

    name: str = "space"
    sharpness: float = 1.0

    def embed(self, parts: list[Part]) -> Embeddings:
        rows = [[part.text.count(letter) + 0.01 for letter in "abcd"] for part in parts if isinstance(part, Text)]
        vectors = np.array(rows, dtype=np.float32)
        return Embeddings(
            vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            model=self.name,
            usage=Usage(prompt_tokens=1),
        )


def write_suite(folder: Path, *rows: dict[str, object]) -> Path:
    """A suite of some rows; media that they name are made as small pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        for name in row.get("media", []):  # type: ignore[attr-defined]
            pillow.new("RGB", (8, 6), (len(str(name)) * 20 % 255, 40, 40)).save(folder / str(name))
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
