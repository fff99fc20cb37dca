"""What writes down speech as one who answers: with what is said, so that transcripts are measured as answers are."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tutti.content import Answer, Conversation, Event, Finished, Media, SamplingOptions, TextDelta, Usage
from tutti.errors import InputError
from tutti.interfaces import Transcriber


class Dictation:
    """A `Responder` whose answer is what the one medium of a conversation says; questions do not count.

    Args:
        transcriber: Writes it down.
        name: What reports call it.
    """

    def __init__(self, transcriber: Transcriber, name: str) -> None:
        self._transcriber, self.name = transcriber, name

    def stream(self, conversation: Conversation, _options: SamplingOptions) -> Iterator[Event]:
        """Yield the transcript, then `Finished`. Errors as for `Transcriber.transcribe`.

        Raises:
            InputError: There is not just one medium.
        """
        begun = time.perf_counter()
        media = [part for message in conversation for part in message.parts if isinstance(part, Media)]
        if len(media) != 1:
            raise InputError(f"There are {len(media)} media to write down; expected one recording.")
        text = self._transcriber.transcribe(media[0]).text
        yield TextDelta(text)
        seconds = time.perf_counter() - begun
        yield Finished(Answer(text=text, model=self.name, finish_reason="stop", usage=Usage(), seconds=seconds))
