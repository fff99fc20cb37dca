"""Tools of models on this machine: whatever a random model draws, every call parses and fits its tool's schema."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import tutti
from tests.providers.tool_models import QWEN, TEMPLATES, made
from tutti.content import Finished, Image, Message, SamplingOptions, Text, TextDelta, Tool, ToolCall, ToolCallDelta
from tutti.content.streams import answer_of_stream
from tutti.errors import InputError, UnsupportedTask
from tutti.model import Model

FORMS = list(TEMPLATES)
CITY = Tool("city", "Looks a city up.", {"type": "object", "properties": {"size": {"enum": ["small", "large"]}}})
NOW = Tool("now", "Tells the time.")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    place = tmp_path_factory.mktemp("tools")
    return {form: tutti.load(made(place / f"model{number}", form)) for number, form in enumerate(FORMS)}


def schema(draw: random.Random, depth: int = 0) -> dict[str, Any]:
    """A JSON schema whose values a random model can finish."""
    kinds = ["flag", "count", "choice", "words", "nothing", *(["list", "object"] if depth < 2 else [])]
    match draw.choice(kinds):
        case "flag":
            return {"type": "boolean"}
        case "count":
            return {"type": "integer", "minimum": draw.randint(-50, 0), "maximum": draw.randint(1, 2000)}
        case "choice":
            return {"enum": draw.sample(["red", "naïve", 3, None, 'a "b"', "x\\y", "{"], 3)}
        case "words":
            return {"type": "string", "maxLength": draw.randint(0, 6)}
        case "nothing":
            return {"type": "null"}
        case "list":
            return {"type": "array", "items": schema(draw, depth + 1), "maxItems": draw.randint(1, 3)}
    names = draw.sample(["a", "größe", "to_do", "x-y", "N"], draw.randint(0, 3))
    properties = {name: schema(draw, depth + 1) for name in names}
    some = draw.sample(names, draw.randint(0, len(names)))
    return {"type": "object", "properties": properties, "required": some, "additionalProperties": False}


def tool(draw: random.Random, name: str) -> Tool:
    names = draw.sample(["city", "day", "unit", "many"], draw.randint(0, 3))
    parameters = {"type": "object", "properties": {one: schema(draw) for one in names}, "required": names[:1]}
    return Tool(name, f"Does {name}.", parameters if draw.random() < 0.9 else {})


def check(model: Model, seed: int) -> None:
    """One generated request: its calls parse, fit and are streamed as the whole; its answers go on."""
    draw = random.Random(seed)
    tools = tuple(
        tool(draw, name) for name in draw.sample(["get", "set-it", "Now", "t_4", "search"], draw.randint(1, 5))
    )
    choice = draw.choice(["required", tools[0].name])
    several = draw.random() < 0.7
    options = SamplingOptions(
        tools=tools, tool_choice=choice, parallel_tool_calls=several, temperature=draw.choice([0.7, 1.0]), seed=seed,
        max_tokens=1500,
    )  # fmt: skip
    conversation = [Message.user("What is it?")]
    answer, _ = streamed(model, conversation, options)
    assert answer.finish_reason == "tool_calls", (seed, answer)
    assert answer.text == ""
    assert len(answer.tool_calls) >= 1
    assert len(answer.tool_calls) == 1 or (several and choice == "required")
    known = {one.name: one for one in tools}
    for call in answer.tool_calls:
        assert choice in {call.name, "required"}
        assert call.id.isalnum() and len(call.id) == 9
        parameters = known[call.name].parameters
        jsonschema.validate(call.values(), dict(parameters))
        assert set(call.values()) <= set(parameters.get("properties", {}))
    assert len({call.id for call in answer.tool_calls}) == len(answer.tool_calls)
    results = [Message.result(call, f"gave {number}") for number, call in enumerate(answer.tool_calls)]
    goes_on = [*conversation, Message.answered(answer), *results]
    again, _ = streamed(model, goes_on, SamplingOptions(tools=tools, max_tokens=2))
    assert again.usage.prompt_tokens > answer.usage.prompt_tokens
    shown = model.provider.processor.decode(model.provider._prompt(goes_on, tools).input_ids.tolist())  # type: ignore[attr-defined]
    assert all(f"gave {number}" in shown for number in range(len(results)))


def streamed(model: Model, conversation: list[Message], options: SamplingOptions) -> tuple[Any, list[Any]]:
    """The whole answer, which is what its pieces are together."""
    *deltas, last = model.responder().stream(conversation, options)
    assert isinstance(last, Finished)
    answer = last.answer
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == answer.text
    calls: dict[int, list[str]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            known = calls.setdefault(delta.index, [delta.id, delta.name, ""])
            known[2] += delta.arguments
    assert [ToolCall(*calls[index]) for index in range(len(calls))] == list(answer.tool_calls)
    return answer, deltas


@pytest.mark.parametrize("form", FORMS)
def test_calls_of_generated_requests_fit_their_tools(models: dict[str, Model], form: str) -> None:
    for seed in range(6):
        check(models[form], seed)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_calls_of_200_generated_requests_fit_their_tools(models: dict[str, Model], form: str) -> None:
    for seed in range(100, 300):
        check(models[form], seed)


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_may_call_and_does_not_is_text(models: dict[str, Model], form: str) -> None:
    plain = models[form].ask("What is it?", max_tokens=20)
    for options in ({"tools": (CITY,)}, {"tools": (CITY,), "tool_choice": "none"}):
        answer = models[form].ask("What is it?", max_tokens=20, **options)
        assert answer.tool_calls == ()
        assert answer.finish_reason in {"stop", "length"}
        assert answer.text
    assert answer.text == plain.text  # tools that may not be called are not told of
    assert answer.usage.prompt_tokens == plain.usage.prompt_tokens


def test_a_schema_or_a_call(models: dict[str, Model]) -> None:
    wanted = json.dumps({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]})
    seen = set()
    for seed in range(12):
        answer = models["llama"].ask("?", json_schema=wanted, tools=(NOW,), temperature=1.0, seed=seed, max_tokens=400)
        seen.add(bool(answer.tool_calls))
        if answer.tool_calls:
            assert (answer.tool_calls[0].name, answer.text) == ("now", "")
        else:
            jsonschema.validate(json.loads(answer.text), json.loads(wanted))
    assert seen == {True, False}


def test_a_picture_beside_tools(models: dict[str, Model]) -> None:
    picture = Image(np.full((20, 30, 3), 90, np.uint8))
    conversation = [Message.user(picture, "What is it?")]
    options = SamplingOptions(tools=(CITY,), tool_choice="city", max_tokens=300)
    answer = answer_of_stream(models["mllama"].responder().stream(conversation, options), "m")
    assert answer.usage.image_tokens == 1
    assert answer.tool_calls[0].name == "city"


def test_an_answer_that_is_cut_has_what_there_is_of_its_call(models: dict[str, Model]) -> None:
    options = SamplingOptions(tools=(CITY,), tool_choice="required", max_tokens=48)
    answer, _ = streamed(models["qwen2"], [Message.user("?")], options)
    assert answer.finish_reason == "length"
    assert [call.name for call in answer.tool_calls] in (["city"], [])


def test_special_tokens_within_tools_calls_and_results_stay_text(models: dict[str, Model]) -> None:
    mark = "<|im_end|>"
    provider: Any = models["qwen2"].provider
    tools = (Tool("t", mark, {"type": "object", "properties": {mark: {"description": mark}}}),)
    call = ToolCall("call_1", "t", json.dumps({mark: mark}))
    turns = [Message.user("?"), Message("assistant", (), (call,)), Message.result(call, mark)]
    ids = provider._prompt(turns, tools).input_ids.tolist()
    plain = provider._prompt(
        [Message.user("?"), Message("assistant", (), (ToolCall("call_1", "t", "{}"),)), Message.result(call, "")],
        (Tool("t"),),
    ).input_ids.tolist()
    end = provider.processor.tokenizer.token_id(mark)
    assert ids.count(end) == plain.count(end)


def test_tokens_are_counted_with_the_tools(models: dict[str, Model]) -> None:
    provider: Any = models["qwen2"].provider
    conversation = [Message.user("What is it?")]
    counted = provider.count_tokens(conversation, (CITY, NOW))
    asked = models["qwen2"].ask(conversation, tools=(CITY, NOW), max_tokens=1)
    assert counted == asked.usage.prompt_tokens > provider.count_tokens(conversation)


def test_logprobs_are_those_of_the_text(models: dict[str, Model]) -> None:
    options = SamplingOptions(tools=(CITY,), tool_choice="city", logprobs=0, max_tokens=200)
    assert streamed(models["qwen2"], [Message.user("?")], options)[0].logprobs == ()
    options = SamplingOptions(tools=(CITY,), logprobs=0, max_tokens=10)
    answer, deltas = streamed(models["qwen2"], [Message.user("?")], options)
    assert tuple(one for delta in deltas for one in delta.logprobs) == answer.logprobs
    assert len(answer.logprobs) == 10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"tools": (Tool("t", "", {"type": "object", "properties": {"a": {"type": "strange"}}}),)},
            "cannot be kept to",
        ),
        ({"tools": (Tool("t", "", {"type": "object", "description": "x" * 40_000}),)}, "expected at most 32,768"),
        ({"tools": (Tool("a b"),)}, "A tool is called 'a b'"),
        ({"tool_choice": "required"}, "there are no tools"),
    ],
)
def test_what_cannot_be_offered_is_refused(models: dict[str, Model], options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        models["qwen2"].ask("?", **options)
    assert said in str(caught.value)


def test_a_result_of_no_call_is_refused(models: dict[str, Model]) -> None:
    with pytest.raises(InputError, match="answers the call 'call_9', which no turn before it asked for"):
        models["qwen2"].ask([Message.user("?"), Message.result("call_9", "x")])


def test_several_calls_in_a_template_of_single_ones_are_its_refusal(models: dict[str, Model]) -> None:
    calls = (ToolCall("1", "now", "{}"), ToolCall("2", "now", "{}"))
    turns = [Message.user("?"), Message("assistant", (), calls), *(Message.result(call, "x") for call in calls)]
    with pytest.raises(InputError, match="single tool-calls"):
        models["llama"].ask(turns, tools=(NOW,))
    answer = models["llama"].ask("?", tools=(NOW,), tool_choice="required", max_tokens=200)
    assert len(answer.tool_calls) == 1


@pytest.mark.parametrize(
    "template", ["{{ messages[0].content }}", "{{ tools }}{{ messages[0].content }}", QWEN.replace("tool_call>", "c>")]
)
def test_a_template_without_tools_says_so(tmp_path: Path, template: str) -> None:
    model = tutti.load(made(tmp_path / "plain", "qwen2", template))
    assert model.ask("?", tools=(NOW,), tool_choice="none", max_tokens=1).usage.completion_tokens == 1
    for conversation in ("?", [Message.user("?"), Message("assistant", (Text("x"),), (ToolCall("1", "now", "{}"),))]):
        with pytest.raises(UnsupportedTask, match=r"leave them out \(tutti serve --ignore-tools"):
            model.ask(conversation, tools=(NOW,), max_tokens=1)


def test_the_model_that_ships_says_that_it_uses_none() -> None:
    with pytest.raises(UnsupportedTask, match=r"^tutti-mini cannot use tools; leave them out"):
        tutti.load().ask("What is this?", tools=(NOW,))
