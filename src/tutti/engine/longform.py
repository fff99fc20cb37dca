"""Recordings of any length to segments: window after window, each beginning where the last one was sure to have ended.

Source: Radford et al. 2022 (Whisper), section 3.8; reference implementation: `transformers`,
`WhisperForConditionalGeneration.generate`, sequential long-form.
We differ in: a recording ends where its sound ends, also where it is padded to a window; the reference goes on to write
down the padding. Where a head tells who speaks, windows in which nobody does are passed over, and the language is that
of the first window in which somebody does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tutti.content import TranscriptionOptions, WindowScores
from tutti.engine.speech_rules import SpeechRules
from tutti.engine.speech_window import Attempt, SpeechDecoder, SpeechWindow
from tutti.errors import InputError
from tutti.models.layers.attention import MediaMemory
from tutti.processing.speech_tokens import TIMESTAMP_S, SpeechTokens
from tutti.processing.voice_head import VoiceChances, VoiceHead

_LEAST_CONTEXT_S = 1.0
"""Shortest window that can be asked for."""
_STEADY_TEMPERATURE = 0.5
"""What was drawn at this temperature or above is not shown to the model as what was said before."""


@dataclass(frozen=True, kw_only=True)
class TokenSegment:
    """A stretch of speech, as tokens."""

    start_s: float
    end_s: float
    tokens: tuple[int, ...]
    """Its words, with the times around and perhaps within."""
    scores: WindowScores
    """Of the window in which it was heard."""
    voice: float | None = None
    """Probability that somebody speaks in it; None where nothing tells."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was heard in a recording."""

    segments: tuple[TokenSegment, ...]
    language: str | None
    """Code of the spoken language."""


