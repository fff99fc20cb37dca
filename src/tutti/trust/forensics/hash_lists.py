"""Lists of known pictures and sounds, as hashes: a file of JSON lines, in which no medium can be seen or heard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError
from tutti.media.text_files import stream_lines
from tutti.trust.forensics import picture_hash, sound_prints

_BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMatch:
    """A listed medium that was met again."""

    label: str
    score: float
    """1 where nothing differs; 0.5 at the limit of what is a match."""
    reason: str


@dataclass
class HashList:
    """What is known, in memory. Adding and finding are not for several threads at once; finding alone is."""

    picture_labels: list[str] = field(default_factory=list)
    sound_labels: list[str] = field(default_factory=list)
    _bits: list[NDArray[np.bool_]] = field(default_factory=list)
    _stack: NDArray[np.float32] | None = None
    _owners: NDArray[np.int64] | None = None
    _prints: sound_prints.SoundPrint = field(default_factory=sound_prints.SoundPrint)

    @classmethod
    def read(cls, path: Path) -> HashList:
        """A list that `entry_of_picture` and `entry_of_sound` wrote, one entry a line.

        Raises:
            InputError: It cannot be read, or a line is none of a list.
        """
        made = cls()
        for number, line in stream_lines(path):
            made._take(line, f"{path}, line {number}")
        return made

    def _take(self, line: str, where: str) -> None:
        try:
            values = json.loads(line)
            if values["kind"] == "picture":
                self.add_picture(np.stack([picture_hash.from_hex(text) for text in values["hashes"]]), values["label"])
            elif values["kind"] == "sound":
                self.add_sound(sound_prints.from_pairs(values["landmarks"]), values["label"])
            else:
                raise ValueError(f"kind {values['kind']!r}; expected picture or sound")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{where} is no entry of a list of hashes ({error}); make one with: tutti moderate hash FILE --label X"
            ) from None

    def add_picture(self, bits: NDArray[np.bool_], label: str) -> None:
        """Add a picture's hashes. Shapes: (W, 256)."""
        self._bits.append(bits)
        self.picture_labels.append(label)
        self._stack = None

    def add_sound(self, marks: NDArray[np.int64], label: str) -> None:
        """Add a sound's landmarks. Shapes: (N, 2)."""
        self._prints.add(marks)
        self.sound_labels.append(label)

    def find_picture(self, pixels: NDArray[np.uint8]) -> KnownMatch | None:
        """The nearest listed picture, if one is near enough. Shapes: (H, W, 3) uint8."""
        bits = picture_hash.picture_hash(pixels)
        if bits is None or not self._bits:
            return None
        distances = self.distances(bits[None])[0]
        at = int(distances.argmin())
        if distances[at] > picture_hash.CLOSE:
            return None
        match = picture_hash.nearest(bits, self._bits[at])
        how = f"{match.distance} of {picture_hash.BITS} bits differ{', mirrored' if match.mirrored else ''}"
        return KnownMatch(
            label=self.picture_labels[at],
            score=1 - match.distance / (2 * picture_hash.CLOSE),
            reason=f"the known picture “{self.picture_labels[at]}” ({how}{', cropped' if match.window else ''})",
        )

    def find_sound(self, samples: NDArray[np.float32]) -> KnownMatch | None:
        """The listed sound that is heard, if one is. Shapes: (S,) float32 at 16 kHz."""
        if not self.sound_labels:
            return None
        match = self._prints.find(sound_prints.landmarks(samples))
        if match is None:
            return None
        label = self.sound_labels[match.entry]
        reason = f"the known sound “{label}” ({match.aligned} spectral landmarks agree in time)"
        return KnownMatch(label=label, score=min(1.0, 0.5 + match.share), reason=reason)

    def distances(self, bits: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Bits by which pictures, or their mirrored copies, differ from each listed one. Shapes: (N, 256) → (N, L)."""
        if self._stack is None or self._owners is None:
            self._stack = np.concatenate(self._bits).astype(np.float32) * 2 - 1
            self._owners = np.cumsum([0, *(len(each) for each in self._bits[:-1])])
        rows = []
        for first in range(0, len(bits), _BLOCK):
            block = bits[first : first + _BLOCK]
            straight, turned = (each.astype(np.float32) * 2 - 1 for each in (block, picture_hash.mirrored(block)))
            agreeing = np.maximum(straight @ self._stack.T, turned @ self._stack.T)
            rows.append((picture_hash.BITS - np.maximum.reduceat(agreeing, self._owners, axis=1)) / 2)
        return np.concatenate(rows).round().astype(np.int64)

    def __len__(self) -> int:
        return len(self.picture_labels) + len(self.sound_labels)


def entry_of_picture(pixels: NDArray[np.uint8], label: str) -> dict[str, Any] | None:
    """A line of a list as plain values; None for a picture without detail. Shapes: (H, W, 3) uint8."""
    bits = picture_hash.listed_hashes(pixels)
    if bits is None:
        return None
    return {"kind": "picture", "label": label, "hashes": [picture_hash.to_hex(row) for row in bits]}


def entry_of_sound(samples: NDArray[np.float32], label: str) -> dict[str, Any] | None:
    """A line of a list as plain values; None for a sound with too few landmarks. Shapes: (S,) float32 at 16 kHz."""
    marks = sound_prints.landmarks(samples)
    if len(marks) < sound_prints.FOUND:
        return None
    return {"kind": "sound", "label": label, "landmarks": sound_prints.to_pairs(marks)}


def written(entries: Iterator[Mapping[str, Any]]) -> str:
    """Entries as the file that `HashList.read` reads."""
    return "".join(json.dumps(entry) + "\n" for entry in entries)
