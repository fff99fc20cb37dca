"""Tools of hosted models: sent and returned in each provider's own form."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.providers.loopback import Loopback, Reply, anthropic_stream, gemini_stream, loopback, openai_stream
from tutti.content import Message, Text, TextDelta, Tool, ToolCall, ToolCallDelta
from tutti.errors import InputError, UnsupportedTask
from tutti.media import InProcess, Limits
from tutti.model import Model
from tutti.providers.answer_cache import AnswerCache
from tutti.providers.anthropic import Anthropic
from tutti.providers.gemini import Gemini
from tutti.providers.hosted import Hosted, HostedOptions
from tutti.providers.keys import Key
from tutti.providers.openai import OpenAI
from tutti.providers.spending import Spending

Make = Callable[..., Hosted]
KINDS = ("openai", "anthropic", "gemini")
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("weather", "Tells the weather.", CITY), Tool("now"))
CALLS = (ToolCall("call_a", "weather", '{"city": "Bonn"}'), ToolCall("call_b", "now", "{}"))
TURNS = [
    Message.user("And now?"), Message("assistant", (Text("I look."),), CALLS), Message.result(CALLS[0], "rain"),
    Message.result("call_b", "12:00"), Message.user("Well?"),
]  # fmt: skip


def openai_calls() -> Reply:
    """Two calls, the first in pieces; the second without arguments."""
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    pieces: list[list[dict[str, Any]]] = [
        [{"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": '{"city":'}}],
        [{"index": 0, "function": {"arguments": ' "Bonn"}'}}],
        [{"index": 1, "id": "call_b", "type": "function", "function": {"name": "now", "arguments": ""}}],
    ]
    choices = [{"index": 0, "delta": {"content": "I look."}, "finish_reason": None}]
    choices += [{"index": 0, "delta": {"tool_calls": piece}, "finish_reason": None} for piece in pieces]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    lines = [f"data: {json.dumps({**base, 'choices': [choice]})}\n\n" for choice in choices]
    return Reply((*lines, "data: [DONE]\n\n"), headers={"Content-Type": "text/event-stream"})


def anthropic_calls() -> Reply:
    whole = anthropic_stream("I look.", ended="tool_use").pieces
    events: list[dict[str, Any]] = [{"type": "content_block_stop", "index": 0}]
    for place, call in enumerate(CALLS, 1):
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        events.append({"type": "content_block_start", "index": place, "content_block": block})
        parts = [call.arguments[:9], call.arguments[9:]] if place == 1 else []
        events += [
            {"type": "content_block_delta", "index": place, "delta": {"type": "input_json_delta", "partial_json": part}}
            for part in parts
        ]
        events.append({"type": "content_block_stop", "index": place})
    middle = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return Reply((*whole[:3], *middle, *whole[4:]), headers={"Content-Type": "text/event-stream"})


def gemini_calls() -> Reply:
    sign = base64.b64encode(b"signed").decode()
    parts: list[dict[str, Any]] = [
        {"functionCall": {"id": one.id, "name": one.name, "args": one.values()}} for one in CALLS
    ]
    parts[0]["thoughtSignature"] = sign
    chunk = {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]}
    first, last = gemini_stream("I look.").pieces
    return Reply((first, f"data: {json.dumps(chunk)}\r\n\r\n", last), headers={"Content-Type": "text/event-stream"})


REPLIES = {"openai": openai_calls, "anthropic": anthropic_calls, "gemini": gemini_calls}
STREAMS = {"openai": openai_stream, "anthropic": anthropic_stream, "gemini": gemini_stream}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def make(server: Loopback) -> Iterator[Make]:
    made: list[Any] = []

    def build(kind: str, **options: Any) -> Hosted:
        settings = HostedOptions(**{"retries": 0, "timeout_s": 20, **options})
        address = f"{server.url}/v1" if kind == "openai" else server.url
        cls = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini}[kind]
        made.append(cls(f"{kind}:m", "m", Key("k"), InProcess(Limits()), settings, base_url=address))
        return made[-1]

    yield build
    for model in made:
        model._client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_calls_come_back_whole_and_in_pieces(kind: str, server: Loopback, make: Make) -> None:
    server.replies.append(REPLIES[kind]())
    *deltas, last = Model(make(kind)).stream("What is the weather?", tools=TOOLS)
    answer = last.answer  # type: ignore[union-attr]
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ("I look.", CALLS, "tool_calls")
    assert [delta for delta in deltas if isinstance(delta, TextDelta)] == [TextDelta("I look.")]
    told: dict[int, list[str]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            told.setdefault(delta.index, [delta.id, delta.name, ""])[2] += delta.arguments
    assert [ToolCall(*told[index]) for index in sorted(told)] == list(CALLS)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"openai": "auto", "anthropic": {"type": "auto"}, "gemini": {"mode": "AUTO"}}),
        ("required", {"openai": "required", "anthropic": {"type": "any"}, "gemini": {"mode": "ANY"}}),
        (
            "now",
            {
                "openai": {"type": "function", "function": {"name": "now"}},
                "anthropic": {"type": "tool", "name": "now"},
                "gemini": {"mode": "ANY", "allowedFunctionNames": ["now"]},
            },
        ),
    ],
)
def test_tools_go_to_each_in_its_own_form(choice: str, expected: dict[str, Any], server: Loopback, make: Make) -> None:
    for kind in KINDS:
        server.replies.append(STREAMS[kind]("yes"))
        Model(make(kind)).ask("What is it?", tools=TOOLS, tool_choice=choice)
    openai, anthropic, gemini = server.asked
    empty = {"type": "object", "properties": {}}
    assert openai["tools"] == [
        {"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": CITY}},
        {"type": "function", "function": {"name": "now", "description": "", "parameters": empty}},
    ]
    assert [tool["input_schema"] for tool in anthropic["tools"]] == [CITY, empty]
    assert [tool["name"] for tool in anthropic["tools"]] == ["weather", "now"]
    declared = gemini["tools"][0]["functionDeclarations"]
    assert [(one["name"], one["parameters_json_schema"]) for one in declared] == [("weather", CITY), ("now", empty)]
    assert openai["tool_choice"] == expected["openai"]
    assert anthropic["tool_choice"] == expected["anthropic"]
    assert gemini["toolConfig"]["functionCallingConfig"] == expected["gemini"]


def test_one_call_at_a_time_is_asked_for_where_that_can_be_asked(server: Loopback, make: Make) -> None:
    for kind in ("openai", "anthropic"):
        server.replies.append(STREAMS[kind]("yes"))
        Model(make(kind)).ask("What is it?", tools=TOOLS, parallel_tool_calls=False)
    assert server.asked[0]["parallel_tool_calls"] is False
    assert server.asked[1]["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    with pytest.raises(UnsupportedTask, match="gemini:m has no parallel_tool_calls"):
        Model(make("gemini")).ask("What is it?", tools=TOOLS, parallel_tool_calls=False)


def test_results_continue_the_conversation_in_each_form(server: Loopback, make: Make) -> None:
    for kind in KINDS:
        server.replies.append(STREAMS[kind]("Rain."))
        assert Model(make(kind)).ask(TURNS, tools=TOOLS).text == "Rain."
    openai, anthropic, gemini = (asked.get("messages", asked.get("contents")) for asked in server.asked)
    assert openai[1]["tool_calls"] == [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in CALLS
    ]
    assert openai[2:4] == [
        {"role": "tool", "content": "rain", "tool_call_id": "call_a"},
        {"role": "tool", "content": "12:00", "tool_call_id": "call_b"},
    ]
    assert anthropic[1]["content"][1:] == [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.values()} for call in CALLS
    ]
    assert [block["tool_use_id"] for block in anthropic[2]["content"]] == ["call_a", "call_b"]
    assert [turn["role"] for turn in anthropic] == ["user", "assistant", "user", "user"]
    assert [part["functionCall"]["name"] for part in gemini[1]["parts"][1:]] == ["weather", "now"]
    assert gemini[2]["parts"][0]["functionResponse"] == {
        "id": "call_a", "name": "weather", "response": {"result": "rain"},
    }  # fmt: skip


def test_signatures_of_thoughts_go_back_with_their_calls(server: Loopback, make: Make) -> None:
    model = make("gemini")
    server.replies += [gemini_calls(), gemini_stream("Rain.")]
    answer = Model(model).ask("What is the weather?", tools=TOOLS)
    results = [Message.result(call, "rain") for call in answer.tool_calls]
    Model(model).ask([Message.user("?"), Message.answered(answer), *results], tools=TOOLS)
    sent = [part for part in server.asked[1]["contents"][1]["parts"] if "functionCall" in part]
    assert base64.urlsafe_b64decode(sent[0]["thoughtSignature"]) == b"signed"
    assert "thoughtSignature" not in sent[1]


@pytest.mark.parametrize("kind", KINDS)
def test_tools_that_may_not_be_called_are_not_sent(kind: str, server: Loopback, make: Make) -> None:
    server.replies.append(STREAMS[kind]("yes"))
    Model(make(kind)).ask("What is it?", tools=TOOLS, tool_choice="none")
    assert not {"tools", "tool_choice", "toolConfig"} & set(server.asked[0])


def test_calls_are_kept_with_the_answers_that_are_paid_for_once(server: Loopback, make: Make, tmp_path: Path) -> None:
    server.replies.append(openai_calls())
    model = Model(make("openai", cache=AnswerCache(tmp_path)))
    first = model.ask("What is the weather?", tools=TOOLS)
    *deltas, last = model.stream("What is the weather?", tools=TOOLS)
    assert last.answer.tool_calls == first.tool_calls == CALLS  # type: ignore[union-attr]
    assert [delta.name for delta in deltas if isinstance(delta, ToolCallDelta)] == ["weather", "now"]
    assert len(server.asked) == 1


class Tariff:
    """Prices that remember what they were asked for."""

    def __init__(self) -> None:
        self.words = ""

    def estimate(self, model: str, conversation: Any, max_tokens: int) -> float:
        self.words = " ".join(part.text for message in conversation for part in message.parts)
        return 0.0

    def cost(self, model: str, usage: Any) -> float:
        return 0.0


def test_tools_and_calls_count_in_the_price(server: Loopback, make: Make) -> None:
    prices = Tariff()
    server.replies.append(openai_stream("Rain."))
    Model(make("openai", prices=prices, spending=Spending(1.0))).ask(TURNS, tools=TOOLS)
    assert "Tells the weather." in prices.words
    assert '{"city": "Bonn"}' in prices.words


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_of_no_call_is_refused_before_anything_is_sent(kind: str, server: Loopback, make: Make) -> None:
    with pytest.raises(InputError, match="which no turn before it asked for"):
        Model(make(kind)).ask([Message.user("?"), Message.result("call_x", "y"), Message.user("?")])
    assert not server.asked
