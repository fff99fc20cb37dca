"""`/v1/completions` with the official client: whole, streamed, with log probabilities, and what is refused."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.serve.fake_models import Parrot


def test_a_text_is_answered(client: openai.OpenAI, parrot: Parrot) -> None:
    answer = client.completions.create(model="parrot", prompt="one two", temperature=0.5, seed=3, stop=["!"])
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("one two", "stop")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
    _, options = parrot.asked[0]
    assert (options.max_tokens, options.temperature, options.seed, options.stop) == (16, 0.5, 3, ("!",))
    cut = client.completions.create(model="parrot", prompt="one two", max_tokens=1)
    assert (cut.choices[0].text, cut.choices[0].finish_reason) == ("one", "length")


def test_several_prompts_and_choices_are_numbered(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="parrot", prompt=["a", "b c"], n=2, echo=True)
    assert [(one.index, one.text) for one in answer.choices] == [(0, "aa"), (1, "aa"), (2, "b cb c"), (3, "b cb c")]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 6)


def test_a_stream_is_the_whole(client: openai.OpenAI) -> None:
    options: Any = {"model": "parrot", "prompt": "one two three", "logprobs": 1}
    whole = client.completions.create(**options).choices[0]
    chunks = list(client.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert "".join(one.choices[0].text for one in chunks if one.choices) == whole.text == "one two three"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert whole.logprobs is not None
    told = [one.choices[0].logprobs for one in chunks if one.choices and one.choices[0].logprobs]
    assert [token for one in told for token in one.tokens or ()] == whole.logprobs.tokens == ["one", " two", " three"]
    assert [at for one in told for at in one.text_offset or ()] == whole.logprobs.text_offset == [0, 3, 7]
    assert whole.logprobs.top_logprobs == [{"one": -0.5}, {" two": -0.5}, {" three": -0.5}]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"prompt": [1, 2]}, "prompt holds token ids"),
        ({"prompt": [[1, 2]]}, "prompt holds token ids"),
        ({"prompt": "a", "suffix": "b"}, "suffix is not kept"),
        ({"prompt": "a", "best_of": 3}, "best_of is not kept"),
        ({"prompt": "a", "echo": True, "logprobs": 1}, "echo is given with logprobs"),
        ({"prompt": ["a", "b"], "stream": True}, "a list of several texts with stream"),
    ],
)
def test_what_is_not_kept_is_refused(client: openai.OpenAI, options: Any, told: str) -> None:
    with pytest.raises(openai.BadRequestError, match=told):
        client.completions.create(model="parrot", **options)


def test_errors_are_typed(client: openai.OpenAI, parrot: Parrot) -> None:
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="other", prompt="a")
    parrot.breaks_after = 1
    with pytest.raises(openai.APIError, match="bug of ours"):
        list(client.completions.create(model="parrot", prompt="a b", stream=True))
