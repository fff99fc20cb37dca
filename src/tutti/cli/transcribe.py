"""Write down the speech of a recording or a video, with its times."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tutti.cli.options import add_json, add_model, load_model, print_json
from tutti.cli.piped import given
from tutti.errors import InputError
from tutti.settings import Settings, read_settings

if TYPE_CHECKING:
    from tutti.content import Transcript

_EPILOG = """examples:
  tutti transcribe talk.mp3
  tutti transcribe interview.mp4 --model openai/whisper-small --language french --task translate
  tutti transcribe lecture.wav --model openai/whisper-large-v3 --srt > lecture.srt
  tutti transcribe call.flac --model facebook/wav2vec2-base-960h --times word --json
"""


_WHISPER = "whisper-base"
"""What writes down speech where no model is named."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments. What is not given is left to the checkpoint."""
    parser.epilog = _EPILOG
    parser.add_argument("recording", metavar="RECORDING", help="path or data: URL of a recording or a video, or -")
    add_model(parser, default=_WHISPER)
    parser.add_argument("--language", metavar="L", help='spoken language, as "fr" or "french"; otherwise detected')
    parser.add_argument("--task", choices=("transcribe", "translate"), help="translate writes English")
    parser.add_argument("--times", choices=("none", "segment", "word"), help="how finely (default: segment)")
    parser.add_argument("--context", action="store_true", help="show the model the transcript so far")
    form = parser.add_mutually_exclusive_group()
    add_json(form)
    form.add_argument("--srt", action="store_true", help="print SubRip captions")
    form.add_argument("--vtt", action="store_true", help="print WebVTT captions")
    form.add_argument("--text", action="store_true", help="print the words only")


def run(arguments: argparse.Namespace) -> None:
    """Transcribe and print.

    Raises:
        InputError: The recording cannot be read or has no sound, or captions were asked for without times.
    """
    if arguments.times == "none" and (arguments.srt or arguments.vtt):
        raise InputError("Captions need times; leave out --times none.")
    # The recording is looked at before the model is loaded: a wrong path should not cost the seconds of loading.
    from tutti.providers.given import as_medium

    medium = as_medium(given(arguments.recording))

    options: dict[str, Any] = {"language": arguments.language, "task": arguments.task}
    if arguments.times is not None:
        options["timestamps"] = arguments.times
    if arguments.context:
        options["condition_on_previous_text"] = True
    progress = _show_progress if sys.stderr.isatty() else None
    if arguments.model is None and read_settings().model == Settings().model:
        arguments.model = _WHISPER
    model = load_model(arguments)
    transcript = model.transcribe(medium, progress=progress, **options)
    if progress:
        sys.stderr.write("\r\x1b[K")
    _print(transcript, arguments)


def _print(transcript: Transcript, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(transcript.to_dict())
    elif arguments.srt:
        print(transcript.to_srt(), end="")
    elif arguments.vtt:
        print(transcript.to_vtt(), end="")
    elif arguments.text or arguments.times == "none":
        print(transcript.text)
    else:
        for segment in transcript.segments:
            print(f"[{segment.start_s:8.2f} – {segment.end_s:8.2f}]  {segment.text}")


def _show_progress(done: float) -> None:
    sys.stderr.write(f"\rwritten down: {done:4.0%}")
    sys.stderr.flush()
