"""Write down speech while it is said, answer questions on what is seen, and report alerts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tutti.cli.live_watching import add_watching, check_rate, check_watching, clock_of, watches, watching
from tutti.cli.options import add_json, add_model, load_model, note, print_json
from tutti.cli.piped import given
from tutti.errors import InputError
from tutti.settings import Settings, read_settings

if TYPE_CHECKING:
    from tutti.cli.live_watching import Shown
    from tutti.content import Audio, Segment, Video

_EPILOG = """examples:
  tutti live                                      what the microphone hears, until Ctrl-C (extra: live)
  tutti live --from talk.mp4 --real-time          a file, at the pace at which it was recorded
  tutti live --from talk.ogg --vtt > talk.vtt     captions, each written as soon as it is final
  tutti live --language french --json             every event as one object a line
  tutti live --camera 0 --answer                  spoken questions about what the camera sees are answered
  tutti live --from door.mp4 --real-time --alert "a dog barks" --alert "a red car"
"""
_WHISPER = "whisper-base"
_BEHIND_S = 8.0
"""Sound that came while the last was written down; more is worth a note."""
_WIDTH = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("--from", dest="source", metavar="FILE", help="a recording or a video (default: microphone)")
    parser.add_argument("--real-time", action="store_true", help="play the file at the pace at which it was recorded")
    parser.add_argument("--microphone", metavar="M", help="microphone, by its number or a part of its name")
    add_model(parser, default=_WHISPER)
    parser.add_argument("--language", metavar="L", help='spoken language, as "fr" or "french"; else the first heard')
    parser.add_argument("--task", choices=("transcribe", "translate"), help="translate writes English")
    add_watching(parser)
    form = parser.add_mutually_exclusive_group()
    add_json(form, "one JSON object an event: guess, words, segment, alert, answer")
    form.add_argument("--srt", action="store_true", help="print SubRip captions")
    form.add_argument("--vtt", action="store_true", help="print WebVTT captions")
    form.add_argument("--text", action="store_true", help="print the words only")


def run(arguments: argparse.Namespace) -> None:
    """Listen and print, until the sound ends or Ctrl-C.

    Raises:
        InputError: The file cannot be read or has no sound, the microphone or the camera cannot be opened, or options
            contradict.
        MissingExtra: There is no file, and the extra `live` is not installed.
    """
    check_watching(arguments)
    if arguments.source is None and arguments.real_time:
        raise InputError("--real-time is for a file, and none was given; name one with --from FILE.")
    if arguments.source is not None and arguments.microphone is not None:
        raise InputError("--microphone names a microphone, and --from a file; give one of them.")
    with _sound(arguments) as sound, watching(arguments, sound.part) as observer:
        if arguments.model is None and read_settings().model == Settings().model:
            arguments.model = _WHISPER
        model = load_model(arguments)
        live = model.live(language=arguments.language, task=arguments.task)
        check_rate(arguments, model.name, live.sample_rate_hz)
        printed = _Printer(arguments)
        try:
            for block in sound.blocks(live.sample_rate_hz):
                behind_s = len(block) / live.sample_rate_hz
                if behind_s > _BEHIND_S:
                    printed.note(f"The sound is {behind_s:.0f} s ahead of what is written down; it catches up.")
                events = live.feed(block)
                printed.all_of(events)
                printed.all_of(observer.take(block, events, in_utterance=live.in_utterance))
            events = live.finish()
            printed.all_of(events)
            printed.all_of(observer.take(None, events, in_utterance=False))
        except KeyboardInterrupt:
            printed.all_of(live.finish(hear=False))
        if observer.dropped:
            printed.note(f"{observer.dropped} pictures were passed over: this machine was too slow for them.")


@dataclass(frozen=True)
class _Sound:
    """Where the sound comes from."""

    part: Audio | Video | None
    """The file; None where it is a microphone."""
    blocks: Callable[[int], Iterable[Any]]
    """Blocks of sound at a rate in hertz."""


@contextmanager
def _sound(arguments: argparse.Namespace) -> Iterator[_Sound]:
    """Where sound comes from; a file is looked at, and a microphone opened, before a model is loaded."""
    from tutti.media.limits import Limits
    from tutti.media.live_sound import Microphone, played

    if arguments.source is not None:
        from tutti.content import Audio, Video
        from tutti.providers.given import as_medium

        medium = as_medium(given(arguments.source))
        if not isinstance(medium, (Audio, Video)):
            raise InputError(f"{arguments.source} is no recording or video, and has no sound to write down.")
        limits = Limits.for_streaming(read_settings())
        zero_s, until_s = clock_of(medium, limits) if watches(arguments) else (None, 0.0)
        paced = {"real_time": arguments.real_time, "zero_s": zero_s, "until_s": until_s}
        yield _Sound(medium, lambda rate_hz: played(medium, limits, rate_hz, **paced))
        return
    with closing(Microphone(16_000, arguments.microphone)) as microphone:
        note("Listening; Ctrl-C ends it.")

        def recorded(rate_hz: int) -> Iterable[Any]:
            if rate_hz != microphone.rate_hz:
                raise InputError(f"The model takes {rate_hz} samples a second, and the microphone gives 16,000.")
            return microphone

        yield _Sound(None, recorded)
        if microphone.dropped_s:
            note(f"{microphone.dropped_s:.0f} s of sound were dropped: this machine was too slow for them.")


class _Printer:
    """Prints final captions on stdout as they come, and the guess behind them on stderr if that is a terminal."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._json, self._srt, self._vtt, self._text = (
            getattr(arguments, name) for name in ("json", "srt", "vtt", "text")
        )
        self._guesses = sys.stderr.isatty() and not self._json
        self._shown, self._open, self._count = False, "", 0
        if self._vtt:
            print("WEBVTT\n", flush=True)

    def all_of(self, events: Iterable[Shown]) -> None:
        """Print events."""
        from tutti.content import FinalSegment, FinalWords, GuessedWords, LiveAlert, LiveAnswer

        for event in events:
            if self._json:
                print_json(event.to_dict())
            elif isinstance(event, FinalSegment):
                self._open = ""
                self._clear()
                print(self._caption(event.segment), flush=True)
            elif isinstance(event, LiveAlert):
                self._beside(f"[{event.start_s:8.2f} – {event.end_s:8.2f}]  ! {event.thing} ({event.sense})")
            elif isinstance(event, LiveAnswer):
                seen = "" if event.shown_s is None else f" (seen at {event.shown_s:.1f} s)"
                self._beside(f"[{event.asked_s:8.2f}]  {event.question} → {event.answer.text}{seen}")
            elif isinstance(event, FinalWords):
                self._open = f"{self._open} {event.text}".strip()
            elif isinstance(event, GuessedWords):
                self._show(f"{self._open} {event.text}".strip())

    def note(self, text: str) -> None:
        """Tell the person something beside the captions."""
        self._clear()
        note(text)

    def _beside(self, text: str) -> None:
        """What is no caption: among the lines of plain text, and on standard error beside captions."""
        if self._srt or self._vtt or self._text:
            self.note(text)
        else:
            self._clear()
            print(text, flush=True)

    def _caption(self, segment: Segment) -> str:
        self._count += 1
        if self._srt:
            return segment.to_srt(self._count)
        if self._vtt:
            return segment.to_vtt()
        return segment.text if self._text else f"[{segment.start_s:8.2f} – {segment.end_s:8.2f}]  {segment.text}"

    def _show(self, text: str) -> None:
        """The line that is not final yet, over the one before."""
        if not self._guesses:
            return
        shown = text if len(text) <= _WIDTH else f"…{text[-_WIDTH:]}"
        sys.stderr.write(f"\r\x1b[K{shown}")
        sys.stderr.flush()
        self._shown = bool(shown)

    def _clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
