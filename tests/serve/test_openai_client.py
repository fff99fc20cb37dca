"""The official `openai` client, as it is, against a real server: what it sends is understood, what it gets is typed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

import tutti
from tests.serve.conftest import EXAMPLES, encoded
from tests.serve.fake_models import Parrot, Stenographer, served
from tutti.content import Image, Text
from tutti.errors import CapacityError, RateLimited, Unavailable


def said(client: openai.OpenAI, *parts: Any, **options: Any) -> Any:
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return client.chat.completions.create(model="parrot", messages=[{"role": "user", "content": content}], **options)


def test_words_come_back(client: openai.OpenAI, parrot: Parrot) -> None:
    answer = client.chat.completions.create(
        model="parrot",
        messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "good day"}],
        temperature=0.5,
        top_p=0.9,
        max_tokens=5,
        stop="!",
        seed=7,
    )
    assert answer.choices[0].message.content == "good day"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (2, 2, 4)
    (conversation, options) = parrot.asked[0]
    assert [turn.role for turn in conversation] == ["system", "user"]
    assert (options.temperature, options.top_p, options.max_tokens, options.stop, options.seed) == (
        0.5,
        0.9,
        5,
        ("!",),
        7,
    )
    assert options.tenant == "default"


def test_without_a_temperature_the_likeliest_answer_is_given(client: openai.OpenAI, parrot: Parrot) -> None:
    said(client, "a")
    assert parrot.asked[0][1].temperature == 0


def test_every_kind_of_part_is_understood(
    client: openai.OpenAI, picture: dict[str, object], recording: dict[str, object], video: dict[str, object]
) -> None:
    sound_url = {"type": "audio_url", "audio_url": {"url": f"data:audio/ogg;base64,{encoded('recording.ogg')}"}}
    film = {"type": "input_video", "input_video": {"data": encoded("video.mp4"), "format": "mp4"}}
    files = [{"type": "file", "file": {"file_data": encoded(name)}} for name in ("picture.png", "video.mp4")]
    answer = said(client, "look", picture, recording, sound_url, video, film, *files)
    assert answer.choices[0].message.content == "look [image] [audio] [audio] [video] [video] [image] [video]"


def test_a_stream_is_the_whole_in_pieces_and_tells_usage(client: openai.OpenAI) -> None:
    events = list(said(client, "one two three", stream=True, stream_options={"include_usage": True}))
    pieces = [event.choices[0].delta.content or "" for event in events if event.choices]
    assert pieces == ["", "one", " two", " three", ""]
    assert events[0].choices[0].delta.role == "assistant"
    assert events[-2].choices[0].finish_reason == "stop"
    assert events[-1].choices == []
    assert events[-1].usage.completion_tokens == 3
    assert all(event.usage is None for event in events[:-1])
    assert len({event.id for event in events}) == 1


def test_several_choices_whole_and_as_a_stream(client: openai.OpenAI, parrot: Parrot) -> None:
    answer = said(client, "one two", n=3, seed=5)
    assert [choice.message.content for choice in answer.choices] == ["one two"] * 3
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert sorted(options.seed for _, options in parrot.asked) == [5, 6, 7]
    assert answer.usage.completion_tokens == 6
    texts = {0: "", 1: ""}
    for event in said(client, "one two", n=2, stream=True):
        texts[event.choices[0].index] += event.choices[0].delta.content or ""
    assert texts == {0: "one two", 1: "one two"}


def test_logprobs_are_told_where_they_are_asked_for(client: openai.OpenAI) -> None:
    answer = said(client, "one two", logprobs=True, top_logprobs=1)
    content = answer.choices[0].logprobs.content
    assert [(one.token, one.logprob, bytes(one.bytes)) for one in content] == [
        ("one", -0.5, b"one"),
        (" two", -0.5, b" two"),
    ]
    assert content[0].top_logprobs[0].token == "one"
    assert said(client, "one").choices[0].logprobs is None
    events = list(said(client, "one two", logprobs=True, stream=True))
    assert [
        one.token for event in events if event.choices[0].logprobs for one in event.choices[0].logprobs.content
    ] == [
        "one",
        " two",
    ]


def test_a_schema_reaches_the_model(client: openai.OpenAI, parrot: Parrot) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    said(client, "a", response_format=wanted)
    assert json.loads(parrot.asked[0][1].json_schema or "") == schema
    said(client, "a", response_format={"type": "json_object"})
    assert json.loads(parrot.asked[1][1].json_schema or "") == {"type": "object"}
    said(client, "a", response_format={"type": "text"})
    assert parrot.asked[2][1].json_schema is None
    of_others: Any = {"type": "json_object", "schema": schema}  # llama.cpp's and Together's
    said(client, "a", response_format=of_others)
    assert json.loads(parrot.asked[3][1].json_schema or "") == schema


def test_vectors_of_words_as_numbers_and_as_bytes_are_the_same(client: openai.OpenAI) -> None:
    # The client asks for base64 unless told otherwise, and decodes it itself.
    packed = client.embeddings.create(model="parrot", input=["a", "b"])
    plain = client.embeddings.create(model="parrot", input="a", encoding_format="float")
    assert packed.data[0].embedding == plain.data[0].embedding
    assert [item.index for item in packed.data] == [0, 1]
    assert np.isclose(np.linalg.norm(plain.data[0].embedding), 1)


def test_fewer_dimensions_are_of_length_one_again(client: openai.OpenAI) -> None:
    short = client.embeddings.create(model="parrot", input="a", dimensions=1)
    assert len(short.data[0].embedding) == 1
    with pytest.raises(openai.BadRequestError, match="dimensions is 5; this model has 4"):
        client.embeddings.create(model="parrot", input="a", dimensions=5)


def test_media_are_embedded_part_by_part(
    client: openai.OpenAI, picture: dict[str, object], recording: dict[str, object]
) -> None:
    content = [{"type": "text", "text": "a dog"}, picture, recording]
    answer = client.post(
        "/embeddings",
        body={"model": "parrot", "messages": [{"role": "user", "content": content}]},
        cast_to=openai.types.CreateEmbeddingResponse,
    )
    expected = Parrot().embed([Text("a"), Image(EXAMPLES / "picture.png")]).vectors
    assert len(answer.data) == 3
    assert np.allclose([item.embedding for item in answer.data[:2]], expected)


def test_a_model_is_listed_and_another_is_not_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["parrot"]
    assert client.models.retrieve("parrot").id == "parrot"
    with pytest.raises(openai.NotFoundError, match="There is no model 'a/b' here; this server has 'parrot'"):
        client.models.retrieve("a/b")
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="other", messages=[{"role": "user", "content": "a"}])
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_transcription_is_refused_by_what_does_not_hear(client: openai.OpenAI) -> None:
    with (
        (EXAMPLES / "recording.ogg").open("rb") as file,
        pytest.raises(openai.BadRequestError, match="whisper") as caught,
    ):
        client.audio.transcriptions.create(model="parrot", file=file)
    assert caught.value.code == "unsupported"


@pytest.fixture
def hearing() -> Iterator[openai.OpenAI]:
    with (
        served(Stenographer()) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as one,
    ):
        yield one


def test_speech_is_written_down_in_every_form(hearing: openai.OpenAI) -> None:
    def transcribed(form: Any) -> Any:
        with (EXAMPLES / "recording.ogg").open("rb") as file:
            return hearing.audio.transcriptions.create(
                model="stenographer", file=file, response_format=form, language="en"
            )

    assert transcribed("json").text == "good day"
    whole = transcribed("verbose_json")
    assert [segment.text for segment in whole.segments] == ["good", "day"]
    assert whole.language == "en"
    assert whole.segments[1].end == whole.duration > whole.segments[0].end > 0
    assert transcribed("text") == "good day\n"
    assert transcribed("srt").startswith("1\n00:00:00,000 --> 00:00:0")
    assert transcribed("vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0")


def test_who_writes_down_neither_answers_nor_embeds(hearing: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not answer questions"):
        hearing.chat.completions.create(model="stenographer", messages=[{"role": "user", "content": "a"}])
    with pytest.raises(openai.BadRequestError, match="does not embed"):
        hearing.embeddings.create(model="stenographer", input="a")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CapacityError("It is long."), openai.APIStatusError),
        (RateLimited("Slow down."), openai.RateLimitError),
        (Unavailable("It is away."), openai.InternalServerError),
        (ZeroDivisionError("secret words"), openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_typed_as_the_client_types_them(
    client: openai.OpenAI, parrot: Parrot, error: Exception, expected: type[openai.APIStatusError], stream: bool
) -> None:
    parrot.error = error
    with pytest.raises(expected) as caught:
        said(client, "a", stream=stream)
    assert "secret" not in str(caught.value)
    assert caught.value.body["message"].endswith(".")  # type: ignore[index]
    parrot.error = None
    assert said(client, "fine").choices[0].message.content == "fine"


def test_tutti_mini_answers_as_it_does_in_python(picture: dict[str, object], recording: dict[str, object]) -> None:
    model = tutti.load()
    with (
        served(model.provider) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):
        for part, name, question in (
            (picture, "picture.png", "What animal is this?"),
            (recording, "recording.ogg", "What do you hear?"),
        ):
            messages: Any = [{"role": "user", "content": [{"type": "text", "text": question}, part]}]
            answer = client.chat.completions.create(model="tutti-mini", messages=messages)
            asked = model.ask(question, EXAMPLES / name)
            assert answer.choices[0].message.content == asked.text
            streamed = client.chat.completions.create(model="tutti-mini", messages=messages, stream=True)
            assert "".join(event.choices[0].delta.content or "" for event in streamed) == asked.text
        vectors = client.embeddings.create(model="tutti-mini", input=["a dog"])
        assert np.allclose(vectors.data[0].embedding, model.embed(["a dog"])[0], atol=1e-6)


def test_texts_that_no_vector_holds_are_refused_or_shortened_where_that_is_asked_for() -> None:
    model = tutti.load()
    long = "dog " * 20_000
    with (
        served(model.provider) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):
        with pytest.raises(openai.APIStatusError, match="20,000 tokens") as refused:
            client.embeddings.create(model="tutti-mini", input=["a cat", long])
        assert (refused.value.status_code, refused.value.code) == (400, "context_length_exceeded")
        short = client.embeddings.create(model="tutti-mini", input=[long], extra_body={"truncate": True})
        assert np.allclose(short.data[0].embedding, model.embed([long], truncate=True)[0], atol=1e-6)
        with pytest.raises(openai.BadRequestError, match="vocabulary"):
            client.embeddings.create(model="tutti-mini", input="🐶")
        noted: Any = client.embeddings.create(model="tutti-mini", input=["a cat", "a dog 🐶"])
        assert len(noted.warnings) == 1
        assert "input 1: 1 of 3 tokens" in noted.warnings[0]
        assert not hasattr(client.embeddings.create(model="tutti-mini", input="a cat"), "warnings")


def test_a_file_is_sent_as_the_readme_of_the_client_says(client: openai.OpenAI, tmp_path: Path) -> None:
    content = base64.b64encode((EXAMPLES / "recording.ogg").read_bytes()).decode()
    answer = said(
        client, {"type": "file", "file": {"file_data": f"data:audio/ogg;base64,{content}", "filename": "a.ogg"}}
    )
    assert answer.choices[0].message.content == "[audio]"
