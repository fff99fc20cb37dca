"""What clients send by habit is accepted where it changes nothing, and refused by name where it would."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.serve.conftest import EXAMPLES
from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import asked
from tutti.content import data_url_bytes
from tutti.errors import ContextOverflow
from tutti.serve.admission import Cost, ServerLimits
from tutti.serve.lifecycle import Server
from tutti.serve.schemas.chat import ChatMessage, ChatRequest
from tutti.serve.schemas.embeddings import EmbeddingsRequest

CHAT, EMBED = "/v1/chat/completions", "/v1/embeddings"


@pytest.fixture(scope="module")
def standing() -> Iterator[Server]:
    with served(Parrot()) as server:
        yield server


def post(server: Server, path: str, body: Any) -> tuple[int, Any]:
    status, _, content = asked(server, "POST", path, json.dumps(body).encode())
    return status, json.loads(content)


def chat(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}], **fields}


@pytest.mark.parametrize("name", sorted({*ChatRequest.model_fields} - {"messages"}))
def test_null_says_what_leaving_out_says(standing: Server, name: str) -> None:
    assert post(standing, CHAT, chat(**{name: None}))[0] == 200


@pytest.mark.parametrize("name", sorted({*EmbeddingsRequest.model_fields} - {"input"}))
def test_null_is_accepted_beside_inputs(standing: Server, name: str) -> None:
    assert post(standing, EMBED, {"input": "a", name: None})[0] == 200


@pytest.mark.parametrize("name", sorted({*ChatMessage.model_fields} - {"role", "content"}))
def test_null_is_accepted_in_a_turn(standing: Server, name: str) -> None:
    assert post(standing, CHAT, {"messages": [{"role": "user", "content": "hi", name: None}]})[0] == 200


NEUTRAL: list[dict[str, Any]] = [
    {"tools": []},
    {"tools": [], "tool_choice": "none"},
    {"tool_choice": "auto", "parallel_tool_calls": True},
    {"parallel_tool_calls": False},
    {"functions": [], "function_call": "none"},
    {"logit_bias": {}},
    {"store": False},
    {"metadata": {"a": "b"}},
    {"top_logprobs": 0},
    {"logprobs": False, "top_logprobs": 0},
    {"stop": []},
    {"stop": ""},
    {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}},
    {"stream": False, "stream_options": {"include_usage": False}},
    {"ignore_eos": False, "min_p": 0.0, "min_tokens": 0, "skip_special_tokens": True, "best_of": 1},
    {"presence_penalty": 0, "frequency_penalty": 0.0},
    {"top_k": -1},
    {"reasoning_effort": "none", "verbosity": "medium"},
    {"service_tier": "priority"},
    {"modalities": ["text"]},
    {"response_format": {"type": "text"}},
    {"user": "", "something_new": None},
]


@pytest.mark.parametrize("fields", NEUTRAL, ids=",".join)
def test_neutral_values_change_nothing(standing: Server, fields: dict[str, Any]) -> None:
    status, _, content = asked(standing, "POST", CHAT, json.dumps(chat(**fields)).encode())
    assert status == 200, content


def test_turns_of_before_come_back_as_clients_keep_them(standing: Server) -> None:
    before: dict[str, Any] = {
        "role": "assistant",
        "id": "msg_1",
        "content": [{"type": "text", "text": "good day", "annotations": [], "cache_control": {"type": "ephemeral"}}],
        "annotations": [],
        "tool_calls": [],
        "refusal": None,
        "audio": None,
        "function_call": None,
        "reasoning_content": "I thought of a greeting.",
    }
    url = {"url": "data:image/png;base64," + base64.b64encode((EXAMPLES / "picture.png").read_bytes()).decode()}
    user = {"role": "user", "content": [{"type": "image_url", "image_url": {**url, "detail": "original"}}]}
    status, told = post(standing, CHAT, {"messages": [user, before, {"role": "assistant", "content": None}, user]})
    assert status == 200, told
    assert told["choices"][0]["message"]["content"] == "[image]"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"presence_penalty": 1}, "presence_penalty is not kept by the models here; leave it out, or give 0."),
        ({"ignore_eos": True}, "ignore_eos is not kept by the models here; leave it out, or give false."),
        ({"min_p": False}, "min_p is not kept by the models here; leave it out, or give 0."),
        ({"logit_bias": {"1": 2}}, "logit_bias is not kept by the models here; leave it out, or give {}."),
        ({"audio": {"voice": "x"}}, "audio is not kept by the models here; leave it out, or give null."),
        ({"store": True}, "store is not kept by the models here; leave it out, or give false."),
        ({"something_new": 1},
         "something_new is not a field that this server knows; GET /openapi.json lists the fields."),
        ({"temperature": 3}, "temperature: expected less than or equal to 2, found 3."),
        ({"stop": 5}, "stop: expected a valid string or a valid list, found 5."),
        ({"n": "x"}, "n: expected a valid integer, unable to parse string as an integer, found a text."),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}},
         "response_format.json_schema.schema: expected a valid dictionary, found 5."),
        ({"response_format": {"type": "xml"}},
         "response_format is of type 'xml', which is not known; known are: text, json_object, json_schema."),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]},
         "messages[0].content[0].text is missing; expected as in GET /openapi.json."),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]}, None),
        ({"messages": [{"role": "user", "content": {}}]},
         "messages[0].content: expected a valid string or a valid list, found an object."),
        ({"messages": [{"role": "tool", "content": "a"}]},
         "messages[0] is what a tool gave and names no call; set tool_call_id."),
        ({"messages": [{"role": "user", "content": None}]},
         "messages[0].content is null; expected words or parts, which only an assistant's turn may lack."),
    ],
)  # fmt: skip
def test_what_would_change_the_answer_is_refused_by_its_path(
    standing: Server, fields: dict[str, Any], message: str | None
) -> None:
    status, told = post(standing, CHAT, chat(**fields))
    assert status == 400
    if message is not None:
        assert told["error"]["message"] == message
    for word in ("jSON", "constrained-str", "list[", "function-", "tagged-union"):
        assert word not in told["error"]["message"]
        assert word not in (told["error"]["param"] or "")


def test_what_is_no_json_is_told_where(standing: Server) -> None:
    status, _, content = asked(standing, "POST", CHAT, b'{"messages": }')
    assert status == 400
    assert json.loads(content)["error"]["message"] == "The body is no JSON: Expecting value at character 13."


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "input is an empty list; expected at least one text."),
        (["a"] * 2049, "input holds 2049 texts; expected at most 2048 a request."),
        ([1, 2, 3], "input holds token ids, and those of another tokenizer would be other words here; "),
        ([[1, 2], [3]], "input holds token ids, and those of another tokenizer would be other words here; "),
        (7, "input: expected a valid string or a valid list, found 7."),
    ],
)
def test_inputs_that_are_no_texts_are_told_why(standing: Server, value: Any, message: str) -> None:
    status, told = post(standing, EMBED, {"input": value})
    assert status == 400
    assert told["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (CHAT, {"messages": []}, "messages holds 0; expected at least 1."),
        ("/v1/responses", {"input": []}, "input holds 0; expected at least 1."),
        ("/v1/completions", {"prompt": []}, "prompt holds 0; expected at least 1."),
        ("/v1/messages", {"max_tokens": 9, "messages": []}, "messages holds 0; expected at least 1."),
        (CHAT, chat(tools=[{"type": "function", "function": {"name": "a"}}] * 129),
         "tools holds 129; expected at most 128."),
    ],
)  # fmt: skip
def test_lists_that_are_empty_or_too_long_are_told_their_length(
    standing: Server, path: str, body: Any, message: str
) -> None:
    status, told = post(standing, path, body)
    assert (status, told["error"]["message"]) == (400, message)


def test_2048_texts_are_embedded(standing: Server) -> None:
    status, told = post(standing, EMBED, {"input": ["a"] * 2048, "encoding_format": "base64"})
    assert (status, len(told["data"])) == (200, 2048)


CODED = base64.b64encode((EXAMPLES / "picture.png").read_bytes()).decode()


@pytest.mark.parametrize(
    "url",
    [
        "DATA:image/PNG;BASE64," + CODED,
        "data:image/png;charset=utf-8;base64," + quote(CODED, safe=""),
        "data:image/png;base64,\r\n" + "\r\n".join(CODED[at : at + 76] for at in range(0, len(CODED), 76)) + "\n",
        "data:;base64," + CODED,
        "data:image/png," + quote(base64.b64decode(CODED)),
    ],
    ids=["any case", "percent-encoded", "wrapped", "no type", "no base64"],
)
def test_data_urls_are_read_as_they_are_written(standing: Server, url: str) -> None:
    assert data_url_bytes(url) == base64.b64decode(CODED)
    part = {"type": "image_url", "image_url": {"url": url}}
    status, told = post(standing, CHAT, {"messages": [{"role": "user", "content": [part]}]})
    assert (status, told["choices"][0]["message"]["content"]) == (200, "[image]")


def test_overflow_of_the_context_is_told_as_such() -> None:
    parrot = Parrot(error=ContextOverflow("The prompt is 9 tokens long, and the model reads 8."))
    with served(parrot, limits=ServerLimits(request=Cost(bytes=10**6, pixels=10, seconds=1, tokens=400))) as server:
        for body in (chat(), chat(stream=True), chat(messages=[{"role": "user", "content": "x " * 900}])):
            status, told = post(server, CHAT, body)
            assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
        for stream in (False, True):
            for path, body in (("responses", {"input": "hi"}), ("completions", {"prompt": "hi"})):
                status, told = post(server, f"/v1/{path}", {**body, "stream": stream})
                assert (status, told["error"]["code"]) == (400, "context_length_exceeded"), path
            status, told = post(server, "/v1/messages", {**chat(), "max_tokens": 9, "stream": stream})
            assert (status, told["error"]["type"]) == (400, "invalid_request_error")
            assert "the model reads 8" in told["error"]["message"]


def test_chunks_have_the_usual_fields(standing: Server) -> None:
    _, _, content = asked(standing, "POST", CHAT, json.dumps(chat(stream=True)).encode())
    chunks = [json.loads(line[6:]) for line in content.decode().split("\n\n") if line.startswith("data: {")]
    for chunk in chunks:
        assert {"id", "object", "created", "model", "choices", "system_fingerprint", "usage"} <= {*chunk}
        assert {*chunk["choices"][0]} == {"index", "delta", "logprobs", "finish_reason"}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert (deltas[0], deltas[-1]) == ({"role": "assistant", "content": ""}, {})
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
