"""A guard that lets nothing go on in which faces or words that identify are found: it refuses them, or covers them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tutti.content import Audio, Image, Part, Text, Video
from tutti.errors import InputError
from tutti.trust.privacy.redaction import Redactor
from tutti.trust.privacy.speech import redact_text


class PrivacyGuard:
    """A `Guard` for models elsewhere: `tutti.load("openai:gpt-4o", guard=PrivacyGuard(redactor))`.

    Args:
        redactor: What looks, and what covers.
        action: `refuse` what identifies with a sentence, before anything is sent; or `redact` it, and send the copy.
    """

    def __init__(self, redactor: Redactor, action: Literal["refuse", "redact"] = "refuse") -> None:
        self._redactor, self._action = redactor, action

    def admit(self, parts: Sequence[Part]) -> Sequence[Part]:
        """The parts as they may go on.

        Raises:
            InputError: One of them identifies and `action` is `refuse`, or is of a modality that is not looked into.
            CapacityError: A medium is over a budget.
        """
        return [self._text(part) if isinstance(part, Text) else self._medium(part) for part in parts]

    def _text(self, part: Text) -> Text:
        steps = self._redactor.steps
        text, kinds = redact_text(part.text, steps.names, steps.words)
        if kinds and self._action == "refuse":
            raise self._refused("The question", kinds)
        return Text(text) if kinds else part

    def _medium(self, part: Part) -> Part:
        if not isinstance(part, (Image, Audio, Video)):
            raise InputError(f"Readings of {part.modality} are not looked into for what identifies; leave them out.")
        with tempfile.TemporaryDirectory(prefix="tutti-") as folder:
            done = self._redactor.redact(part, Path(folder), "part", dry_run=self._action == "refuse")
            found = [one.what for one in done.record.findings if not one.what.startswith(("metadata:", "dicom:"))]
            if done.path is None:
                if found:
                    raise self._refused(part.name, found)
                return part
            return type(part)(done.path.read_bytes())

    @staticmethod
    def _refused(name: str, found: Sequence[str]) -> InputError:
        kinds = ", ".join(sorted(set(found)))
        return InputError(f"{name} shows or says what identifies ({kinds}); redact it first: tutti redact IN --out OUT")
