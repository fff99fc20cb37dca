"""What decodes media for whoever needs them, and the decoder that does so in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tutti.content import Audio, Document, Image, Media, Modality, Video
from tutti.media.limits import Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tutti.media.audio import Sound
    from tutti.media.documents import Page
    from tutti.media.frame_sampling import FrameChoice
    from tutti.media.probing import Size
    from tutti.media.video import Clip, Scale


class MediaDecoder(Protocol):
    """Decodes media within limits. Any thread may use it.

    Each method raises `InputError` where the medium is missing, damaged or of another format, and `CapacityError`
    where it exceeds a limit.
    """

    @property
    def limits(self) -> Limits:
        """The limits that every medium is held to."""
        ...

    def image(self, part: Image, at_least: int | None = None) -> NDArray[np.uint8]:
        """As `decode_image`: (H, W, 3) uint8."""
        ...

    def sound(self, part: Audio) -> Sound:
        """As `decode_audio`."""
        ...

    def clip(
        self, part: Video, choice: FrameChoice | None = None, *, scale: Scale | None = None, sound: bool = True
    ) -> Clip:
        """As `decode_video`."""
        ...

    def document(self, part: Document, numbers: Sequence[int] | None = None, *, side: int | None) -> list[Page]:
        """As `decode_document`."""
        ...

    def size(self, part: Media) -> Size:
        """As `measure`."""
        ...

    def modality(self, value: str | os.PathLike[str] | bytes) -> Modality:
        """As `modality_of`."""
        ...


@dataclass(frozen=True)
class InProcess:
    """Decodes in this process: a `MediaDecoder` for media that the user trusts.

    The readers of each format are loaded when they are first needed.

    Args:
        limits: The limits that every medium is held to.
    """

    limits: Limits

    def image(self, part: Image, at_least: int | None = None) -> NDArray[np.uint8]:
        """As `decode_image`: (H, W, 3) uint8."""
        from tutti.media.images import decode_image

        return decode_image(part, self.limits, at_least)

    def sound(self, part: Audio) -> Sound:
        """As `decode_audio`."""
        from tutti.media.audio import decode_audio

        return decode_audio(part, self.limits)

    def clip(
        self, part: Video, choice: FrameChoice | None = None, *, scale: Scale | None = None, sound: bool = True
    ) -> Clip:
        """As `decode_video`."""
        from tutti.media.video import decode_video

        return decode_video(part, self.limits, choice, scale=scale, sound=sound)

    def document(self, part: Document, numbers: Sequence[int] | None = None, *, side: int | None) -> list[Page]:
        """As `decode_document`; see `document_decoder`."""
        from tutti.media.documents import decode_document

        return decode_document(part, self.limits, numbers, side=side)

    def size(self, part: Media) -> Size:
        """As `measure`."""
        from tutti.media.probing import measure

        return measure(part, self.limits)

    def modality(self, value: str | os.PathLike[str] | bytes) -> Modality:
        """As `modality_of`."""
        from tutti.media.modality import modality_of

        return modality_of(value, self.limits)
