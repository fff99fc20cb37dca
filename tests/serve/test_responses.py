"""`/v1/responses` with the official client: conversations that go on, what is kept, events that build the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.serve.conftest import encoded
from tests.serve.fake_models import Caller, Parrot, served
from tests.serve.test_gate import KEY, KEYS
from tutti.content import Image, Message, Text
from tutti.errors import ContextOverflow, RateLimited, UnsupportedTask
from tutti.serve.kept_responses import KeptLimits, KeptResponse, KeptResponses
from tutti.serve.lifecycle import ServerOptions

URL = f"data:image/png;base64,{encoded('picture.png')}"
PICTURE: Any = {"type": "input_image", "image_url": URL, "detail": "auto"}
TOOLS: Any = [
    {"type": "function", "name": name, "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}}
    for name in ("weather", "time")
]


def test_words_come_back(client: openai.OpenAI, parrot: Parrot) -> None:
    answer = client.responses.create(
        model="parrot",
        input="good day",
        instructions="Be brief.",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=5,
        metadata={"a": "b"},
        user="me",
        truncation="disabled",
        reasoning=None,
    )
    assert (answer.output_text, answer.status, answer.model) == ("good day", "completed", "parrot")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (2, 2, 4)
    assert (answer.instructions, answer.metadata, answer.temperature) == ("Be brief.", {"a": "b"}, 0.5)
    conversation, options = parrot.asked[0]
    assert [turn.role for turn in conversation] == ["system", "user"]
    assert (options.temperature, options.top_p, options.max_tokens, options.tenant) == (0.5, 0.9, 5, "default")
    cut = client.responses.create(model="parrot", input="one two", max_output_tokens=1)
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"


def test_a_conversation_goes_on_with_its_pictures(client: openai.OpenAI, parrot: Parrot) -> None:
    content = [{"type": "input_text", "text": "look"}, PICTURE]
    first = client.responses.create(model="parrot", input=[{"role": "user", "content": content}])  # type: ignore[list-item]
    assert first.output_text == "look [image]"
    second = client.responses.create(model="parrot", input="again", previous_response_id=first.id)
    third = client.responses.create(model="parrot", input="more", previous_response_id=second.id, instructions="x")
    assert third.previous_response_id == second.id
    conversation, _ = parrot.asked[-1]
    assert [turn.role for turn in conversation] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert isinstance(conversation[1].parts[1], Image)
    assert [part.text for turn in conversation[2:] for part in turn.parts if isinstance(part, Text)] == [
        "look [image]",
        "again",
        "again",
        "more",
    ]
    # Of a turn that was answered twice, each answer has a conversation of its own.
    other = client.responses.create(model="parrot", input="other", previous_response_id=first.id)
    assert len(parrot.asked[-1][0]) == 3
    assert client.responses.retrieve(other.id).output_text == "other"
    items = client.responses.input_items.list(first.id)
    assert items.data[0].content[0].text == "look"  # type: ignore[union-attr]


def test_items_of_before_are_sent_back_as_they_came(client: openai.OpenAI, parrot: Parrot) -> None:
    first = client.responses.create(model="parrot", input="one", store=False)
    given: Any = [{"role": "user", "content": "one"}, *[item.model_dump() for item in first.output]]
    given += [{"type": "reasoning", "id": "rs_1", "summary": []}, {"type": "message", "role": "user", "content": "two"}]
    second = client.responses.create(model="parrot", input=given, store=False)
    assert second.output_text == "two"
    assert [turn.role for turn in parrot.asked[-1][0]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("logprobs", [False, True])
def test_a_stream_builds_the_whole(client: openai.OpenAI, logprobs: bool) -> None:
    options: Any = {"include": ["message.output_text.logprobs"], "top_logprobs": 1} if logprobs else {}
    events = list(client.responses.create(model="parrot", input="one two three", stream=True, **options))
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    ended: Any = events[-1]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two three"
    assert ended.response.output_text == "one two three"
    done: Any = events[-2]
    assert done.item.model_dump() == ended.response.output[0].model_dump()
    if logprobs:
        assert [one.token for one in ended.response.output[0].content[0].logprobs] == ["one", " two", " three"]
    kept = client.responses.retrieve(ended.response.id)
    assert kept.model_dump() == ended.response.model_dump()
    whole = client.responses.create(model="parrot", input="one two three", **options)
    changing = {"id", "created_at", "output"}
    assert whole.model_dump(exclude=changing) == ended.response.model_dump(exclude=changing)
    with client.responses.stream(model="parrot", input="one two three") as stream:
        assert stream.get_final_response().output_text == "one two three"


def test_a_schema_reaches_the_model(client: openai.OpenAI, parrot: Parrot) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    form: Any = {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}}
    answer = client.responses.create(model="parrot", input="a", text=form)
    assert parrot.asked[0][1].json_schema == '{"type": "object", "properties": {"a": {"type": "integer"}}}'
    assert answer.text is not None
    assert answer.text.format is not None
    assert answer.text.format.type == "json_schema"


def test_tools_are_called_and_their_results_continue() -> None:
    model = Caller()
    with (
        served(model) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client,
    ):
        answer = client.responses.create(model="caller", input="How is it?", tools=TOOLS)
        assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
        calls = [item for item in answer.output if item.type == "function_call"]
        assert [(call.name, call.arguments) for call in calls] == [
            ("weather", '{"place": "place 0"}'),
            ("time", '{"place": "place 1"}'),
        ]
        with client.responses.stream(model="caller", input="How is it?", tools=TOOLS) as stream:
            streamed = stream.get_final_response()
        assert [(one.type, getattr(one, "arguments", None)) for one in streamed.output] == [
            (one.type, getattr(one, "arguments", None)) for one in answer.output
        ]
        results: Any = [
            {"type": "function_call_output", "call_id": call.call_id, "output": f"sun {call.call_id}"} for call in calls
        ]
        final = client.responses.create(model="caller", input=results, previous_response_id=answer.id, tools=TOOLS)
        assert final.output_text == "sun call_0 and sun call_1"
        conversation, _ = model.asked[-1]
        assert [turn.role for turn in conversation] == ["user", "assistant", "tool", "tool"]
        assert [call.name for call in conversation[1].tool_calls] == ["weather", "time"]
        # Without what is kept here, the items come back themselves.
        given: Any = [{"role": "user", "content": "How is it?"}, *[item.model_dump() for item in answer.output]]
        client.responses.create(model="caller", input=[*given, *results], tools=TOOLS, store=False)
        assert model.asked[-1][0] == conversation
        chosen = client.responses.create(
            model="caller", input="a", tools=TOOLS, tool_choice={"type": "function", "name": "time"}
        )
        assert [item.name for item in chosen.output if item.type == "function_call"] == ["time"]


def test_chat_completions_call_tools_too() -> None:
    model = Caller()
    tools: Any = [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in TOOLS]
    with (
        served(model) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client,
    ):
        messages: Any = [{"role": "user", "content": "How is it?"}]
        options: Any = {"model": "caller", "messages": messages, "tools": tools}
        choice = client.chat.completions.create(**options).choices[0]
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me see.")
        calls = choice.message.tool_calls or []
        with client.chat.completions.stream(**options) as stream:
            streamed = stream.get_final_completion().choices[0]
        assert streamed.finish_reason == "tool_calls"
        assert [(one.id, one.function.name, one.function.arguments) for one in streamed.message.tool_calls or []] == [
            (one.id, one.function.name, one.function.arguments) for one in calls if one.type == "function"
        ]
        messages += [choice.message.model_dump()]
        messages += [{"role": "tool", "tool_call_id": call.id, "content": f"sun {call.id}"} for call in calls]
        final = client.chat.completions.create(**options).choices[0]
        assert (final.finish_reason, final.message.content) == ("stop", "sun call_0 and sun call_1")
        once = client.chat.completions.create(**{**options, "messages": messages[:1], "parallel_tool_calls": False})
        assert len(once.choices[0].message.tool_calls or []) == 1
        with pytest.raises(openai.BadRequestError, match="tool_choice is 'nothing'"):
            client.chat.completions.create(**options, tool_choice={"type": "function", "function": {"name": "nothing"}})


def test_tools_are_left_out_where_the_server_says_so_and_refused_by_models_that_cannot() -> None:
    import tutti

    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    mini = tutti.load().provider
    call: Any = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages: Any = [
        {"role": "user", "content": "What is a dog?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "sun"},
        {"role": "user", "content": "And a cat?"},
    ]
    with (
        served(mini) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client,
        pytest.raises(openai.BadRequestError, match="cannot use tools") as caught,
    ):
        client.chat.completions.create(model="tutti-mini", messages=messages[:1], tools=tools)
    assert caught.value.code == "unsupported"
    with (
        served(mini, offer=ServerOptions(ignore_tools=True)) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client,
    ):
        answer: Any = client.chat.completions.create(model="tutti-mini", messages=messages, tools=tools)
        assert answer.warnings == ["Tools were left out: this server was started with --ignore-tools."]
        assert answer.choices[0].finish_reason in ("stop", "length")
        plain: Any = client.chat.completions.create(model="tutti-mini", messages=messages[:1])
        assert not hasattr(plain, "warnings")
        response: Any = client.responses.create(model="tutti-mini", input="What is a dog?", tools=TOOLS)
        assert len(response.warnings) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"background": True}, "background is not kept"),
        ({"conversation": "conv_1"}, "conversation is not kept"),
        ({"truncation": "auto"}, "truncation is not kept"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, r"input\[0\] is of type 'item_reference'"),
        ({"input": []}, "input"),
    ],
)
def test_what_is_not_kept_is_refused(client: openai.OpenAI, options: Any, told: str) -> None:
    with pytest.raises(openai.BadRequestError, match=told):
        client.responses.create(**{"model": "parrot", "input": "a", **options})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnsupportedTask("It cannot."), openai.BadRequestError),
        (ContextOverflow("It is long."), openai.BadRequestError),
        (RateLimited("Slow down."), openai.RateLimitError),
        (ZeroDivisionError("secret words"), openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_typed(
    client: openai.OpenAI, parrot: Parrot, error: Exception, expected: type[openai.APIStatusError], stream: bool
) -> None:
    parrot.error = error
    with pytest.raises(expected):
        client.responses.create(model="parrot", input="a", stream=stream)


def test_an_error_within_a_stream_fails_the_response(client: openai.OpenAI, parrot: Parrot) -> None:
    parrot.breaks_after = 1
    events: list[Any] = list(client.responses.create(model="parrot", input="one two", stream=True))
    assert (events[-1].type, "bug of ours" in events[-1].message) == ("error", True)
    failed = events[-2]
    assert (failed.type, failed.response.status, failed.response.error.code) == (
        "response.failed",
        "failed",
        "internal_error",
    )
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(failed.response.id)


@pytest.fixture
def two() -> Iterator[tuple[openai.OpenAI, openai.OpenAI]]:
    with (
        served(Parrot(), keys=KEYS) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as alice,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="tutti-" + "b" * 40, max_retries=0) as bob,
    ):
        yield alice, bob


def test_what_is_kept_is_the_tenants(two: tuple[openai.OpenAI, openai.OpenAI]) -> None:
    alice, bob = two
    made = alice.responses.create(model="parrot", input="secret")
    for attempt in (
        lambda: bob.responses.retrieve(made.id),
        lambda: bob.responses.delete(made.id),
        lambda: bob.responses.input_items.list(made.id),
    ):
        with pytest.raises(openai.NotFoundError, match="never was one of that id for this key"):
            attempt()
    with pytest.raises(openai.BadRequestError, match="never was one") as caught:
        bob.responses.create(model="parrot", input="go on", previous_response_id=made.id)
    assert (caught.value.code, caught.value.param) == ("response_not_found", "previous_response_id")
    assert alice.responses.retrieve(made.id).output_text == "secret"


def test_why_a_response_is_not_here_is_told(client: openai.OpenAI) -> None:
    made = client.responses.create(model="parrot", input="a")
    client.responses.delete(made.id)
    unkept = client.responses.create(model="parrot", input="a", store=False)
    of_before = "resp_" + "0" * 48
    for name, code in (
        (made.id, "response_deleted"),
        (unkept.id, "response_evicted"),
        (of_before, "response_of_an_earlier_run"),
        ("resp_x", "response_not_found"),
        (made.id[:-1] + ("0" if made.id[-1] != "0" else "1"), "response_not_found"),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            client.responses.retrieve(name)
        assert caught.value.code == code
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="parrot", input="a", previous_response_id=name)
        assert refused.value.code == code


def kept(size: int) -> KeptResponse:
    return KeptResponse(response={}, items=[], turns=(Message("user", (Image(b"x" * size),)),))


def test_what_is_kept_is_counted_as_it_was_sent_too() -> None:
    sent = {"type": "message", "content": [{"type": "input_image", "image_url": "data:image/png;base64," + "A" * 8000}]}
    beside = KeptResponse(response={}, items=[sent], turns=kept(6000).turns)
    assert kept(6000).size + 8000 < beside.size < kept(6000).size + 9000


def test_the_store_is_bounded_in_number_bytes_and_time() -> None:
    clock = [1000.0]
    store = KeptResponses(KeptLimits(responses=3, bytes=5000, all_bytes=8000, seconds=60), lambda: clock[0])

    def put(tenant: str, size: int) -> str:
        name = store.new_id(tenant)
        assert store.put(tenant, name, kept(size))
        return name

    names = [put("a", 100) for _ in range(4)]
    assert [store.get("a", name) == "evicted" for name in names] == [True, False, False, False]
    large = put("a", 4700)
    assert [store.get("a", name) for name in names] == ["evicted"] * 4
    assert isinstance(store.get("a", large), KeptResponse)
    assert not store.put("a", store.new_id("a"), kept(6000)), "which alone is too large"
    others = put("b", 4000)
    assert store.get("a", large) == "evicted", "the fullest tenant makes room"
    assert isinstance(store.get("b", others), KeptResponse)
    assert store.get("a", others) == "never"
    assert store.size <= 8000
    assert store.delete("b", others) is None
    assert store.delete("b", others) == store.get("b", others) == "deleted"
    late = put("b", 10)
    clock[0] += 61
    assert store.get("b", late) == store.delete("b", late) == "expired"
    assert len(store) == store.size == 0
    assert KeptResponses(store.limits).get("b", late) == "restarted"
