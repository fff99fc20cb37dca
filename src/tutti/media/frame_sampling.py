"""Which frames of a video to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError

TimedFrame: TypeAlias = "tuple[float, NDArray[np.uint8]]"
"""Time in seconds from the first frame, and the frame as (H, W, 3) uint8."""


class FrameReader(Protocol):
    """Moving pictures that frames can be chosen from. Times are seconds from the first frame."""

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last."""
        ...

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame first shows, in ascending order."""
        ...

    def thumbnails(self) -> Iterator[TimedFrame]:
        """All frames in order as (time in seconds, (16, 16, 3) uint8)."""
        ...


class FrameChoice(Protocol):
    """A rule that picks moments."""

    def moments(self, reader: FrameReader) -> NDArray[np.float64]:
        """The chosen times in ascending order, in seconds; the frame shown at each is kept."""
        ...


@dataclass(frozen=True, slots=True)
class UniformFrames:
    """The frames shown at the centres of `count` equal spans: always `count`, repeated when the video has fewer."""

    count: int = 8

    def __post_init__(self) -> None:
        _check_count(self.count)

    def moments(self, reader: FrameReader) -> NDArray[np.float64]:
        """The centres of equal spans, in seconds."""
        edges = np.linspace(0.0, reader.duration_s, self.count + 1)
        return _centres(edges)


@dataclass(frozen=True, slots=True)
class EveryFrame:
    """All frames, however many there are."""

    def moments(self, reader: FrameReader) -> NDArray[np.float64]:
        """When each frame first shows, in seconds."""
        return reader.times_s


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

    def moments(self, reader: FrameReader) -> NDArray[np.float64]:
        """The middles of the scenes, in seconds."""
        before: NDArray[np.int16] | None = None
        cuts: list[tuple[float, float]] = []  # (change, time)
        for time_s, thumbnail in reader.thumbnails():
            now = thumbnail.astype(np.int16)
            change = 0.0 if before is None else float(np.abs(now - before).mean()) / 255
            if change >= self.threshold:
                cuts.append((change, time_s))
            before = now
        strongest = sorted(cuts, key=lambda cut: (-cut[0], cut[1]))[: self.count - 1]
        edges = np.array([0.0, *sorted(time_s for _, time_s in strongest), reader.duration_s])
        return _centres(edges)


@dataclass(frozen=True, slots=True)
class WindowEnds:
    """The first and the last frame of windows that `spread_windows` places; a frame that several share is kept once."""

    count: int = 5
    window_s: float = 2.0

    def __post_init__(self) -> None:
        _check_count(self.count)

    def moments(self, reader: FrameReader) -> NDArray[np.float64]:
        """The times of those frames, in seconds."""
        return np.unique(reader.times_s[self.places(reader.times_s, reader.duration_s)])

    def places(self, times_s: NDArray[np.float64], duration_s: float) -> NDArray[np.int64]:
        """Where the frames of each window stand among frames that first show at `times_s`.

        The same among all frames of a video as among those that `moments` keeps.

        Returns:
            (count, 2): first and last. A window without a frame shows the one before it.
        """
        places = []
        for start, end in spread_windows(duration_s, self.count, self.window_s):
            first, after = (np.searchsorted(times_s, float(edge) - _SAME_TIME_S) for edge in (start, end))
            last = max(after - 1, 0)
            places.append((min(first, last), last))
        return np.array(places, np.int64)


def spread_windows(duration_s: float, count: int, window_s: float) -> list[tuple[Fraction, Fraction]]:
    """Windows of one length, evenly over a duration: the first starts at its start, the last ends at its end.

    What is shorter than a window gets the same one `count` times. Exact, so that no sample is lost to rounding.

    Returns:
        (start, end) of each, in seconds.
    """
    room = max(Fraction(duration_s) - Fraction(window_s), Fraction(0))
    starts = (room * index / max(count - 1, 1) for index in range(count))
    return [(start, start + Fraction(window_s)) for start in starts]


_SAME_TIME_S = 1e-6
"""Times that differ by less are one: containers count in ticks."""


def _centres(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((edges[:-1] + edges[1:]) / 2, dtype=np.float64)


def _check_count(count: int) -> None:
    if count < 1:
        raise InputError(f"{count} frames were asked for; expected at least one.")
