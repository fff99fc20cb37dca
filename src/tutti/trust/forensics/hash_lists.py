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

_BLOCK = 128
"""Listed pictures that are compared at once."""


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

    def add_sound(self, marks: NDArray[np.int64], label: str) -> None:
        """Add a sound's landmarks. Shapes: (N, 2)."""
        self._prints.add(marks)
        self.sound_labels.append(label)

    def find_picture(self, pixels: NDArray[np.uint8]) -> KnownMatch | None:
        """The nearest listed picture, if one is near enough. Shapes: (H, W, 3) uint8."""
        query = picture_hash.picture_query(pixels)
        if query is None or not self._bits:
            return None
        agreements = self.agreements(query[None])[0]
        at = int(agreements.argmax())
        if agreements[at] < picture_hash.CLOSE:
            return None
        match = picture_hash.nearest(query, self._bits[at])
        how = f"{match.agreement:.0%} agreement{', mirrored' if match.mirrored else ''}"
        beyond = (match.agreement - picture_hash.CLOSE) / (1 - picture_hash.CLOSE)
        return KnownMatch(
            label=self.picture_labels[at],
            score=0.5 + 0.5 * max(0.0, beyond),
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

    def agreements(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far pictures, or their mirrored copies, agree with each listed one. Shapes: (N, 256) → (N, L)."""
        both = np.concatenate([queries, picture_hash.mirrored(queries)]).T
        columns = []
        for first in range(0, len(self._bits), _BLOCK):
            block = self._bits[first : first + _BLOCK]
            starts = np.cumsum([0, *(len(each) for each in block[:-1])])
            found = (np.concatenate(block).astype(np.float32) * 2 - 1) @ both
            columns.append(np.maximum.reduceat(found, starts, axis=0))
        rows = np.concatenate(columns).T
        best: NDArray[np.float32] = np.maximum(rows[: len(queries)], rows[len(queries) :])
        return best

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
