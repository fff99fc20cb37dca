"""What a provider that stands in front of another one takes over from it: its media and its reader of text."""

from __future__ import annotations

from collections.abc import Sequence

from tutti.content import Modality
from tutti.interfaces import Provider, Quoting, Seeing, TextReader


class InFront:
    """Goes before a class that answers by asking another provider, its `base`."""

    base: Provider

    @property
    def modalities(self) -> Sequence[Modality]:
        """Those of the media that the provider behind takes."""
        return self.base.modalities if isinstance(self.base, Seeing) else ()

    @property
    def reader(self) -> TextReader | None:
        """The reader of text of the provider behind."""
        return self.base.reader if isinstance(self.base, Quoting) else None

    @reader.setter
    def reader(self, reader: TextReader | None) -> None:
        if isinstance(self.base, Quoting):
            self.base.reader = reader
