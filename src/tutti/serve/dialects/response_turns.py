"""From the items of OpenAI's Responses dialect to Tutti's own messages and options."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from functools import partial

from tutti.content import Message, Part, SamplingOptions, Text, Tool, ToolCall
from tutti.errors import InputError
from tutti.serve.dialects.shared import Open, opened
from tutti.serve.media_parts import as_data_url
from tutti.serve.schemas import responses as schemas


def turns_of(given: str | Sequence[schemas.InputItem], open_address: Open) -> list[Message]:
    """What is new in the conversation.

    Raises:
        InputError: A medium cannot be opened; the message says which part.
    """
    if isinstance(given, str):
        return [Message.user(given)]
    turns: list[Message] = []
    for place, item in enumerate(given):
        here = f"input[{place}]"
        match item:
            case schemas.InputMessage():
                role = "system" if item.role == "developer" else item.role
                turns.append(Message(role, tuple(_parts(item.content, open_address, f"{here}.content"))))
            case schemas.InputCall():
                call = ToolCall(item.call_id, item.name, item.arguments)
                _add_call(turns, call)
            case schemas.InputCallOutput():
                parts = tuple(_parts(item.output, open_address, f"{here}.output"))
                turns.append(Message("tool", parts, tool_call_id=item.call_id))
    return turns


def _add_call(turns: list[Message], call: ToolCall) -> None:
    """Calls are items of their own here, and part of the assistant's turn before them everywhere else."""
    if turns and turns[-1].role == "assistant":
        turns[-1] = Message("assistant", turns[-1].parts, (*turns[-1].tool_calls, call))
    else:
        turns.append(Message("assistant", (), (call,)))


def _parts(content: str | Sequence[schemas.InputPart], open_address: Open, place: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    parts = [opened(partial(_part, part, open_address), f"{place}[{number}]") for number, part in enumerate(content)]
    return parts or [Text("")]


def _part(part: schemas.InputPart, open_address: Open) -> Part:
    match part:
        case schemas.InputText():
            return Text(part.text)
        case schemas.InputRefusal():
            return Text(part.refusal)
        case schemas.InputImage():
            return open_address(part.image_url, "image")
        case schemas.ResponseAudio():
            return open_address(as_data_url(part.input_audio.data), "audio")
        case schemas.ResponseVideo():
            return open_address(as_data_url(part.input_video.data), "video")
        case schemas.InputFile():
            if (part.file_data is None) == (part.file_url is None):
                raise InputError("Give either file_data or file_url.")
            return open_address(part.file_url or as_data_url(part.file_data or ""), None)


def options_of(body: schemas.ResponsesRequest, tenant: str) -> SamplingOptions:
    """How the answer is to be drawn. Without a temperature it is the likeliest one, as everywhere in Tutti."""
    told = bool(body.top_logprobs) or "message.output_text.logprobs" in (body.include or ())
    choice = body.tool_choice
    return SamplingOptions(
        max_tokens=body.max_output_tokens or SamplingOptions().max_tokens,
        temperature=body.temperature or 0.0,
        top_p=1.0 if body.top_p is None else body.top_p,
        seed=secrets.randbits(62),
        logprobs=(body.top_logprobs or 0) if told else None,
        json_schema=_schema(body.text),
        tools=tuple(Tool(one.name, one.description or "", one.parameters or {}) for one in body.tools or ()),
        tool_choice=choice.name if isinstance(choice, schemas.ResponseToolChoice) else choice or "auto",
        parallel_tool_calls=body.parallel_tool_calls is not False,
        tenant=tenant,
    )


def _schema(text: schemas.ResponseText | None) -> str | None:
    form = text.format if text is not None else None
    if isinstance(form, schemas.ResponseSchemaFormat):
        return json.dumps(form.schema_)
    return '{"type": "object"}' if form is not None and form.type == "json_object" else None
