"""The tab Ask: a conversation with media, answered piece by piece, with the places and times of its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.apps.page.conversations import KeptDialogue, ShownTurn
from tutti.apps.page.models import Models
from tutti.apps.page.views import Mark, figures, marked_medium, marks_in, media_of, verdicts, without_folders
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
    error: str = ""
    """A sentence, where there is no answer."""
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
        tenant: str = "",
    ) -> Iterator[AskView]:
        """Answer a question, and keep both in the conversation.

        Args:
            dialogue: So far; its `stop` ends the answer where it is.
            question: Words; may be empty beside media.
            files: Paths of media.
            model: Which of the models; the first if None.
            verify: Check what the answer claims, by others than the model.
            tenant: Whose it is.

        Returns:
            Views, each with all of the text so far; the last is finished. Errors of the tree are sentences in it.
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
        return AskView(answer.text, figures(answer), told, notes, picture, marks, finished=True)

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
