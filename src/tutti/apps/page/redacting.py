"""The tab Redact: a medium before and after, with what was found in it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.apps.page.views import Mark
from tutti.errors import InputError
from tutti.interfaces import Transcriber

if TYPE_CHECKING:
    from tutti.trust.privacy import Record

SPEECH_MODEL = "whisper-base"


@dataclass(frozen=True, kw_only=True)
class RedactedView:
    """What became of a medium."""

    kind: str
    """picture, film, recording or dicom."""
    copy: str
    """Path of the copy."""
    record: str
    """Path of the record beside it."""
    marks: tuple[Mark, ...]
    """What was covered in a picture."""
    lines: tuple[str, ...]
    """What was found, and notes."""


class RedactRoom:
    """Redacts media into the page's own folder.

    Args:
        folder: Where copies are written; the page removes them after its time.
        opens: Opens the model that writes speech down.
    """

    def __init__(self, folder: Path, opens: Callable[[str], object]) -> None:
        self.folder, self._opens = folder, opens

    def redact(
        self,
        path: str | None,
        *,
        names: str = "",
        faces: bool = True,
        words: bool = True,
        speech: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> RedactedView:
        """Redact one file.

        Args:
            path: Of the file.
            names: People's names to cover, one a line.
            faces: Cover faces.
            words: Cover words that identify.
            speech: Write speech down, and silence where it identifies.
            progress: Told how much is done, from 0 to 1; what it raises ends the work.

        Raises:
            InputError: There is no file, or it cannot be read.
            MissingExtra: A step needs what is not installed.
        """
        if path is None:
            raise InputError("There is nothing to redact; give a picture, a recording, a film or a DICOM file.")
        from tutti.trust.privacy import RedactionSteps, Redactor
        from tutti.trust.privacy.identifiers import IDENTIFIER_KINDS
        from tutti.trust.privacy.tools import tools_for

        listed = tuple(line.strip() for line in names.splitlines() if line.strip())
        steps = RedactionSteps(
            faces=faces, words=IDENTIFIER_KINDS if words else (), names=listed if words else (), speech=speech
        )
        tools = tools_for(steps, transcriber=self._transcriber() if speech else None)
        place = Path(tempfile.mkdtemp(dir=self.folder))
        done = Redactor(steps, tools).redact(Path(path), place, "redacted", progress=progress)
        return RedactedView(
            kind=done.record.kind,
            copy=str(done.path),
            record=str(next(place.glob("*.redaction.json"))),
            marks=tuple(Mark(one.box, one.what) for one in done.record.findings if one.box is not None),
            lines=tuple(_lines(done.record)),
        )

    def _transcriber(self) -> Transcriber:
        model = self._opens(SPEECH_MODEL)
        provider = getattr(model, "provider", model)
        if not isinstance(provider, Transcriber):
            raise InputError(f"{SPEECH_MODEL} does not transcribe here; leave speech out.")
        return provider


def _lines(record: Record) -> list[str]:
    counted = Counter("DICOM attribute" if one.what.startswith("dicom:") else one.what for one in record.findings)
    found = [f"{count} × {what}" if count > 1 else what for what, count in counted.items()]
    return [f"Found and removed: {', '.join(found)}." if found else "Nothing was found.", *record.notes]
