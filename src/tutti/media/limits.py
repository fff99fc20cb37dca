"""Budgets in pixels, seconds and bytes. Checked from the header, and again while decoding, because headers lie."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from tutti.errors import CapacityError
from tutti.settings import Settings

PADDING_S = 0.15
"""What codecs add at a recording's ends, in seconds: MP3 up to 2,304 samples, AAC 3,136, at 22 kHz or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one medium may take."""

    max_pixels: int = Settings.max_pixels
    """Most pixels of one picture, or of all the frames kept from one video."""
    max_seconds: float = Settings.max_seconds
    """Longest recording or video, in seconds."""
    max_stream_seconds: float = Settings.max_stream_seconds
    """Longest one of which no more than pieces or chosen frames are held, in seconds."""
    max_pages: int = Settings.max_pages
    """Most pages of one document."""
    max_bytes: int = Settings.max_bytes
    """Largest file that is read, and largest sound once decoded, in bytes."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Limits:
        """The limits that the environment asks for."""
        return cls(
            max_pixels=settings.max_pixels,
            max_seconds=settings.max_seconds,
            max_stream_seconds=settings.max_stream_seconds,
            max_pages=settings.max_pages,
            max_bytes=settings.max_bytes,
        )

    @classmethod
    def for_streaming(cls, settings: Settings) -> Limits:
        """Those for media that are read piece by piece."""
        return cls.from_settings(settings).streaming()

    def streaming(self) -> Limits:
        """These for a medium that is read piece by piece: as pieces are let go, the file's size costs no memory."""
        return replace(self, max_seconds=self.max_stream_seconds, max_bytes=sys.maxsize)

    def check_bytes(self, name: str, size: int) -> None:
        """Refuse a file of more bytes than allowed.

        Raises:
            CapacityError: `size` is over `max_bytes`.
        """
        if size > self.max_bytes:
            raise CapacityError(
                f"{name} has {size:,} bytes; the limit is {self.max_bytes:,}: "
                "use a smaller file or raise TUTTI_MAX_BYTES."
            )

    def check_pixels(self, name: str, width: int, height: int, frames: int = 1) -> None:
        """Refuse a picture, or frames kept from a video, of more pixels than allowed.

        Raises:
            CapacityError: `width * height * frames` is over `max_pixels`.
        """
        if width * height * frames > self.max_pixels:
            what = f"{width:,} x {height:,} pixels" + (f" in {frames:,} kept frames" if frames > 1 else "")
            advice = "keep fewer frames" if frames > 1 else "make it smaller"
            raise CapacityError(
                f"{name} has {what}; the limit is {self.max_pixels:,} in all: {advice} or raise TUTTI_MAX_PIXELS."
            )

    def check_pages(self, name: str, pages: int) -> None:
        """Refuse a document of more pages than allowed.

        Raises:
            CapacityError: `pages` is over `max_pages`.
        """
        if pages > self.max_pages:
            raise CapacityError(
                f"{name} has {pages:,} pages; the limit is {self.max_pages:,}: use fewer, or raise TUTTI_MAX_PAGES."
            )

    def check_seconds(self, name: str, seconds: float) -> None:
        """Refuse a recording or video that lasts longer than allowed by more than codecs add at its ends.

        Raises:
            CapacityError: `seconds` is over `max_seconds`.
        """
        if not seconds <= self.max_seconds + PADDING_S:
            raise CapacityError(
                f"{name} lasts {_shown(seconds)} s or more; the limit is {_shown(self.max_seconds)} s: "
                "cut it or raise TUTTI_MAX_SECONDS."
            )

    def check_sound(self, name: str, samples: int) -> None:
        """Refuse a sound whose float32 samples would take more memory than allowed.

        Raises:
            CapacityError: `samples` of four bytes are over `max_bytes`.
        """
        if samples * 4 > self.max_bytes:
            raise CapacityError(
                f"The sound of {name} takes more than {self.max_bytes:,} bytes once decoded: "
                "cut it, lower its sample rate or raise TUTTI_MAX_BYTES."
            )


def _shown(seconds: float) -> str:
    return f"{seconds:,.2f}".rstrip("0").rstrip(".")
