"""Models on this machine that write down speech: from samples to segments, each family in its own way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from tutti.checkpoints import Loaded
from tutti.checkpoints.devices import computing_device, computing_dtype, placed, within_memory
from tutti.checkpoints.voice_head import read_voice_head
from tutti.content import Audio, Media, Segment, SpeechTask, TimedWord, Transcript, TranscriptionOptions, Video
from tutti.engine.ctc import Speller, spell
from tutti.engine.longform import SpeechWriter, TokenSegment
from tutti.engine.speech_window import SpeechDecoder
from tutti.errors import InputError, UnsupportedTask
from tutti.media import MediaDecoder
from tutti.processing.audio import Samples
from tutti.processing.ctc import Word
from tutti.processing.sounding import LEAST_RECORDING_S, Packed, Stretch, packed, sounding
from tutti.processing.wav2vec2 import Wav2Vec2Processor
from tutti.processing.whisper import WhisperProcessor
from tutti.providers.live import Cadence, HeardSegments, LiveTranscriber

ProgressCallback = Callable[[float], None]

_PAUSE_S = 0.5
"""A silence of so many seconds between words ends a segment,"""
_LONGEST_SEGMENT_S = 12.0
"""and so does the next word behind so many."""
_WORTH_PACKING = 0.95
"""Where more of a recording than this holds something, it is seen as a whole."""
_TIMES_ERR_BY_S = 0.5
"""How far the times of words that were said may lie from where they were said."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was said."""

    text: str
    segments: Sequence[Segment]
    language: str | None
    task: SpeechTask
    words: tuple[TimedWord, ...] = ()

    def within(self, duration_s: float) -> tuple[Segment, ...]:
        """The segments that say something, none of them behind the end of the recording."""
        return tuple(
            Segment(
                start_s=min(max(0.0, segment.start_s), duration_s),
                end_s=min(max(0.0, segment.end_s), duration_s),
                text=segment.text,
                tokens=segment.tokens,
                scores=segment.scores,
            )
            for segment in self.segments
            if segment.text
        )


class WhisperListener:
    """A Whisper checkpoint: segments with times, many languages, and their translation.

    Args:
        loaded: The checkpoint.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.processor = cast("WhisperProcessor", loaded.processor)
        self.device, self.dtype = computing_device(loaded.model), computing_dtype(loaded.model)
        model = cast("SpeechDecoder", loaded.model)
        head = read_voice_head(Path(loaded.info.path), model.kv_heads * model.head_width)
        self.writer = SpeechWriter(model, self.processor.tokens, self.processor.frame_s, head)
        self._lock = threading.Lock()

    def listen(self, samples: Samples, options: TranscriptionOptions, progress: ProgressCallback | None) -> Heard:
        """Write down samples.

        Raises:
            InputError: The language or the task is not known, or an option is out of range.
            UnsupportedTask: The model does not hear the language, does not translate, or does not time words.
        """
        if options.timestamps == "word":
            raise UnsupportedTask(
                "Whisper gives the times of segments here, not of words; a Wav2Vec2 checkpoint gives those, "
                "such as facebook/wav2vec2-base-960h."
            )
        task, language = self.processor.tokens.checked_task(options.task), self.processor.tokens.code(options.language)
        rate_hz = self.processor.sounds.sampling_rate
        stretches = sounding(samples, rate_hz)
        if not stretches:
            return Heard(text="", segments=(), language=language, task=task)
        whole = Packed(samples, [(0, 0, len(samples))])
        # What fits into a window is seen as a whole, as in the reference; of more, only what holds something.
        is_long = len(samples) > self.processor.sounds.max_samples
        held = sum(one.stop - one.start for one in stretches)
        packing = packed(samples, stretches) if is_long and held < _WORTH_PACKING * len(samples) else whole
        features = placed(torch.from_numpy(self.processor.features(packing.samples)), self.device, self.dtype)
        frames = max(1, min(features.shape[1], len(packing.samples) // self.processor.sounds.hop_length))
        with self._lock:  # its memory is one window's; an index reads several recordings at a time
            written = self.writer.write(features, options, frames, progress, self.processor.words(options.prompt))
        least = options.voice_threshold or 0.0
        kept = [
            part
            for part in written.segments
            if (part.voice is None or part.voice >= least) and self._is_heard(part, packing, stretches)
        ]
        said = [token for part in kept for token in part.tokens]
        return Heard(
            text=self.processor.text(said).strip(),
            segments=[
                Segment(
                    start_s=packing.place(part.start_s * rate_hz) / rate_hz,
                    end_s=packing.place(part.end_s * rate_hz, is_end=True) / rate_hz,
                    text=self.processor.text(part.tokens).strip(),
                    tokens=part.tokens,
                    scores=part.scores,
                )
                for part in kept
            ],
            language=written.language,
            task=task,
        )

    def _is_heard(self, part: TokenSegment, packing: Packed, stretches: Sequence[Stretch]) -> bool:
        """Whether a segment lies where something sounds: not in the padding behind the end, nor in a long silence."""
        rate_hz = self.processor.sounds.sampling_rate
        if part.start_s >= len(packing.samples) / rate_hz:
            return False
        start, stop = packing.place(part.start_s * rate_hz), packing.place(part.end_s * rate_hz, is_end=True)
        margin = _TIMES_ERR_BY_S * rate_hz
        return any(one.start - margin < stop and start < one.stop + margin for one in stretches)


class CTCListener:
    """A Wav2Vec2 checkpoint: letters and the times of words, in the language it was trained on.

    Args:
        loaded: The checkpoint.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.processor = cast("Wav2Vec2Processor", loaded.processor)
        self.device, self.dtype = computing_device(loaded.model), computing_dtype(loaded.model)
        self.model = cast("Speller", loaded.model)

    def listen(self, samples: Samples, options: TranscriptionOptions, progress: ProgressCallback | None) -> Heard:
        """Write down samples.

        Raises:
            InputError: The recording is shorter than one frame, or there is no such task.
            UnsupportedTask: A language or a translation was asked for.
        """
        if options.task not in (None, "transcribe", "translate"):
            raise InputError(f"The task is {options.task!r}; expected transcribe or translate.")
        if options.language is not None or options.task == "translate":
            wanted = "translate" if options.task == "translate" else "choose a language"
            raise UnsupportedTask(
                f"Wav2Vec2 spells what it hears in the language it was trained on and does not {wanted}; "
                "Whisper does, such as openai/whisper-base."
            )
        if options.prompt or any(options.temperatures[:1]):
            raise UnsupportedTask(
                "Wav2Vec2 takes neither words before a recording nor a temperature; leave them out, or use Whisper."
            )
        rate_hz = self.processor.sounds.sampling_rate
        if len(samples) >= LEAST_RECORDING_S * rate_hz and not sounding(samples, rate_hz):
            return Heard(text="", segments=(), language=None, task="transcribe")
        inputs = placed(torch.from_numpy(self.processor.sounds(samples)), self.device, self.dtype)
        ids = spell(self.model, inputs, progress)
        text, words = self.processor.vocabulary.decode(ids)
        frame_s = self.model.config.samples_per_frame / self.processor.sounds.sampling_rate
        groups = [[word] for word in words] if options.timestamps == "word" else _groups(words, frame_s)
        segments = [
            Segment(
                start_s=group[0].start * frame_s,
                end_s=group[-1].stop * frame_s,
                text=self.processor.vocabulary.space.join(word.text for word in group),
            )
            for group in groups
        ]
        timed = tuple(TimedWord(start_s=one.start_s, end_s=one.end_s, text=one.text) for one in segments)
        said = timed if options.timestamps == "word" else ()
        return Heard(text=text, segments=segments, language=None, task="transcribe", words=said)


