"""The official `anthropic` client, as it is, against a real server: what it sends is understood and typed."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

import tutti
from tests.serve.conftest import EXAMPLES, encoded
from tests.serve.fake_models import Caller, Parrot, served
from tests.serve.test_gate import KEY, KEYS
from tutti.errors import CapacityError, ContextOverflow, RateLimited, Unavailable, UnsupportedTask
from tutti.serve.lifecycle import ServerOptions

PICTURE: Any = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": encoded("picture.png")},
}
TOOLS: Any = [
    {
        "name": name,
        "description": "Tells.",
        "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
    }
    for name in ("weather", "time")
]


def said(client: anthropic.Anthropic, content: Any, **options: Any) -> Any:
    return client.messages.create(
        model="parrot", max_tokens=20, messages=[{"role": "user", "content": content}], **options
    )


def test_words_and_pictures_come_back(claude: anthropic.Anthropic, parrot: Parrot) -> None:
    answer = claude.messages.create(
        model="parrot",
        max_tokens=20,
        system="Be brief.",
        messages=[
            {"role": "user", "content": "good day"},
            {"role": "assistant", "content": [{"type": "text", "text": "hello"}]},
            {"role": "user", "content": [{"type": "text", "text": "look here"}, PICTURE]},
        ],
        extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 3},  # newer clients name none of these themselves
        stop_sequences=["!"],
        metadata={"user_id": "a"},
        thinking={"type": "disabled"},
    )
    assert [block.text for block in answer.content if block.type == "text"] == ["look here [image]"]
    assert (answer.role, answer.stop_reason, answer.model) == ("assistant", "end_turn", "parrot")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 3)
    conversation, options = parrot.asked[0]
    assert [turn.role for turn in conversation] == ["system", "user", "assistant", "user"]
    assert (options.temperature, options.top_p, options.top_k, options.stop) == (0.5, 0.9, 3, ("!",))
    assert options.tenant == "default"


def test_why_an_answer_ended_is_told(claude: anthropic.Anthropic) -> None:
    assert said(claude, "one two three").stop_reason == "end_turn"
    stopped = said(claude, "one two three", stop_sequences=["x", "two"])
    assert (stopped.stop_reason, stopped.stop_sequence, stopped.content[0].text) == ("stop_sequence", "two", "one")
    cut = claude.messages.create(model="parrot", max_tokens=1, messages=[{"role": "user", "content": "one two"}])
    assert (cut.stop_reason, cut.content[0].text) == ("max_tokens", "one")


def test_a_stream_is_the_whole_in_events(claude: anthropic.Anthropic) -> None:
    whole = said(claude, ["look", "here"][0])
    events: list[Any] = []
    with claude.messages.stream(
        model="parrot",
        max_tokens=20,
        messages=[{"role": "user", "content": [{"type": "text", "text": "one two"}, PICTURE]}],
    ) as stream:
        events += [event.type for event in stream]
        final = stream.get_final_message()
    assert whole.content[0].text == "look"
    assert final.content[0].text == "one two [image]"  # type: ignore[union-attr]
    assert (final.stop_reason, final.usage.output_tokens, final.usage.input_tokens) == ("end_turn", 3, 7)
    assert [one for one in events if one != "text"] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_tokens_are_counted_without_an_answer(claude: anthropic.Anthropic, parrot: Parrot) -> None:
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "look here"}, PICTURE]}]
    counted = claude.messages.count_tokens(model="parrot", messages=messages, system="Be brief.")
    assert counted.input_tokens == 9
    assert parrot.asked == []


def test_a_document_of_words_is_words(claude: anthropic.Anthropic) -> None:
    text = {"type": "document", "title": "Notes", "source": {"type": "text", "media_type": "text/plain", "data": "a b"}}
    assert said(claude, [text, {"type": "text", "text": "c"}]).content[0].text == "Title: Notes a b c"


def test_tools_are_called_and_their_results_continue() -> None:
    model = Caller()
    with served(model) as server, anthropic.Anthropic(base_url=server.url, api_key="x", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "How is it?"}]
        answer = client.messages.create(model="caller", max_tokens=9, tools=TOOLS, messages=messages)
        assert [block.type for block in answer.content] == ["text", "tool_use", "tool_use"]
        assert answer.stop_reason == "tool_use"
        calls = [block for block in answer.content if block.type == "tool_use"]
        assert [(call.name, call.input) for call in calls] == [
            ("weather", {"place": "place 0"}),
            ("time", {"place": "place 1"}),
        ]
        with client.messages.stream(model="caller", max_tokens=9, tools=TOOLS, messages=messages) as stream:
            streamed = stream.get_final_message()
        assert [block.model_dump() for block in streamed.content] == [block.model_dump() for block in answer.content]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"sun {call.id}"} for call in calls]
        results[1] = {**results[1], "is_error": True, "content": [{"type": "text", "text": "no clock"}]}  # type: ignore[dict-item]
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
        final = client.messages.create(model="caller", max_tokens=9, tools=TOOLS, messages=messages)
        assert final.content[0].text == "sun call_0 and Error: and no clock"  # type: ignore[union-attr]
        conversation, _ = model.asked[-1]
        assert [turn.role for turn in conversation] == ["user", "assistant", "tool", "tool"]
        assert conversation[1].tool_calls[0].values() == {"place": "place 0"}
        for choice, expected in (
            ({"type": "tool", "name": "time"}, ["time"]),
            ({"type": "any", "disable_parallel_tool_use": True}, ["weather"]),
            ({"type": "none"}, []),
        ):
            made = client.messages.create(
                model="caller",
                max_tokens=9,
                tools=TOOLS,
                messages=messages[:1],
                tool_choice=choice,  # type: ignore[arg-type]
            )
            assert [block.name for block in made.content if block.type == "tool_use"] == expected


@pytest.mark.parametrize(
    ("error", "expected", "kind"),
    [
        (UnsupportedTask("It cannot."), anthropic.BadRequestError, "invalid_request_error"),
        (ContextOverflow("It is long."), anthropic.BadRequestError, "invalid_request_error"),
        (CapacityError("It is large."), anthropic.APIStatusError, "request_too_large"),
        (RateLimited("Slow down."), anthropic.RateLimitError, "rate_limit_error"),
        (Unavailable("It is away."), anthropic.InternalServerError, "overloaded_error"),
        (ZeroDivisionError("secret words"), anthropic.InternalServerError, "api_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_typed_as_the_client_types_them(
    claude: anthropic.Anthropic,
    parrot: Parrot,
    error: Exception,
    expected: type[anthropic.APIStatusError],
    kind: str,
    stream: bool,
) -> None:
    parrot.error = error
    with pytest.raises(expected) as caught:
        said(claude, "a", stream=stream)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert "secret" not in str(caught.value)
    assert caught.value.request_id is not None


def test_an_error_within_a_stream_is_its_last_event(claude: anthropic.Anthropic, parrot: Parrot) -> None:
    parrot.breaks_after = 1
    with pytest.raises(anthropic.APIStatusError, match="bug of ours"):
        for _ in said(claude, "one two", stream=True):
            pass


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            [{"type": "image", "source": {"type": "file", "file_id": "x"}}],
            "source is of type 'file', which is not known",
        ),
        ([{"type": "search_result", "source": "x"}], r"messages\[0\].content\[0\] is of type 'search_result'"),
        (
            [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}}],
            r"content\[0\].source",
        ),
        ([{"type": "tool_use", "id": "a", "name": "b", "input": {}}], "only an assistant's turn has those"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_path(claude: anthropic.Anthropic, content: Any, told: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=told):
        said(claude, content)


@pytest.mark.parametrize(
    "options",
    [{"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"mcp_servers": [{"name": "a"}]}, {"container": "x"}],
)
def test_what_would_change_the_answer_is_refused_by_name(claude: anthropic.Anthropic, options: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match=f"{next(iter(options))} is not kept"):
        said(claude, "a", extra_body=options)


def test_keys_and_models_are_those_of_the_server() -> None:
    with served(Parrot(), keys=KEYS, offer=ServerOptions(aliases=("claude-x",))) as server:
        with (
            anthropic.Anthropic(base_url=server.url, api_key="wrong", max_retries=0) as client,
            pytest.raises(anthropic.AuthenticationError),
        ):
            said(client, "a")
        with anthropic.Anthropic(base_url=server.url, api_key=KEY, max_retries=0) as client:
            assert said(client, "a").content[0].text == "a"
            assert [model.id for model in client.models.list()] == ["parrot", "claude-x"]
            assert client.models.retrieve("claude-x").display_name == "claude-x"
            with pytest.raises(anthropic.NotFoundError, match="There is no model 'other'"):
                client.messages.create(model="other", max_tokens=1, messages=[{"role": "user", "content": "a"}])


def test_tutti_mini_answers_as_it_does_in_python() -> None:
    model = tutti.load()
    with (
        served(model.provider) as server,
        anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as client,
    ):
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": "What animal is this?"}, PICTURE]}]
        asked = model.ask("What animal is this?", EXAMPLES / "picture.png")
        answer = client.messages.create(model="tutti-mini", max_tokens=99, messages=messages)
        assert answer.content[0].text == asked.text  # type: ignore[union-attr]
        counted = client.messages.count_tokens(model="tutti-mini", messages=messages)
        assert counted.input_tokens == asked.usage.prompt_tokens
        document: Any = {"type": "base64", "media_type": "application/pdf", "data": lease()}
        content: Any = [{"type": "document", "source": document}, {"type": "text", "text": "What is the rent?"}]
        quoted = client.messages.create(
            model="tutti-mini", max_tokens=99, messages=[{"role": "user", "content": content}]
        )
        assert "rent" in quoted.content[0].text.lower()  # type: ignore[union-attr]


def lease() -> str:
    import base64

    return base64.b64encode((EXAMPLES.parent / "documents/lease.pdf").read_bytes()).decode()
