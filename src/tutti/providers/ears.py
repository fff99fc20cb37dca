"""What models that read no speech write it down with: the Whisper of the package, loaded when it is first asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tutti import checkpoints
from tutti.content import Media, Transcript, TranscriptionOptions
from tutti.engine.passes import run_passes
from tutti.interfaces import StreamingTranscriber
from tutti.media import MediaDecoder
from tutti.providers.speech import LocalTranscriber
from tutti.settings import read_settings

SHIPPED = "whisper-base"
"""The checkpoint in the package."""


class Ears:
    """A transcriber that loads its checkpoint when it is first asked, and only once.

    Args:
        decoder: Decodes the media.
        device: Where it computes.
    """

    def __init__(self, decoder: MediaDecoder, device: str = "cpu") -> None:
        self._decoder, self._device = decoder, device
        self._lock = threading.Lock()
        self._loaded: LocalTranscriber | None = None

    @property
    def name(self) -> str:
        """What transcripts call it."""
        return SHIPPED

    def transcribe(
        self,
        medium: Media,
        options: TranscriptionOptions | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        """Write down the speech of a recording or of a video's sound. Errors as for `LocalTranscriber`."""
        return self._transcriber().transcribe(medium, options, progress)

    def live(self, options: TranscriptionOptions | None = None) -> StreamingTranscriber:
        """One stream of speech, written down while it is said. Errors as for `LocalTranscriber`."""
        return self._transcriber().live(options)

    def _transcriber(self) -> LocalTranscriber:
        with self._lock:
            if self._loaded is None:
                loaded = checkpoints.load(SHIPPED, device=self._device, dtype="auto")
                run_passes(loaded.model, read_settings().second_form_bytes)
                self._loaded = LocalTranscriber(SHIPPED, loaded, self._decoder)
            return self._loaded
