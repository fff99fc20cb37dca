"""What every dialect makes of a request that a model is to answer, before any of its media is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tutti.content import Message, SamplingOptions


@dataclass(frozen=True, slots=True)
class Question:
    """A request for answers."""

    conversation: Callable[[], list[Message]]
    """Opens the media of the request, and may take a while; raises what opening raises."""
    options: SamplingOptions
    model: str | None = None
    """Which model is asked, by the name that the client gave; None is the one that is served."""
    choices: int = 1
    """How many answers, which differ in their seeds."""
    has_calls: bool = False
    """Whether turns hold calls of tools or what tools gave."""
    verify: bool = False
    """Whether what an answer claims is checked."""
    warnings: tuple[str, ...] = ()
    """What is not done as asked, for the answer."""
    answer_id: str = ""
    """By which the client will know the answer, and may judge it."""

    def each(self) -> list[SamplingOptions]:
        """The options of each choice."""
        seed = self.options.seed
        return [replace(self.options, seed=(seed + place) % 2**63) for place in range(self.choices)]

    def without_tools(self) -> Question:
        """The question with all that concerns tools left out, and a warning that says so."""
        if not self.options.offered and not self.has_calls:
            return self
        told = "Tools were left out: this server was started with --ignore-tools."
        options = replace(self.options, tools=(), tool_choice="auto")
        asked = self.conversation

        def said() -> list[Message]:
            turns = [replace(turn, tool_calls=()) for turn in asked() if turn.role != "tool"]
            return [turn for turn in turns if turn.parts]

        return replace(self, conversation=said, options=options, has_calls=False, warnings=(*self.warnings, told))
