"""Speech written down while it is said: samples in as they come, guesses and final words out.

What sounds is found first (`processing.sounding`); only that is written down. It is written down again and again as it
grows, and words on which two successive hypotheses agree are final (`agreement`). A pause ends an utterance, and all
its words become final. Sound that is done with is forgotten, so memory does not grow with the stream.

Source: Macháček et al. 2023 (Turning Whisper into Real-Time Transcription System), section 2. We differ in: pauses end
utterances, a hypothesis that repeats itself or was guessed counts for nothing, and a stretch without any end of a
segment is cut where it is quietest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tutti.content import (
    FinalSegment,
    FinalWords,
    GuessedWords,
    LiveEvent,
    Segment,
    TimedWord,
    TranscriptionOptions,
)
from tutti.processing.audio import Samples
from tutti.processing.sounding import sounding
from tutti.processing.spoken_words import is_speech
from tutti.providers.agreement import HeardWord, LocalAgreement, words_of
from tutti.providers.captions import CaptionLines

HeardSegments = tuple[Sequence[Segment], str | None]
"""Segments of some samples in order of time, and the code of the language."""
Hear = Callable[[Samples, TranscriptionOptions], HeardSegments]
"""Writes down samples, (S,) float32 mono. Times count from the first one."""

_CONTEXT_S = 3.0
"""Sound kept from before an utterance, to tell what is louder than the room."""
_LEAST_S = 1.0
"""A beginning shorter than this is not written down yet: too little to tell words from noise."""
_PADDED_S = 0.6
"""What `sounding` leaves behind the end of a sound."""
_LANGUAGE_S = 3.0
"""The language is that of the first utterance, once so much of it was heard."""
_PROMPT_LETTERS = 160
_FORGET_S = 30.0
"""What was said before a pause as long as this is not shown to the model."""
_QUIETEST_S = (6.0, 1.0)
"""A stretch without an end is cut between so many seconds before its end."""
_UNSURE = -0.6
"""Mean log-probability below which a window that may hold no speech is not believed."""
_TEMPERATURES = 3
"""How many are tried at the end of an utterance; before it, only the first."""
_MOST_AT_ONCE_S = 4.0
MOST_LATE_STEP_S = 4.0
"""Longest new sound before a stream that is late is written down again."""


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """When a stream is looked at and written down, in seconds."""

    look_s: float = 0.25
    """New sound before it is looked for pauses,"""
    step_s: float = 1.0
    """and before it is written down again."""
    pause_s: float = 0.8
    """Quiet that ends an utterance."""
    trim_s: float = 9.0
    """Of a longer stretch, segments that are final are forgotten."""
    longest_s: float = 24.0
    """A stretch of which none is final by then is cut."""
    context_beyond_s: float | None = 4.0
    """A model that hears in windows hears a shortened one, so much longer than the stretch; None is a whole window."""
    least_context_s: float = 10.0
    """No shortened window is shorter."""


class LiveTranscriber:
    """One stream of speech; a `StreamingTranscriber`.

    Args:
        hear: Writes down samples.
        sample_rate_hz: Of the samples.
        options: How; a prompt stands before the first words.
        pace: When.
        prompts: Whether `hear` takes words that were said before.
    """

    def __init__(
        self,
        hear: Hear,
        sample_rate_hz: int,
        options: TranscriptionOptions | None = None,
        pace: Cadence | None = None,
        *,
        prompts: bool = True,
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.options, self.pace = options or TranscriptionOptions(), pace or Cadence()
        self._hear, self._prompts = hear, prompts
        self._step_s = self.pace.step_s
        self.language = self.options.language
        """As given, else as heard; None before."""
        self._samples: Samples = np.zeros(0, np.float32)
        self._start = 0
        """Samples of the stream before those that are kept."""
        self._begun: int | None = None
        """Where in them the utterance begins, while there is one."""
        self._seen = self._heard = 0
        """New samples since they were looked at, and written down."""
        self._agreement, self._captions = LocalAgreement(), CaptionLines()
        self._newest: tuple[int, int, list[HeardWord]] | None = None
        """The newest hypothesis, and between which samples of the stream it was heard."""
        self._guess = ""
        self._said, self._said_s = self.options.prompt, 0.0

    def catch_up(self, late_s: float) -> None:
        """Write down less often while what is fed is late, up to once in `MOST_LATE_STEP_S`; 0 as the pace says."""
        self._step_s = min(max(self.pace.step_s, late_s), MOST_LATE_STEP_S)

    @property
    def in_utterance(self) -> bool:
        """Whether something sounds, or did until a moment ago."""
        return self._begun is not None

    @property
    def seconds(self) -> float:
        """How much was taken."""
        return (self._start + len(self._samples)) / self.sample_rate_hz

    def feed(self, samples: Samples) -> list[LiveEvent]:
        """Take the next samples. Errors as those of the model that hears."""
        found: list[LiveEvent] = []
        most = round(_MOST_AT_ONCE_S * self.sample_rate_hz)
        for at in range(0, len(samples), most):
            part = np.asarray(samples[at : at + most], np.float32)
            self._samples = np.concatenate([self._samples, part])
            self._seen, self._heard = self._seen + len(part), self._heard + len(part)
            if self._seen >= self.pace.look_s * self.sample_rate_hz:
                self._seen = 0
                found += self._look()
        return found

    def finish(self, *, hear: bool = True) -> list[LiveEvent]:
        """What is left; the stream may go on behind it."""
        found: list[LiveEvent] = []
        if hear:
            if self._seen:
                found += self._look(step=False)
            if self._begun is not None:
                found += self._end(len(self._samples))
        found += [FinalSegment(one) for one in self._captions.close()]
        found += self._guessed([])
        self._agreement, self._begun = LocalAgreement(), None
        self._drop(len(self._samples))
        self._seen = self._heard = 0
        return found

    def _look(self, *, step: bool = True) -> list[LiveEvent]:
        """Find what sounds, end what has ended, and write down what has grown."""
        rate_hz = self.sample_rate_hz
        found: list[LiveEvent] = []
        while True:
            stretches = sounding(self._samples, rate_hz)
            now = next((one for one in stretches if self._begun is None or one.stop > self._begun), None)
            if self._begun is None:
                if now is None:
                    self._drop(len(self._samples) - round(_CONTEXT_S * rate_hz))
                    return found
                self._begun = now.start
                self._drop(self._begun - round(_CONTEXT_S * rate_hz))
                continue
            stop = self._begun if now is None else now.stop
            if len(self._samples) - stop < (self.pace.pause_s - _PADDED_S) * rate_hz:
                break
            found += self._end(stop)
        length = len(self._samples) - self._begun
        if length > self.pace.longest_s * rate_hz:
            return [*found, *self._end(self._quietest(), goes_on=True)]
        if step and self._heard >= self._step_s * rate_hz and length >= _LEAST_S * rate_hz:
            self._heard = 0
            found += self._step()
        return found

    def _step(self) -> list[LiveEvent]:
        """Write the utterance down as far as it is there."""
        begun = self._begun or 0
        words = self._words(self._samples[begun:], last=False)
        self._newest = None
        if words is None:
            return []
        self._newest = (self._start + begun, self._start + len(self._samples), words)
        found = self._final(self._agreement.agreed(words))
        if len(self._samples) - begun > self.pace.trim_s * self.sample_rate_hz:
            done = self._agreement.cut()
            if done:
                self._remember(done)
                self._agreement.shift(done[-1].end_s)
                self._begun = begun + round(done[-1].end_s * self.sample_rate_hz)
        found += self._guessed(self._agreement.guess)
        self._drop((self._begun or 0) - round(_CONTEXT_S * self.sample_rate_hz))
        return found

    def _end(self, stop: int, *, goes_on: bool = False) -> list[LiveEvent]:
        """End the utterance at a sample: all its words are final. It may go on behind, as another one."""
        begun = self._begun or 0
        words = self._whole(begun, stop)
        found = self._final(self._agreement.agreed(words, all_of_them=True))
        self._remember(self._agreement.final)
        if not goes_on:
            found += [FinalSegment(one) for one in self._captions.close()]
        self._agreement, self._begun, self._heard = LocalAgreement(), stop if goes_on else None, 0
        found += self._guessed([])
        self._drop(stop)
        return found

    def _whole(self, begun: int, stop: int) -> list[HeardWord]:
        """The words of an utterance; those of the newest hypothesis, if only quiet came behind it."""
        if self._newest is not None:
            start, end, words = self._newest
            covered = self._start + stop - round(_PADDED_S / 2 * self.sample_rate_hz)
            if start == self._start + begun and end >= covered:
                return words
        return (self._words(self._samples[begun:stop], last=True) or []) if stop > begun else []

    def _words(self, samples: Samples, *, last: bool) -> list[HeardWord] | None:
        """A hypothesis; None where it is not to be believed."""
        count = _TEMPERATURES if last else 1
        options = replace(
            self.options,
            language=self.language,
            prompt=self._shown(),
            temperatures=self.options.temperatures[:count],
            audio_context_s=self._context_s(len(samples) / self.sample_rate_hz),
        )
        segments, language = self._hear(samples, options)
        spoken = [one for one in segments if is_speech(one)]
        believed = [one for one in spoken if self._is_believed(one)]
        if len(believed) < len(spoken) and not last:
            return None
        within_s = len(samples) / self.sample_rate_hz
        if believed and within_s >= _LANGUAGE_S:
            self.language = self.language or language
        return words_of(believed, within_s)

    def _context_s(self, stretch_s: float) -> float | None:
        if self.pace.context_beyond_s is None:
            return self.options.audio_context_s
        return max(self.pace.least_context_s, stretch_s + self.pace.context_beyond_s)

    def _shown(self) -> str:
        """What was said before, for the model."""
        if not self._prompts:
            return ""
        begun_s = (self._start + (self._begun or 0)) / self.sample_rate_hz
        return self._said if begun_s - self._said_s < _FORGET_S else self.options.prompt

    def _is_believed(self, segment: Segment) -> bool:
        scores, options = segment.scores, self.options
        if scores is None:
            return True
        limits = (options.compression_ratio_threshold, options.logprob_threshold, options.no_speech_threshold)
        repeats, unsure, silent = limits
        sure = scores.mean_log_probability
        return not (
            (repeats is not None and scores.compression_ratio > repeats)
            or (unsure is not None and sure < unsure)
            or (silent is not None and scores.no_speech > silent and sure < _UNSURE)
        )

    def _final(self, words: Sequence[TimedWord]) -> list[LiveEvent]:
        """Words of the utterance on the clock of the stream, none of them before the one before."""
        if not words:
            return []
        begun_s = (self._start + (self._begun or 0)) / self.sample_rate_hz
        placed = []
        for word in words:
            start_s = max(self._said_s, begun_s + word.start_s)
            self._said_s = max(start_s, begun_s + word.end_s)
            placed.append(TimedWord(start_s=start_s, end_s=self._said_s, text=word.text))
        final = FinalWords(tuple(placed))
        return [final, *(FinalSegment(one) for one in self._captions.add(placed))]

    def _remember(self, words: Sequence[TimedWord]) -> None:
        """Words whose sound is gone: they are shown to the model before what follows."""
        said = " ".join([self._said, *(word.text for word in words)]).strip()
        self._said = said if len(said) <= _PROMPT_LETTERS else said[-_PROMPT_LETTERS:].partition(" ")[2]

    def _guessed(self, words: Sequence[TimedWord]) -> list[LiveEvent]:
        text = " ".join(word.text for word in words)
        if text == self._guess:
            return []
        self._guess = text
        begun_s = (self._start + (self._begun or 0)) / self.sample_rate_hz
        start_s, end_s = (words[0].start_s, words[-1].end_s) if words else (0.0, 0.0)
        return [GuessedWords(text, begun_s + start_s, begun_s + end_s)]

    def _quietest(self) -> int:
        """Where near its end a stretch is quietest, to a tenth of a second."""
        rate_hz = self.sample_rate_hz
        low, high = (len(self._samples) - round(one * rate_hz) for one in _QUIETEST_S)
        tenth = rate_hz // 10
        blocks = self._samples[low : low + (high - low) // tenth * tenth].reshape(-1, tenth)
        return low + int(np.square(blocks).mean(axis=1).argmin()) * tenth + tenth // 2

    def _drop(self, count: int) -> None:
        """Forget samples from the beginning."""
        if count <= 0:
            return
        self._samples, self._start = self._samples[count:].copy(), self._start + count
        if self._begun is not None:
            self._begun = max(0, self._begun - count)
