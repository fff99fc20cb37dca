"""A detector and a reader that find what a test has painted: pure red squares are faces, and pictures have captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tutti.content import Image, Media, Segment, TextLine, Transcript
from tutti.media import InProcess, Limits
from tutti.trust.privacy.faces import FaceBox
from tutti.trust.privacy.tools import RedactionTools

FACE = (255, 0, 0)


class RedFaces:
    """Finds the box of what is red; misses it in the looks that are named."""

    name = "red 1"

    def __init__(self, missed: Sequence[int] = ()) -> None:
        self.looks, self.missed = 0, set(missed)

    def faces(self, pixels: NDArray[np.uint8], *, quick: bool = False) -> list[FaceBox]:
        self.looks += 1
        red = (pixels[..., 0] > 180) & (pixels[..., 1] < 80) & (pixels[..., 2] < 80)
        if self.looks - 1 in self.missed or red.sum() < 16:
            return []
        ys, xs = np.nonzero(red)
        box = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
        return [FaceBox(box=box, score=1.0)]


class Caption:
    """Reads one line in a box as long as the box is not covered by one grey."""

    def __init__(self, text: str, box: tuple[int, int, int, int]) -> None:
        self.text, self.box = text, box

    def read(self, image: Image) -> Sequence[TextLine]:
        left, top, right, bottom = self.box
        spot = np.asarray(image.source)[top:bottom, left:right]
        if spot.std() < 1:
            return []
        return [TextLine(text=self.text, box=tuple(map(float, self.box)), confidence=0.9)]  # type: ignore[arg-type]


class Says:
    """Writes down what it was told was said."""

    name = "says 1"

    def __init__(self, *segments: tuple[float, float, str]) -> None:
        self.segments = tuple(Segment(start_s=start, end_s=end, text=text) for start, end, text in segments)

    def transcribe(self, medium: Media, options: object = None, progress: object = None) -> Transcript:
        text = " ".join(one.text for one in self.segments)
        return Transcript(
            text=text,
            segments=self.segments,
            model=self.name,
            language="en",
            task="transcribe",
            duration_s=9.0,
            seconds=0.1,
        )


def tools(
    detector: RedFaces | None = None, reader: Caption | None = None, transcriber: Says | None = None
) -> RedactionTools:
    return RedactionTools(detector=detector, reader=reader, transcriber=transcriber, decoder=InProcess(Limits()))
