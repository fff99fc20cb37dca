"""The tab Ask: a conversation with media, answered piece by piece, with the places and times of its evidence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.apps.page.conversations import KeptDialogue, ShownTurn
from tutti.apps.page.models import Models
from tutti.apps.page.views import (
    Mark,
    Moment,
    figures,
    marked_medium,
    marks_in,
    media_of,
    moments_in,
    verdicts,
    without_folders,
)
from tutti.content import Answer, Finished, Image, Media, Message, TextDelta, Usage
from tutti.errors import InputError, TuttiError
from tutti.media import Limits, wrap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STOPPED = "Stopped."
DEFAULT_QUESTION = "What is this?"
"""Asked of media that come without words."""


@dataclass(frozen=True, eq=False)
class AskView:
    """What the page shows of an answer, so far."""

    text: str
    figures: str = ""
    """Model, tokens, seconds, cost; empty until the end."""
    verdicts: tuple[str, ...] = ()
    """A line for each claim."""
    notes: tuple[str, ...] = ()
    picture: NDArray[np.uint8] | None = None
    """(H, W, 3) the picture that evidence lies in."""
    marks: tuple[Mark, ...] = ()
    moments: tuple[tuple[str, tuple[Moment, ...]], ...] = ()
    """Path of a recording or film → when evidence lies in it."""
    error: str = ""
    """A sentence, where there is no answer."""
    preview: str = ""
    """JSON: what would be sent to a model elsewhere, where nothing was sent yet."""
    finished: bool = False


class AskRoom:
    """Answers questions of conversations.

    Args:
        models: Those that may be asked.
        limits: Budgets for the pictures that are drawn.
    """

    def __init__(self, models: Models, limits: Limits) -> None:
        self.models, self.limits = models, limits

    def ask(
        self,
        dialogue: KeptDialogue,
        question: str,
        files: Sequence[str] = (),
        *,
        model: str | None = None,
        verify: bool = False,
        send: bool = False,
        tenant: str = "",
    ) -> Iterator[AskView]:
        """Answer a question, and keep both in the conversation. A model elsewhere is sent only what was shown before.

        Args:
            dialogue: So far; its `stop` ends the answer where it is.
            question: Words; may be empty beside media.
            files: Paths of media.
            model: Which of the models; the first if None.
            verify: Check what the answer claims, by others than the model.
            send: The person has seen what would be sent to a model elsewhere, and wants it sent.
            tenant: Whose it is.

        Returns:
            Views, each with all of the text so far; the last is finished. Errors of the tree are sentences in it. Of a
            model elsewhere, one view with the preview, until the same is asked again with `send`.
        """
        if not dialogue.busy.acquire(blocking=False):
            yield AskView(
                "", error="The last question is still being answered; wait for it, or stop it.", finished=True
            )
            return
        dialogue.stop.clear()
        asked: Message | None = None
        view = AskView("")
        try:
            asked = Message.user(*self._media(files), self._words(question, files))
            if not self.models.is_open(model):
                yield AskView("", notes=(f"{self.models.called(model)} is being loaded.",))
            if preview := self._unseen(dialogue, asked, model, send=send):
                yield AskView("", preview=preview, finished=True)
                return
            for view in self._answered(dialogue, asked, tuple(files), model, verify, tenant):
                yield view
        except TuttiError as error:
            # What was shown already stays visible above the sentence.
            sentence = str(error)
            for file in files:  # where it lies is the server's affair
                sentence = sentence.replace(file, Path(file).name)
            yield replace(view, error=sentence, finished=True)
        finally:
            dialogue.busy.release()

    def _answered(
        self,
        dialogue: KeptDialogue,
        asked: Message,
        files: tuple[str, ...],
        name: str | None,
        verify: bool,
        tenant: str,
    ) -> Iterator[AskView]:
        model = self.models.get(name)
        conversation = [*dialogue.messages(), asked]
        events = model.stream(conversation, verify=verify, tenant=tenant)
        text, answer = "", None
        try:
            for event in events:
                if isinstance(event, TextDelta):
                    text += event.text
                    yield AskView(text)
                elif isinstance(event, Finished):
                    answer = event.answer
                if dialogue.stop.is_set():
                    break
        except GeneratorExit:  # the page was closed or loaded again: what was said so far stays in the conversation
            dialogue.turns.append(ShownTurn(asked, _cancelled(text, model.name), files))
            raise
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
        dialogue.turns.append(ShownTurn(asked, answer or _cancelled(text, model.name), files))
        yield self.view(answer, conversation) if answer else AskView(text, notes=(STOPPED,), finished=True)

    def preview(
        self, dialogue: KeptDialogue, question: str, files: Sequence[str], model: str | None, *, send: bool = False
    ) -> str:
        """What asking would send to a model elsewhere, as JSON; empty where nothing would be, or it was agreed to.

        Raises:
            TuttiError: The question or a medium cannot be sent so.
        """
        asked = Message.user(*self._media(files), self._words(question, files))
        return self._unseen(dialogue, asked, model, send=send)

    def _unseen(self, dialogue: KeptDialogue, asked: Message, name: str | None, *, send: bool) -> str:
        """What would be sent elsewhere, unless it was shown just so and is wanted; empty of a model of this machine."""
        if not self.models.is_elsewhere(name):
            return ""
        values = self.models.get(name).preview([*dialogue.messages(), asked])
        preview = json.dumps(values, indent=2, ensure_ascii=False, default=str)
        digest = hashlib.sha256(f"{self.models.called(name)}\0{preview}".encode()).hexdigest()
        if send and digest in dialogue.previewed:
            dialogue.previewed.discard(digest)
            return ""
        dialogue.previewed.add(digest)
        return preview

    def view(self, answer: Answer, conversation: Sequence[Message]) -> AskView:
        """A whole answer, with the picture that its evidence lies in."""
        media = media_of(conversation)
        at = marked_medium(answer, len(media))
        picture = None
        marks: tuple[Mark, ...] = ()
        shown = None if at is None else media[at]
        if at is not None and isinstance(shown, Image):
            from tutti.media import decode_image

            picture = decode_image(shown, self.limits)
            marks = tuple(marks_in(answer, at))
        told = without_folders(verdicts(answer), media)
        notes = without_folders(answer.notes, media)
        moments = tuple(
            (str(medium.source), tuple(some))
            for place, medium in enumerate(media)
            if isinstance(medium.source, Path) and (some := moments_in(answer, place))
        )
        return AskView(answer.text, figures(answer), told, notes, picture, marks, moments, finished=True)

    @staticmethod
    def _media(files: Sequence[str]) -> list[Media]:
        media = []
        for file in files:
            part = wrap(Path(file))
            if not isinstance(part, Media):
                raise InputError(f"{Path(file).name} holds words; put them into the question.")
            media.append(part)
        return media

    @staticmethod
    def _words(question: str, files: Sequence[str]) -> str:
        if question.strip():
            return question.strip()
        if files:
            return DEFAULT_QUESTION
        raise InputError("The question is empty; write one, or give a picture, a recording, a film or a document.")


def _cancelled(text: str, model: str) -> Answer:
    return Answer(text=text, model=model, finish_reason="cancelled", usage=Usage(), seconds=0.0)
