"""An embedder whose space is known: a picture's mean colour, and words for colours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from tutti.content import Answer, Embeddings, Finished, Image, Text, TextDelta, Usage
from tutti.media import Limits, decode_image

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


class ColourSpace:
    """Embeds mean colours; a text is near the colour that it names, and anything else near none."""

    def __init__(self, name: str = "colours", turned: bool = False) -> None:
        self.name, self.turned = name, turned

    def sharpness(self, modality: str) -> float:
        return 20.0

    def embed(self, parts: Sequence[Any], tenant: str | None = None) -> Embeddings:
        rows = np.array([self._row(part) for part in parts], np.float32)
        if self.turned:
            rows = -rows[:, ::-1]
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return Embeddings(vectors=unit, model=self.name, usage=Usage())

    def _row(self, part: Any) -> list[float]:
        if isinstance(part, Text):
            return [*WORDS.get(part.text.split()[-1], (0.1, 0.1, 0.1)), 0.2]
        assert isinstance(part, Image)
        return [*(decode_image(part, Limits()).mean((0, 1)) / 255 - 0.3), 0.2]

    def stream(self, conversation: Any, options: Any) -> Iterator[Any]:
        yield TextDelta("something")
        yield Finished(Answer(text="something", model=self.name, finish_reason="stop", usage=Usage(), seconds=0.0))


def write_suite(folder: Path, count: int = 80, *, seed: int = 0) -> Path:
    """Two tasks on noisy colours: the names of colours, which the generalist knows, and grades, which it cannot."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        colour = list(WORDS)[number % 2]
        values = np.array(WORDS[colour]) * 120 + 60 + rng.normal(0, 25, 3)
        values[2] = 40 if number // 2 % 2 else 200
        Picture.new("RGB", (8, 8), tuple(int(one) for one in np.clip(values, 0, 255))).save(folder / f"{number}.png")
        media = [f"{number}.png"]
        rows.append({"media": media, "question": "Which colour?", "expected": [colour]})
        grade = "grade A" if number // 2 % 2 else "grade B"
        rows.append({"media": media, "question": "Which grade?", "expected": [grade]})
    (folder / "suite.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "suite.jsonl"
