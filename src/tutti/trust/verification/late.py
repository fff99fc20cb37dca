"""Specialists that are opened when they are first asked, since a verifier rarely needs all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from tutti.content import Embeddings, Image, Media, Modality, Part, TextLine, Transcript, TranscriptionOptions
from tutti.interfaces import Embedder, Provider, TextReader, Transcriber

T = TypeVar("T")


class _Late(Generic[T]):
    """A model that is opened when it is asked.

    Args:
        name: What it is called.
        opens: Opens it.
    """

    _kind: type[T]

    def __init__(self, name: str, opens: Callable[[], Provider]) -> None:
        self.name, self._opens = name, opens

    @cached_property
    def _opened(self) -> T:
        found = self._opens()
        if not isinstance(found, self._kind):
            raise TypeError(f"{self.name} is no {self._kind.__name__}")
        return found


class LateEmbedder(_Late[Embedder]):
    """An `Embedder` that is opened when it is asked; arguments as for `_Late`."""

    _kind = Embedder

    def sharpness(self, modality: Modality) -> float:
        """As of the embedder."""
        return self._opened.sharpness(modality)

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        """As of the embedder."""
        return self._opened.embed(parts, tenant)


class LateTranscriber(_Late[Transcriber]):
    """A `Transcriber` that is opened when it is asked; arguments as for `_Late`."""

    _kind = Transcriber

    def transcribe(
        self,
        medium: Media,
        options: TranscriptionOptions | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        """As of the transcriber."""
        return self._opened.transcribe(medium, options, progress)


class LateReader:
    """A `TextReader` that is opened when it is asked, and examines as its reader does.

    Args:
        opens: Opens it.
    """

    def __init__(self, opens: Callable[[], TextReader]) -> None:
        self._opens = opens

    @cached_property
    def _opened(self) -> TextReader:
        return self._opens()

    def read(self, image: Image) -> Sequence[TextLine]:
        """As of the reader."""
        return self._opened.read(image)

    def examine(self, image: Image) -> Sequence[TextLine]:
        """As of the reader; where it does not examine, what it reads."""
        examine = getattr(self._opened, "examine", self._opened.read)
        found: Sequence[TextLine] = examine(image)
        return found
