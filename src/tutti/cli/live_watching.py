"""What `tutti live` watches beside the words: alerts, and spoken questions about what is seen."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from tutti.cli.options import note
from tutti.errors import InputError
from tutti.settings import read_settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tutti.content import Audio, LiveAlert, LiveAnswer, LiveEvent, Video
    from tutti.interfaces import Voice
    from tutti.media.frame_sampling import TimedFrame
    from tutti.media.limits import Limits
    from tutti.media.live_pictures import Camera
    from tutti.media.voice import Loudspeaker
    from tutti.search.live_questions import LiveQuestions
    from tutti.search.live_watch import LiveWatch

    Shown: TypeAlias = LiveEvent | LiveAlert | LiveAnswer

_RATE_HZ = 16_000
_LATE_S = 2.0
"""Pictures that are so late are passed over for the newest one."""


def add_watching(parser: argparse.ArgumentParser) -> None:
    """Add `--alert`, `--answer`, `--camera`, `--seeing` and `--speak`."""
    parser.add_argument(
        "--alert", action="append", default=[], metavar="WORDS",
        help='report when it is seen or heard, as "a dog barks"; or said, as: somebody says "help"; may be repeated',
    )  # fmt: skip
    parser.add_argument("--answer", action="store_true", help="answer spoken questions about what is seen")
    parser.add_argument("--camera", metavar="N", help="look through a camera, by its number, beside the microphone")
    parser.add_argument(
        "--seeing", default="tutti-mini", metavar="NAME", help="model that watches and answers (default: tutti-mini)"
    )
    parser.add_argument("--speak", action="store_true", help="speak answers aloud, by espeak-ng; speech stops them")


def watches(arguments: argparse.Namespace) -> bool:
    """Whether anything is watched beside the words."""
    return bool(arguments.alert or arguments.answer)


def check_watching(arguments: argparse.Namespace) -> None:
    """Raises `InputError` where options contradict."""
    if arguments.camera is not None and arguments.source is not None:
        raise InputError("--camera looks through a camera, and --from reads a file; give one of them.")
    if arguments.speak and not arguments.answer:
        raise InputError("--speak speaks answers, and none are made; add --answer.")
    if arguments.camera is not None and not watches(arguments):
        raise InputError("--camera shows pictures, and nothing looks at them; add --answer or --alert WORDS.")


def check_rate(arguments: argparse.Namespace, name: str, rate_hz: int) -> None:
    """Raises `InputError` where what hears takes sound at another rate than what watches."""
    if watches(arguments) and rate_hz != _RATE_HZ:
        raise InputError(f"{name} takes {rate_hz} samples a second, and what watches {_RATE_HZ}; give another --model.")


def clock_of(medium: Audio | Video, limits: Limits) -> tuple[float | None, float]:
    """The container's time of a film's first picture, which its sound counts from, too, and its length in seconds."""
    from tutti.content import Video
    from tutti.media.key_frames import plan_frames

    if not isinstance(medium, Video):
        return None, 0.0
    plan = plan_frames(medium, limits)
    return plan.zero_s, plan.duration_s


class LiveObserver:
    """Takes the stream beside what writes it down; the sound is the clock of all.

    Args:
        watch: What watches; None does nothing.
        questions: What answers, if anything.
        pictures: Of a film, in order.
        camera: Otherwise what looks.
        voice: Speaks answers, with what plays them.
    """

    def __init__(
        self,
        watch: LiveWatch | None,
        questions: LiveQuestions | None = None,
        pictures: Iterator[TimedFrame] | None = None,
        camera: Camera | None = None,
        voice: tuple[Voice, Loudspeaker] | None = None,
    ) -> None:
        self._watch, self._questions, self._pictures, self._camera = watch, questions, pictures, camera
        self._voice = voice
        self._next: TimedFrame | None = None
        self._given_s = 0.0
        self.dropped = 0
        """Pictures that were passed over."""

    def take(
        self, block: NDArray[np.float32] | None, events: Sequence[LiveEvent], *, in_utterance: bool
    ) -> Iterator[LiveAlert | LiveAnswer]:
        """The next sound, None at its end, and what was written down of it; alerts and answers."""
        if self._watch is None:
            return
        if in_utterance and self._voice is not None:
            self._voice[1].stop()
        lasts_s = 0.0 if block is None else len(block) / _RATE_HZ
        self._given_s += lasts_s
        for at_s, picture in self._due(end=block is None, late=lasts_s > _LATE_S):
            yield from self._watch.see(picture, at_s)
        if block is not None:
            yield from self._watch.hear(block)
        yield from self._watch.said(events)
        for answer in self._questions.heard(events) if self._questions is not None else ():
            yield answer
            if self._voice is not None:
                self._voice[1].play(self._voice[0].speak(answer.answer.text))

    def _due(self, *, end: bool, late: bool) -> list[TimedFrame]:
        """Pictures up to now; where the machine is late, the newest alone: pictures are dropped before words."""
        if self._camera is not None:
            found = self._camera.newest()
            return [] if found is None else [(self._given_s, found[1])]
        due: list[TimedFrame] = []
        while self._pictures is not None:
            self._next = self._next or next(self._pictures, None)
            if self._next is None or (self._next[0] > self._given_s and not end):
                break
            due.append(self._next)
            self._next = None
        if late and len(due) > 1:
            self.dropped += len(due) - 1
            due = due[-1:]
        return due


@contextmanager
def watching(arguments: argparse.Namespace, part: Audio | Video | None) -> Iterator[LiveObserver]:
    """What watches, as the options say; a camera is opened before a model is loaded."""
    if not watches(arguments):
        yield LiveObserver(None)
        return
    from tutti.content import Video
    from tutti.media.limits import Limits
    from tutti.media.live_pictures import Camera, played_pictures
    from tutti.search.live_questions import LiveQuestions
    from tutti.search.live_watch import LiveWatch

    with ExitStack() as stack:
        camera = stack.enter_context(closing(Camera(arguments.camera))) if arguments.camera is not None else None
        voice = _voice() if arguments.speak else None
        limits = Limits.for_streaming(read_settings())
        pictures = played_pictures(part, limits) if isinstance(part, Video) else None
        model = _seeing(arguments.seeing)
        watch = LiveWatch(model.embedder(), arguments.alert)
        questions = LiveQuestions(model.responder(), watch, model.name) if arguments.answer else None
        if arguments.answer and pictures is None and camera is None:
            note("Nothing is seen: there is no film and no --camera, so questions cannot be answered from a picture.")
        yield LiveObserver(watch, questions, pictures, camera, voice)
        if voice is not None:
            voice[1].stop()


def _seeing(name: str) -> Any:
    import tutti

    return tutti.load(name)


def _voice() -> tuple[Voice, Loudspeaker]:
    from tutti.media.voice import EspeakVoice, Loudspeaker

    return EspeakVoice(), Loudspeaker()
