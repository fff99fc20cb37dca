"""The Whisper of the package beside a model that answers and embeds: speech is written down, and answered from."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from tutti.content import (
    Answer,
    Claim,
    Conversation,
    Event,
    Finished,
    Media,
    Part,
    SamplingOptions,
    SpeechTask,
    Text,
    TextDelta,
    Transcript,
    TranscriptionOptions,
    Usage,
)
from tutti.errors import CapacityError, InputError
from tutti.media import MediaDecoder
from tutti.processing.spoken_words import SURE
from tutti.providers.documents import has_documents, quoted
from tutti.providers.ears import Ears
from tutti.providers.question_routes import QuestionRoutes, asked_of
from tutti.providers.spoken import Asked, about_speech, claims, told

if TYPE_CHECKING:
    import torch

    from tutti.providers.speech import ProgressCallback

    class _Answering(QuestionRoutes):
        """What the class that this is mixed into has."""

        name: str
        decoder: MediaDecoder
        device: torch.device

        def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]: ...
else:
    _Answering = QuestionRoutes


_VOICE = re.compile(r"\bvoice\b", re.IGNORECASE)
_LISTED = re.compile(r",|\band\b")
_LONGEST_NAME = 4
"""Words in which a model names a sound; what is longer is none that it knows, and may be speech."""


def _may_be_voice(heard: str) -> bool:
    """Whether what a model hears is a voice, or no name of a sound."""
    names = [name.split() for name in _LISTED.split(heard)]
    return bool(_VOICE.search(heard)) or any(len(name) > _LONGEST_NAME for name in names)


def _media(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if not isinstance(part, Text))


class Listening(_Answering):
    """Goes before a class that answers and embeds."""

    @cached_property
    def ears(self) -> Ears:
        """What writes down speech."""
        return Ears(self.decoder, str(self.device))

    def transcribe(
        self, medium: Media, options: TranscriptionOptions | None = None, progress: ProgressCallback | None = None
    ) -> Transcript:
        """The speech of a recording or of a video's sound. Errors as for `LocalTranscriber.transcribe`."""
        return self.ears.transcribe(medium, options, progress)

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """As without ears; what is asked about spoken words is answered from the transcript, its evidence.

        Of a document, whose pages its context does not hold, the passages nearest to the question are the answer.
        """
        shaped = options.json_schema is not None or options.offered
        asked = None if shaped else self._asked_about_speech(conversation)
        if asked is not None and asked.kind == "heard":
            yield from self._heard(asked, conversation, options)
            return
        found = None if asked is None else self._from_transcript(asked, conversation, options)
        if found is None and not shaped and has_documents(conversation):
            found = self._from_document(conversation)
        if found is None and asked is not None and asked.kind == "words":
            found = self._without_words(conversation, options)
        if found is None:
            yield from super().stream(conversation, options)
        else:
            yield TextDelta(found.text)
            yield Finished(found)

    def _heard(self, asked: Asked, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """What the model hears; where that is a voice, or no name of a sound, the sentence that is spoken."""
        events = list(super().stream(conversation, options))
        (said,) = [event.answer for event in events if isinstance(event, Finished)]
        if _may_be_voice(said.text):
            found = self._from_transcript(asked, conversation, options)
            events = events if found is None else [TextDelta(found.text), Finished(found)]
        yield from events

    def _without_words(self, conversation: Conversation, options: SamplingOptions) -> Answer | None:
        """What is heard instead where words were asked for and none are written down; None if it may be a voice.

        Asked for words, a small decoder names the noise as if it had been said.
        """
        question = replace(conversation[-1], parts=(*_media(conversation[-1].parts), Text("What do you hear?")))
        events = super().stream((*conversation[:-1], question), options)
        (heard,) = [event.answer for event in events if isinstance(event, Finished)]
        if _may_be_voice(heard.text):
            return None
        return replace(heard, text=f"no words can be heard, but {heard.text}")

    def _asked_about_speech(self, conversation: Conversation) -> Asked | None:
        """The question if the last turn's is about words that are spoken, and there is a recording or a film."""
        asked = asked_of(conversation)
        if asked is None or asked.sound is None:
            return None
        return about_speech(asked, self.routed(asked.question, picture=asked.picture is not None, sound=True))

    def _from_transcript(self, asked: Asked, conversation: Conversation, options: SamplingOptions) -> Answer | None:
        """What the transcript answers; None if there is no speech, or no answer in it."""
        begun = time.perf_counter()
        task: SpeechTask | None = "translate" if asked.translate else None
        try:
            transcript = self.ears.transcribe(asked.medium, replace(SURE, task=task, seed=options.seed))
        except (InputError, CapacityError):
            return None  # a film without sound, or what the model itself refuses in its own words
        found = told(asked, transcript, self._nearness)
        if found is None:
            return None
        media = [part for message in conversation for part in message.parts if isinstance(part, Media)]
        place = next((at for at, part in enumerate(media) if part is asked.medium), 0)
        return self._taken(found.text, claims(found.segments, transcript.model, place), begun)

    def _from_document(self, conversation: Conversation) -> Answer | None:
        """What the text of a document's pages answers; None if they have none."""
        begun = time.perf_counter()
        found = quoted(conversation, self.decoder, self._nearness)
        if found is None:
            return None
        note = f"{self.name} does not read whole pages; the answer quotes the passages nearest to the question."
        return self._taken(found.text, found.claims, begun, note)

    def _taken(self, text: str, evidence: tuple[Claim, ...], begun: float, *notes: str) -> Answer:
        """An answer that was taken out of what a medium says, so that no token was computed."""
        return Answer(
            text=text,
            model=self.name,
            finish_reason="stop",
            usage=Usage(),
            seconds=time.perf_counter() - begun,
            evidence=evidence,
            notes=notes,
        )

    def _nearness(self, question: str, texts: Sequence[str]) -> list[float]:
        """Cosines of texts with a question; of what is too long for a vector, its beginning counts."""
        vectors = self._points([question, *texts])
        return [float(score) for score in vectors[1:] @ vectors[0]]
