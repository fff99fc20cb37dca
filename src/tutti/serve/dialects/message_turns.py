"""From the turns of Anthropic's dialect to Tutti's own messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from tutti.content import Message, Modality, Part, Text, ToolCall
from tutti.errors import InputError
from tutti.serve.dialects.shared import Open, opened
from tutti.serve.media_parts import as_data_url
from tutti.serve.schemas import messages as schemas


def turns_of(body: schemas.CountRequest, open_address: Open) -> list[Message]:
    """The conversation, its system's turn included.

    Raises:
        InputError: A medium cannot be opened, or a block stands in a turn that cannot have it.
    """
    turns: list[Message] = []
    if body.system:
        words = body.system if isinstance(body.system, str) else "\n".join(block.text for block in body.system)
        turns.append(Message("system", (Text(words),)))
    for place, turn in enumerate(body.messages):
        for message in _messages(turn, open_address, f"messages[{place}].content"):
            _add(turns, message)
    return turns


def _add(turns: list[Message], message: Message) -> None:
    """Add a turn; turns of one role behind one another are one, as the dialect says."""
    last = turns[-1] if turns else None
    if last is None or last.role != message.role or message.role in ("system", "tool"):
        turns.append(message)
        return
    parts, calls = (*last.parts, *message.parts), (*last.tool_calls, *message.tool_calls)
    turns[-1] = replace(last, parts=parts, tool_calls=calls)


def _messages(turn: schemas.MessageTurn, open_address: Open, place: str) -> list[Message]:
    if isinstance(turn.content, str):
        return [Message(turn.role, (Text(turn.content),))]
    results: list[Message] = []
    parts: list[Part] = []
    calls: list[ToolCall] = []
    for number, block in enumerate(turn.content):
        here = f"{place}[{number}]"
        match block:
            case schemas.ToolResultBlock():
                if turn.role != "user":
                    raise InputError(f"{here} is what a tool gave; only a user's turn has those.")
                results.append(_result(block, open_address, here))
            case schemas.ToolUseBlock():
                if turn.role != "assistant":
                    raise InputError(f"{here} is a call of a tool; only an assistant's turn has those.")
                calls.append(ToolCall(block.id, block.name, json.dumps(block.input)))
            case schemas.ThinkingBlock():
                continue
            case _:
                parts += _parts(block, open_address, here)
    if parts or calls or not results:
        results.append(Message(turn.role, tuple(parts) or (() if calls else (Text(""),)), tuple(calls)))
    return results


def _result(block: schemas.ToolResultBlock, open_address: Open, place: str) -> Message:
    """What a tool gave; a failure is written out for the model."""
    given: Sequence[schemas.TextBlock | schemas.ImageBlock] = ()
    parts: list[Part] = [Text("Error:")] if block.is_error else []
    if isinstance(block.content, str):
        parts.append(Text(block.content))
    elif block.content is not None:
        given = block.content
    for number, inner in enumerate(given):
        parts += _parts(inner, open_address, f"{place}.content[{number}]")
    return Message("tool", tuple(parts) or (Text(""),), tool_call_id=block.tool_use_id)


def _parts(
    block: schemas.TextBlock | schemas.ImageBlock | schemas.DocumentBlock, open_address: Open, place: str
) -> list[Part]:
    if isinstance(block, schemas.TextBlock):
        return [Text(block.text)]
    if isinstance(block, schemas.ImageBlock):
        return [_medium(block.source, "image", open_address, place)]
    heads = [f"{name}: {words}" for name, words in (("Title", block.title), ("About", block.context)) if words]
    parts: list[Part] = [Text("\n".join(heads) + "\n")] if heads else []
    if isinstance(block.source, schemas.PlainTextSource):
        return [*parts, Text(block.source.data)]
    return [*parts, _medium(block.source, "document", open_address, place)]


def _medium(
    source: schemas.Base64Source | schemas.UrlSource, modality: Modality, open_address: Open, place: str
) -> Part:
    address = source.url if isinstance(source, schemas.UrlSource) else as_data_url(source.data)
    return opened(lambda: open_address(address, modality), f"{place}.source")
