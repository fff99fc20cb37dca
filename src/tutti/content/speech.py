"""Speech written down: how it is asked for, and what comes back, with its times."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal

SpeechTask = Literal["transcribe", "translate"]
"""Write down what was said, or say it in English."""
Timestamps = Literal["none", "segment", "word"]
"""How finely speech is placed in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionOptions:
    """How speech is written down.

    The thresholds are those of Radford et al. 2022 (Whisper), section 4.5, and count for models that draw tokens.
    """

    language: str | None = None
    """Spoken language, as a code ("fr") or in English ("french"); None lets the model tell."""
    task: SpeechTask | None = None
    """`transcribe` or `translate`; None is what the checkpoint is set to, else `transcribe`."""
    timestamps: Timestamps = "segment"
    """`none`, `segment` or `word`. Recordings longer than the model's window are timed in any case."""
    prompt: str = ""
    """Words that stand before the recording, as if they had been said: names, spelling, style."""
    condition_on_previous_text: bool = False
    """Show the model what was said before: steadier names and style, at the risk of repeating itself."""
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Tried in order, until the text of a window is believable. 0 takes the likeliest token each time."""
    compression_ratio_threshold: float | None = 1.35
    """A window whose tokens compress better than this repeats itself, and is tried again."""
    logprob_threshold: float | None = -1.0
    """A window whose mean log-probability is below is tried again."""
    no_speech_threshold: float | None = 0.6
    """A window that is silence with more than this probability, and below `logprob_threshold`, is left out."""
    voice_threshold: float | None = 0.9
    """A segment in which somebody speaks with less than this probability is left out, where the model has a head that
    tells (the Whisper of the package has). None believes all."""
    seed: int = 0
    """Seed of what is drawn at temperatures above 0."""
    audio_context_s: float | None = None
    """A shortened window, in seconds, for models that hear in windows: faster, and less sure. None is the window that
    the model was trained on, and so is more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowScores:
    """How sure a model was of a window of sound; all segments of the window share it."""

    window_start_s: float
    """Where the window begins in what the model heard."""
    temperature: float
    """At which its text was drawn."""
    mean_log_probability: float
    """Over the tokens of its text."""
    compression_ratio: float
    """Of its tokens as bytes; high where the text repeats itself."""
    no_speech: float
    """Probability that the window holds no speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech."""

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...] = ()
    """Ids of the text's tokens, where the model draws tokens."""
    scores: WindowScores | None = None
    """None where the model has no windows."""

    def to_srt(self, number: int) -> str:
        """A SubRip caption, and the end of its line; the empty line behind it is not part of it."""
        return f"{number}\n{_span(self, ',')}\n{_line(self.text).replace('-->', '->')}\n"

    def to_vtt(self) -> str:
        """A WebVTT caption, as `to_srt`."""
        return f"{_span(self, '.')}\n{escape(_line(self.text), quote=False)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedWord:
    """A word, and when it was said."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was said in a recording."""

    text: str
    segments: tuple[Segment, ...]
    """In order of time."""
    model: str
    language: str | None
    """Code of the spoken language; None where the model does not tell."""
    task: SpeechTask
    duration_s: float
    """How long the recording lasts."""
    seconds: float
    """Wall time, decoding of the medium included."""
    words: tuple[TimedWord, ...] = ()
    """In order of time, where the times of words were asked for."""

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The transcript as plain values, ready for JSON."""
        return asdict(self)

    def to_srt(self) -> str:
        """The segments as SubRip captions."""
        return "".join(f"{segment.to_srt(number)}\n" for number, segment in enumerate(self.segments, 1))

    def to_vtt(self) -> str:
        """The segments as WebVTT captions."""
        return "WEBVTT\n\n" + "".join(f"{segment.to_vtt()}\n" for segment in self.segments)


def _span(segment: Segment, point: str) -> str:
    return f"{_clock(segment.start_s, point)} --> {_clock(segment.end_s, point)}"


def _line(text: str) -> str:
    """On one line: an empty one would end the caption."""
    return " ".join(text.split())


def _clock(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and thousandths."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
