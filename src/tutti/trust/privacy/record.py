"""The record of what was done to a file: what was found where, and nothing of what it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tutti import __version__
from tutti.trust.pieces import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that was covered, silenced or removed."""

    what: str
    """`face`, a kind of words such as `email`, `speech:email`, `metadata:EXIF`, or `dicom:(0010,0010)`."""
    box: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom in pixels of the upright picture."""
    start_s: float | None = None
    """From when on it was covered or silenced, in a film or a recording."""
    end_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was found in a file and what was done, without any identifier, and without the file's name."""

    kind: Literal["picture", "film", "recording", "dicom"]
    findings: tuple[Finding, ...]
    steps: Mapping[str, Any]
    """Of `RedactionSteps.to_dict`."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """What looked for faces, text and speech."""
    notes: tuple[str, ...] = ()
    """Sentences on what was not done, or done differently than might be expected."""
    sha256: str | None = None
    """Of the file that was written; None of a dry run."""
    seconds: float = 0.0
    version: str = __version__

    def count(self, what: str) -> int:
        """How many findings are of a kind, or of one whose name begins so with a colon."""
        return sum(one.what == what or one.what.startswith(f"{what}:") for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {
            "tutti": self.version,
            "kind": self.kind,
            "steps": dict(self.steps),
            "tools": dict(self.tools),
            "findings": [one.to_dict() for one in self.findings],
            "notes": list(self.notes),
            "sha256": self.sha256,
            "seconds": round(self.seconds, 3),
        }


def whole_box(box: Box) -> tuple[int, int, int, int]:
    """A box in whole pixels."""
    left, top, right, bottom = (round(side) for side in box)
    return left, top, right, bottom
