"""Transcriptions and translations with the official client: what is honoured reaches the model, the rest is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

import tutti
from tests.serve.conftest import EXAMPLES
from tests.serve.fake_models import Stenographer, served


@pytest.fixture(scope="module")
def hearing() -> Iterator[tuple[openai.OpenAI, Stenographer]]:
    model = Stenographer()
    with (
        served(model) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client, model


def heard(client: openai.OpenAI, **options: Any) -> Any:
    with (EXAMPLES / "recording.ogg").open("rb") as file:
        return client.audio.transcriptions.create(model="stenographer", file=file, **options)


def test_options_reach_the_model(hearing: tuple[openai.OpenAI, Stenographer]) -> None:
    client, model = hearing
    heard(client, prompt="Names: Ada.", temperature=0.4, language="en")
    assert (model.asked[-1].prompt, model.asked[-1].temperatures, model.asked[-1].language) == (
        "Names: Ada.",
        (0.4,),
        "en",
    )
    heard(client, temperature=0)
    assert len(model.asked[-1].temperatures) > 1, "0 raises it until the text is believable"


def test_the_verbose_form_tells_all(hearing: tuple[openai.OpenAI, Stenographer]) -> None:
    client, _ = hearing
    whole = heard(client, response_format="verbose_json")
    first = whole.segments[0]
    assert (first.avg_logprob, first.no_speech_prob, first.compression_ratio, first.temperature, first.tokens) == (
        -0.25,
        0.01,
        1.1,
        0.0,
        [7],
    )
    assert whole.words is None
    assert (whole.usage.type, whole.usage.seconds >= whole.duration) == ("duration", True)
    words = heard(client, response_format="verbose_json", timestamp_granularities=["word"])
    assert ([word.word for word in words.words], words.segments) == (["good", "day"], None)
    both = heard(client, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert (len(both.words), len(both.segments)) == (2, 2)
    assert heard(client).usage.type == "duration"


def test_a_stream_is_the_whole(hearing: tuple[openai.OpenAI, Stenographer]) -> None:
    client, _ = hearing
    events = list(heard(client, stream=True))
    assert [event.type for event in events] == [
        "transcript.text.delta",
        "transcript.text.delta",
        "transcript.text.done",
    ]
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == heard(client).text


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # of the client, which keeps the method
def test_speech_is_said_in_english(hearing: tuple[openai.OpenAI, Stenographer]) -> None:
    client, model = hearing
    with (EXAMPLES / "recording.ogg").open("rb") as file:
        told = client.audio.translations.create(model="stenographer", file=file, prompt="a", response_format="json")
    assert (told.text, model.asked[-1].task, model.asked[-1].prompt) == ("good day", "translate", "a")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities is given with response_format json"),
        ({"stream": True, "response_format": "verbose_json"}, "stream is given with response_format verbose_json"),
        ({"include": ["logprobs"]}, r"include\[\] is not kept"),
        ({"response_format": "diarized_json"}, "response_format: expected 'json'"),
        ({"temperature": 2}, "temperature: expected less than or equal to 1, found 2"),
        ({"extra_body": {"something_new": "a"}}, "something_new is not a field that this server knows"),
        ({"extra_body": {"known_speaker_names[]": "Ada"}}, r"known_speaker_names\[\] is not kept"),
    ],
)
def test_what_is_not_honoured_is_refused(hearing: tuple[openai.OpenAI, Stenographer], options: Any, told: str) -> None:
    with pytest.raises(openai.BadRequestError, match=told):
        heard(hearing[0], **options)


@pytest.mark.parametrize("options", [{"chunking_strategy": "auto"}, {"stream": False}, {"prompt": ""}])
def test_neutral_values_change_nothing(hearing: tuple[openai.OpenAI, Stenographer], options: Any) -> None:
    assert heard(hearing[0], **options).text == "good day"


def test_the_whisper_of_the_package_tells_how_sure_it_is() -> None:
    with (
        served(tutti.load().provider) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):
        with (EXAMPLES / "recording.ogg").open("rb") as file:
            told: Any = client.audio.transcriptions.create(
                model="tutti-mini", file=file, response_format="verbose_json", prompt="A dog."
            )
        for segment in told.segments:
            assert segment.avg_logprob < 0
            assert 0 <= segment.no_speech_prob <= 1
        with (
            (EXAMPLES / "recording.ogg").open("rb") as file,
            pytest.raises(openai.BadRequestError, match="times of segments here, not of words"),
        ):
            client.audio.transcriptions.create(
                model="tutti-mini", file=file, response_format="verbose_json", timestamp_granularities=["word"]
            )
