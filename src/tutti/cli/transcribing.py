"""What of media is written down while they are indexed: `--transcribe` and `--no-transcribe`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutti.interfaces import Transcriber

BUILT_IN = "whisper-base"


def add_transcribing(parser: argparse.ArgumentParser, what: str = "") -> None:
    """Declare both options.

    Args:
        parser: Where.
        what: Of what they tell, as the beginning of their help, such as "with --in FILM: ".
    """
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--transcribe",
        metavar="MODEL",
        nargs="?",
        const=BUILT_IN,
        help=f"{what}write down the speech of long recordings and films, too, with this model (default: {BUILT_IN}); "
        "that of those up to ten minutes is without being asked",
    )
    either.add_argument("--no-transcribe", action="store_true", help=f"{what}write down no speech")


def transcribing(arguments: argparse.Namespace) -> dict[str, Any]:
    """What an `Index` is told about speech: `transcriber` and `longest_speech_s`.

    Raises:
        UnsupportedTask: The model that was named does not write down speech.
    """
    from tutti.search.ingest.speech_pieces import SHORT_S

    if getattr(arguments, "no_transcribe", False):
        return {}
    if getattr(arguments, "transcribe", None) is None:
        return {"transcriber": _built_in(), "longest_speech_s": SHORT_S}
    return {"transcriber": _named(arguments.transcribe)}


def _built_in() -> Transcriber:
    """The Whisper of the package, which is loaded when there is speech to write down."""
    from tutti.media import InProcess, Limits
    from tutti.providers.ears import Ears
    from tutti.settings import read_settings

    return Ears(InProcess(Limits.from_settings(read_settings())))


def _named(name: str) -> Transcriber:
    import tutti
    from tutti.errors import UnsupportedTask
    from tutti.interfaces import Transcriber

    if name == BUILT_IN:
        return _built_in()
    provider = tutti.open_provider(name)
    if not isinstance(provider, Transcriber):
        raise UnsupportedTask(f"{name} does not write down speech; a Whisper checkpoint does.")
    return provider
