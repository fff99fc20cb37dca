"""Which frames of a video to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError


class Reel(Protocol):
    """Moving pictures that frames can be chosen from. Times are seconds from the first frame."""

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last."""
        ...

    def thumbnails(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """All frames in order as (time in seconds, (16, 16, 3) uint8)."""
        ...


class FrameChoice(Protocol):
    """A rule that picks moments."""

    def moments(self, reel: Reel) -> NDArray[np.float64]:
        """The chosen times in ascending order, in seconds; the frame shown at each is kept."""
        ...


@dataclass(frozen=True, slots=True)
class UniformFrames:
    """The frames shown at the centres of `count` equal spans: always `count`, repeated when the video has fewer."""

    count: int = 8

    def __post_init__(self) -> None:
        _check_count(self.count)

    def moments(self, reel: Reel) -> NDArray[np.float64]:
        """The centres of equal spans, in seconds."""
        edges = np.linspace(0.0, reel.duration_s, self.count + 1)
        return _centres(edges)


@dataclass(frozen=True, slots=True)
class SceneChanges:
    """The middle frame of each scene, at most `count`; the weakest cuts are passed over when there are more."""

    count: int = 8
    threshold: float = 0.1
    """A cut is a mean change between successive frames of at least this share of the full range."""

    def __post_init__(self) -> None:
        _check_count(self.count)
        if not 0 < self.threshold <= 1:
            raise InputError(f"A scene threshold of {self.threshold} was given; expected above 0 and at most 1.")

    def moments(self, reel: Reel) -> NDArray[np.float64]:
        """The middles of the scenes, in seconds."""
        before: NDArray[np.int16] | None = None
        cuts: list[tuple[float, float]] = []  # (change, time)
        for time_s, thumbnail in reel.thumbnails():
            now = thumbnail.astype(np.int16)
            change = 0.0 if before is None else float(np.abs(now - before).mean()) / 255
            if change >= self.threshold:
                cuts.append((change, time_s))
            before = now
        strongest = sorted(cuts, key=lambda cut: (-cut[0], cut[1]))[: self.count - 1]
        edges = np.array([0.0, *sorted(time_s for _, time_s in strongest), reel.duration_s])
        return _centres(edges)


def _centres(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((edges[:-1] + edges[1:]) / 2, dtype=np.float64)


def _check_count(count: int) -> None:
    if count < 1:
        raise InputError(f"{count} frames were asked for; expected at least one.")
