"""What is done to media before they may leave. Metadata are always removed; the rest can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tutti.trust.privacy.covering import Cover
from tutti.trust.privacy.identifiers import IDENTIFIER_KINDS, IdentifierKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSteps:
    """The steps of a redaction, beside the removal of metadata."""

    faces: bool = True
    """Cover faces."""
    words: tuple[IdentifierKind, ...] = IDENTIFIER_KINDS
    """Kinds of words to cover in pixels, and to silence with `speech`; none reads no text."""
    names: tuple[str, ...] = field(default=(), repr=False)
    """People's names to cover where they are read or said."""
    speech: bool = False
    """Write down speech, and silence where it identifies."""
    cover: Cover = "solid"
    """What is put over faces and words."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, with the number of names in their place."""
        return {
            "metadata": True,
            "faces": self.faces,
            "words": list(self.words),
            "names": len(self.names),
            "speech": self.speech,
            "cover": self.cover,
        }

    def needs_reader(self) -> bool:
        """Whether a reader of text is needed for pictures."""
        return bool(self.words)


def kinds_of(names: Sequence[str]) -> tuple[IdentifierKind, ...]:
    """Names of kinds as they are written in options, in the order in which they are looked for.

    Raises:
        InputError: One is not known.
    """
    from tutti.errors import InputError

    for name in names:
        if name not in IDENTIFIER_KINDS:
            raise InputError(f"{name!r} is no kind of words; expected some of: {', '.join(IDENTIFIER_KINDS)}.")
    return tuple(kind for kind in IDENTIFIER_KINDS if kind in names)
