"""A chain of models: the next is asked where the one before fails before its first word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tutti.content import Conversation, Event, SamplingOptions
from tutti.errors import InputError, ProviderError, UnsupportedTask
from tutti.interfaces import Responder


class Fallback:
    """A `Responder` over several.

    Args:
        responders: In the order in which they are asked.
        say: Told when one fails, and why.

    Raises:
        InputError: There is none.
    """

    def __init__(self, responders: Sequence[Responder], say: Callable[[str], None] = lambda text: None) -> None:
        if not responders:
            raise InputError("A chain of no models was given; expected at least one.")
        self.responders = tuple(responders)
        self.say = say

    @property
    def name(self) -> str:
        """All names in order; an answer carries the name of the one that gave it."""
        return " > ".join(responder.name for responder in self.responders)

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """Ask the first, and on a `ProviderError` or a modality that it does not take before its first word the next.

        Raises:
            ProviderError: The last one's, where all fail; or one's that had begun to answer.
            UnsupportedTask: The last one's.
        """
        last = self.responders[-1]
        for responder in self.responders:
            begun = False
            try:
                for event in responder.stream(conversation, options):
                    begun = True
                    yield event
            except (ProviderError, UnsupportedTask) as error:
                if begun or responder is last:
                    raise
                self.say(f"{error} Asking the next model.")
            else:
                return
