"""Tools and calls as values: what is refused before any model sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tutti.content import (
    Answer,
    Finished,
    Message,
    SamplingOptions,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
    check_tools,
)
from tutti.content.streams import answer_of_stream
from tutti.errors import InputError

WEATHER = Tool("weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = ToolCall("call_1", "weather", '{"city": "Bonn"}')


def answered(*calls: ToolCall, text: str = "") -> Answer:
    return Answer(text=text, model="m", finish_reason="tool_calls", usage=Usage(), seconds=0.0, tool_calls=calls)


def test_a_tool_in_the_shared_form_has_an_object_for_its_arguments() -> None:
    assert Tool("now").to_function() == {
        "type": "function",
        "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}},
    }


def test_what_may_be_called_is_nothing_where_the_choice_is_none() -> None:
    assert SamplingOptions(tools=(WEATHER,)).offered == (WEATHER,)
    assert SamplingOptions(tools=(WEATHER,), tool_choice="none").offered == ()


def test_options_with_tools_can_be_compared_and_hashed() -> None:
    options = SamplingOptions(tools=(WEATHER,))
    assert options == SamplingOptions(tools=(Tool(WEATHER.name, WEATHER.description, dict(WEATHER.parameters)),))
    assert len({options, SamplingOptions()}) == 2


@pytest.mark.parametrize(
    ("tools", "choice", "said"),
    [
        ([Tool("a b")], "auto", "A tool is called 'a b'"),
        ([Tool("")], "auto", "A tool is called ''"),
        ([Tool("none")], "auto", "A tool is called 'none'"),
        ([WEATHER, WEATHER], "auto", "Two tools are called 'weather'"),
        ([WEATHER], "whether", "tool_choice is 'whether'; expected auto, none, required, weather."),
        ([], "required", "there are no tools"),
        ([Tool(f"t{number}") for number in range(129)], "auto", "129 tools; expected at most 128"),
        ([Tool("t", "x" * 300_000)], "auto", "characters together"),
        ([Tool("t", "", {"type": "string"})], "auto", "are of type 'string'"),
        ([Tool("t", "", {"enum": {1}})], "auto", "are no JSON schema"),
    ],
)
def test_what_no_model_could_be_told_is_refused(tools: list[Tool], choice: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        check_tools(tools, choice)
    assert said in str(caught.value)


@pytest.mark.parametrize("choice", ["auto", "none", "required", "weather"])
def test_known_choices_pass(choice: str) -> None:
    check_tools([WEATHER], choice)


@pytest.mark.parametrize(
    ("arguments", "values"), [('{"city": "Bonn"}', {"city": "Bonn"}), ("", {}), ("[1]", None), ("{", None)]
)
def test_arguments_are_read_as_an_object(arguments: str, values: Any) -> None:
    call = ToolCall("c", "weather", arguments)
    if values is None:
        with pytest.raises(InputError, match="arguments of the call of 'weather'"):
            call.values()
    else:
        assert call.values() == values


def test_an_answer_and_a_tools_result_are_turns() -> None:
    assert Message.answered(answered(CALL)) == Message("assistant", (), (CALL,))
    assert Message.answered(answered(CALL, text="I look.")).parts == (Text("I look."),)
    assert Message.result(CALL, "rain") == Message("tool", (Text("rain"),), tool_call_id="call_1")


def test_a_stream_of_calls_ends_in_its_answer() -> None:
    events = [TextDelta("I look."), ToolCallDelta(0, "call_1", "weather"), ToolCallDelta(0, arguments="{}")]
    seen: list[Any] = []
    answer = answer_of_stream([*events, Finished(answered(CALL))], "m", seen.append)
    assert (seen, answer.tool_calls) == (events, (CALL,))


def test_an_answer_with_calls_is_plain_values_for_json() -> None:
    told = json.loads(json.dumps(answered(CALL).to_dict()))["tool_calls"]
    assert told == [{"id": "call_1", "name": "weather", "arguments": '{"city": "Bonn"}'}]
