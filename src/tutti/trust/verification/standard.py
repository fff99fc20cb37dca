"""The verifier that is used where none was given: the package's own reader of text, tutti-mini and Whisper base."""

from __future__ import annotations

from collections.abc import Callable

from tutti.interfaces import Provider, TextReader
from tutti.media import Limits
from tutti.trust.verification.late import LateEmbedder, LateReader, LateTranscriber
from tutti.trust.verification.verifier import CrossVerifier

EMBEDDER, TRANSCRIBER = "tutti-mini", "whisper-base"


def standard_verifier(
    opens: Callable[[str], Provider], *, reader: TextReader | None = None, limits: Limits | None = None
) -> CrossVerifier:
    """A verifier whose specialists are opened when a claim needs them.

    Args:
        opens: From a model's name to the model.
        reader: Reads the text in pictures; the package's own when not given.
        limits: Budgets for decoding; those of the environment when not given.
    """
    return CrossVerifier(
        reader=reader or LateReader(lambda: own_reader(limits)),
        embedder=LateEmbedder(EMBEDDER, lambda: opens(EMBEDDER)),
        transcriber=LateTranscriber(TRANSCRIBER, lambda: opens(TRANSCRIBER)),
        limits=limits,
    )


def own_reader(limits: Limits | None = None) -> TextReader:
    """The package's own reader of text.

    Raises:
        MissingExtra: It is not installed.
    """
    from tutti.trust.reading import RapidReader

    return RapidReader(limits)