def _groups(words: Sequence[Word], frame_s: float) -> list[list[Word]]:
    """Words between pauses."""
    groups: list[list[Word]] = []
    for word in words:
        pause_s = (word.start - groups[-1][-1].stop) * frame_s if groups else _PAUSE_S
        if pause_s >= _PAUSE_S or (word.stop - groups[-1][0].start) * frame_s > _LONGEST_SEGMENT_S:
            groups.append([])
        groups[-1].append(word)
    return groups


_LISTENERS: Mapping[str, type[WhisperListener | CTCListener]] = {"wav2vec2": CTCListener, "whisper": WhisperListener}
"""Family → what writes down speech with its checkpoints."""


class LocalTranscriber:
    """A checkpoint that writes down speech.

    Args:
        name: What reports call it.
        loaded: The checkpoint.
        decoder: Decodes the media.
        _shelf: For embeddings, which it makes none of.
    """

    def __init__(self, name: str, loaded: Loaded, decoder: MediaDecoder, _shelf: object = None) -> None:
        self.name = name
        self.decoder = decoder
        self.processor = loaded.processor
        self.listener = _LISTENERS[loaded.info.family](loaded)

    def transcribe(
        self,
        medium: Media,
        options: TranscriptionOptions | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        """Write down the speech of a recording or of a video's sound.

        Raises:
            InputError: The medium cannot be read, has no sound or is too short, or an option is out of range.
            CapacityError: It is over a budget, or a GPU's memory is used up.
            UnsupportedTask: The medium has no sound by its nature, or the model cannot do what was asked.
        """
        begun = time.perf_counter()
        if not isinstance(medium, (Audio, Video)):
            raise UnsupportedTask(
                f"{self.name} takes {self.processor.accepts}, and was given {medium.modality}",
                "transcribe",
                medium.modality,
            )
        audio = medium if isinstance(medium, Audio) else Audio(medium.source)
        rate = self.processor.decodings["audio"].sample_rate_hz
        sound = self.decoder.sound(audio)
        sound = sound if rate is None else sound.resampled(rate)
        with within_memory():
            heard = self.listener.listen(sound.samples, options or TranscriptionOptions(), progress)
        return Transcript(
            text=heard.text,
            segments=heard.within(sound.duration_s),
            model=self.name,
            language=heard.language,
            task=heard.task,
            duration_s=sound.duration_s,
            seconds=time.perf_counter() - begun,
            words=heard.words,
        )

    def live(self, options: TranscriptionOptions | None = None, pace: Cadence | None = None) -> LiveTranscriber:
        """One stream of speech, written down while it is said.

        Args:
            options: How.
            pace: When.

        Raises:
            InputError: The language or the task is not known.
            UnsupportedTask: The model does not hear the language, or what it hears has no fixed rate.
        """
        rate_hz = self.processor.decodings["audio"].sample_rate_hz
        if rate_hz is None:
            raise UnsupportedTask(f"{self.name} does not write down speech while it is said.")
        options = options or TranscriptionOptions()
        self.listener.listen(np.zeros(rate_hz // 20, np.float32), options, None)  # what it cannot do is said at once

        def hear(samples: Samples, asked: TranscriptionOptions) -> HeardSegments:
            heard = self.listener.listen(samples, asked, None)
            return heard.within(len(samples) / rate_hz), heard.language

        return LiveTranscriber(hear, rate_hz, options, pace, prompts=isinstance(self.listener, WhisperListener))