class SpeechWriter:
    """Writes down recordings.

    Args:
        model: In evaluation mode.
        tokens: Ids with a meaning.
        frame_s: Seconds from one frame to the next.
        head: Tells from the encoder's states where somebody speaks.
    """

    def __init__(
        self, model: SpeechDecoder, tokens: SpeechTokens, frame_s: float, head: VoiceHead | None = None
    ) -> None:
        self.model, self.head = model, head
        self.tokens = tokens
        self.frame_s = frame_s
        self._frames_a_step = round(TIMESTAMP_S / frame_s)

    @torch.inference_mode()
    def write(
        self,
        features: Tensor,
        options: TranscriptionOptions,
        frames: int | None = None,
        progress: Callable[[float], None] | None = None,
        prompt: Sequence[int] = (),
    ) -> Written:
        """Write down a recording.

        Args:
            features: (M, F) on the model's device.
            options: How.
            frames: How many of them hold the recording; what follows is padding. None means all.
            progress: Told how much is done, from 0 to 1.
            prompt: Tokens that stand before the first window, as if they had been said; of too many, the last ones.

        Raises:
            InputError: The language or the task is not known, or the window is to be shorter than a second.
            UnsupportedTask: The model does not hear the language, or does not translate.
        """
        frames = features.shape[-1] if frames is None else frames
        size = self._window_frames(options.audio_context_s)
        # A recording of several windows needs times to know where the next one begins.
        rules = SpeechRules(self.tokens, options.timestamps != "none" or frames > size)
        language, task = self.tokens.code(options.language), self.tokens.checked_task(options.task)
        recording = _Recording(self.model, features, size)
        window = SpeechWindow(self.model, rules, recording.states(0))
        segments: list[TokenSegment] = []
        seek, steady = 0, True
        while seek < frames:
            length = min(frames - seek, size)
            chances = self._chances(recording.states(seek), length / size, options)
            if chances is not None and chances.most < (options.voice_threshold or 0.0):
                seek += length
                if progress is not None:
                    progress(min(1.0, seek / frames))
                continue
            if language is None:
                language = self._heard_language(window, recording.memory(seek))
            start = self.tokens.prompt(language, task, rules.timestamps)
            shown = options.condition_on_previous_text and steady
            before = self._before(prompt, segments) if shown or seek == 0 else []
            attempt = window.write(recording.memory(seek), [*before, *start], options)
            if not attempt.is_silence(options):
                found_here, length = self._cut(attempt, seek, length)
                segments += [self._with_voice(one, seek, chances) for one in found_here]
            steady = attempt.temperature < _STEADY_TEMPERATURE
            seek += length
            if progress is not None:
                progress(min(1.0, seek / frames))
        return Written(segments=tuple(segments), language=language)

    def _heard_language(self, window: SpeechWindow, memory: MediaMemory) -> str:
        """The code of the likeliest language of a window."""
        codes = list(self.tokens.languages)
        found = window.likeliest(memory, [self.tokens.languages[code] for code in codes])
        return next(code for code in codes if self.tokens.languages[code] == found)

    def _chances(self, states: Tensor, share: float, options: TranscriptionOptions) -> VoiceChances | None:
        """How surely somebody speaks in that share of a window that holds sound; None if nobody tells or asks."""
        if self.head is None or options.voice_threshold is None:
            return None
        there = states[0, : max(1, round(share * states.shape[1]))].float().cpu().numpy()
        return self.head.chances(there, TIMESTAMP_S)  # times are told to a state

    def _with_voice(self, segment: TokenSegment, seek: int, chances: VoiceChances | None) -> TokenSegment:
        if chances is None:
            return segment
        begins_s = seek * self.frame_s
        return replace(segment, voice=chances.within(segment.start_s - begins_s, segment.end_s - begins_s))

    def _window_frames(self, context_s: float | None) -> int:
        """Frames of a window: an even number, since the model halves them."""
        most = self.model.window_frames
        if context_s is None:
            return most
        if not context_s >= _LEAST_CONTEXT_S:
            raise InputError(f"The audio context is {context_s:g} s; expected {_LEAST_CONTEXT_S:g} or more.")
        return min(most, 2 * math.ceil(context_s / self.frame_s / 2))

    def _before(self, prompt: Sequence[int], segments: Sequence[TokenSegment]) -> list[int]:
        """What stands before a window: the prompt and what was said, as far as half of the context holds them."""
        said = [*prompt]
        for segment in segments:
            doubled = len(segment.tokens) > 2 and segment.tokens[-2] >= self.tokens.timestamp_begin
            said += segment.tokens[:-1] if doubled else segment.tokens
        said = said[-(self.model.context_length // 2 - 1) :]
        return said if self.tokens.previous is None or not said else [self.tokens.previous, *said]

    def _cut(self, attempt: Attempt, seek: int, length: int) -> tuple[list[TokenSegment], int]:
        """Cut a window's transcript at its pairs of times; the segments, and by how many frames to go on."""
        tokens, scores = attempt.tokens, attempt.scores(seek * self.frame_s)
        begin = self.tokens.timestamp_begin
        is_time = [token >= begin for token in tokens]
        pairs = [place for place in range(1, len(tokens)) if is_time[place - 1] and is_time[place]]
        if not pairs:
            return [self._uncut(tokens, is_time, (seek, length), scores)], length
        ends_alone = is_time[-2:] == [False, True]
        # Behind a time that stands alone at the end there is no speech; else the last stretch is heard again.
        stops = [*pairs, len(tokens)] if ends_alone else [*pairs[:-1], pairs[-1] + 1]
        starts = [0, *stops[:-1]]
        segments = []
        for start, stop in zip(starts, stops, strict=True):
            last = stop - 1 if ends_alone or stop != stops[-1] else stop - 2
            times = (tokens[start] - begin, tokens[last] - begin)
            segments.append(self._segment(seek, times, tokens[start:stop], scores))
        if ends_alone:
            return segments, length
        # Nought only where no rules hold for times: then the window is done, too.
        return segments, (tokens[stops[-1] - 2] - begin) * self._frames_a_step or length

    def _uncut(
        self, tokens: tuple[int, ...], is_time: Sequence[bool], place: tuple[int, int], scores: WindowScores
    ) -> TokenSegment:
        """The whole window, its first frame and length, as one segment, which ends at its last time, if it has one."""
        seek, length = place
        steps = length // self._frames_a_step
        times = [token for token, timed in zip(tokens, is_time, strict=True) if timed]
        if times and times[-1] != self.tokens.timestamp_begin:
            steps = times[-1] - self.tokens.timestamp_begin
        return self._segment(seek, (0, steps), tokens, scores)

    def _segment(
        self, seek: int, steps: tuple[int, int], tokens: tuple[int, ...], scores: WindowScores
    ) -> TokenSegment:
        start, end = (seek * self.frame_s + step * TIMESTAMP_S for step in steps)
        return TokenSegment(start_s=start, end_s=end, tokens=tokens, scores=scores)


class _Recording:
    """The windows of a recording, of which the last one heard is kept."""

    def __init__(self, model: SpeechDecoder, features: Tensor, size: int) -> None:
        self._model, self._size = model, size
        self._features = features
        self._kept: tuple[int, Tensor, MediaMemory] | None = None

    def states(self, seek: int) -> Tensor:
        """Shapes: → (1, P, D)."""
        return self._window(seek)[1]

    def memory(self, seek: int) -> MediaMemory:
        """What the decoder looks at of the window that begins at a frame."""
        return self._window(seek)[2]

    def _window(self, seek: int) -> tuple[int, Tensor, MediaMemory]:
        if self._kept is None or self._kept[0] != seek:
            size = self._size
            piece = self._features[:, seek : seek + size]
            states = self._model.encode(F.pad(piece, (0, size - piece.shape[-1]))[None])
            self._kept = (seek, states, self._model.remember(states))
        return self._kept
