"""From a stream of events to its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tutti.content.messages import Answer, AnswerDelta, Event, Finished
from tutti.errors import ProviderError


def answer_of_stream(events: Iterable[Event], name: str, each: Callable[[AnswerDelta], None] | None = None) -> Answer:
    """The answer that a stream ends with.

    Args:
        events: Of a `Responder`.
        name: Who answers, for the error.
        each: Called with every piece on the way, of text or of a call; what it raises ends the wait.

    Raises:
        ProviderError: The stream ended without an answer.
    """
    for event in events:
        if isinstance(event, Finished):
            return event.answer
        if each is not None:
            each(event)
    raise ProviderError(f"{name} ended its stream without an answer; ask again, or another model.")
