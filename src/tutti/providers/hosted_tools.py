"""Tools of hosted models: what a conversation with them costs, and calls as they come in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from tutti.content import Conversation, Message, SamplingOptions, ToolCall, ToolCallDelta


@dataclass(slots=True)
class PartialCalls:
    """The calls of an answer so far."""

    calls: list[ToolCall] = field(default_factory=list)
    _numbers: dict[object, int] = field(default_factory=dict)

    def add(self, delta: ToolCallDelta) -> ToolCallDelta:
        """Keep what a delta adds."""
        if delta.index == len(self.calls):
            self.calls.append(ToolCall(delta.id, delta.name, delta.arguments))
        else:
            known = self.calls[delta.index]
            self.calls[delta.index] = ToolCall(known.id, known.name, known.arguments + delta.arguments)
        return delta

    def piece(self, place: object, call_id: str = "", name: str = "", arguments: str = "") -> ToolCallDelta:
        """A piece as a provider numbers it; another id in the same place is another call.

        Args:
            place: The provider's number of the call.
            call_id: In the first piece.
            name: In the first piece.
            arguments: The next piece of their JSON.
        """
        number = self._numbers.get(place)
        if number is None or (call_id and call_id != self.calls[number].id):
            number = self._numbers[place] = len(self.calls)
            return self.add(ToolCallDelta(number, call_id or f"call_{number}", name, arguments))
        return self.add(ToolCallDelta(number, arguments=arguments))

    def completed(self) -> Iterable[ToolCallDelta]:
        """Arguments of calls that had none, as JSON."""
        for number, call in enumerate(self.calls):
            if not call.arguments:
                yield self.add(ToolCallDelta(number, arguments="{}"))


def with_tools(conversation: Conversation, options: SamplingOptions) -> Conversation:
    """A conversation with all that is sent of tools as words in it, for estimates of what it costs."""
    words = [json.dumps(tool.to_function()) for tool in options.offered]
    words += [call.name + call.arguments for message in conversation for call in message.tool_calls]
    return [*conversation, Message.user("\n".join(words))] if words else conversation
