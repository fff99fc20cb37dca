"""The face of every model, in front of providers that follow a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tutti.content import (
    Answer,
    Audio,
    Conversation,
    Embeddings,
    Event,
    Finished,
    Image,
    Message,
    Modality,
    Part,
    SamplingOptions,
    Text,
    TextDelta,
    Usage,
)
from tutti.errors import InputError, ProviderError, TuttiError, UnsupportedTask
from tutti.model import Model

ANSWER = Answer(text="a dog", model="scripted", finish_reason="stop", usage=Usage(), seconds=0.0)
EVENTS: tuple[Event, ...] = (TextDelta("a"), TextDelta(" dog"), Finished(ANSWER))


class Speaker:
    """Says its script, whatever it is asked."""

    name = "scripted"

    def __init__(self, events: Sequence[Event] = EVENTS) -> None:
        self.events = events
        self.asked: list[tuple[Conversation, SamplingOptions]] = []
        self.cancelled = 0

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        self.asked.append((conversation, options))
        try:
            yield from self.events
        except GeneratorExit:
            self.cancelled += 1
            raise


class Placer:
    """Places text by a table, and media at its first axis."""

    name = "placer"

    def __init__(self) -> None:
        self.given: list[Part] = []

    def sharpness(self, modality: Modality) -> float:
        return {"image": 20.0, "audio": 5.0}[modality]

    def embed(self, parts: Sequence[Part]) -> Embeddings:
        self.given = list(parts)
        points = {"a dog": (0.8, 0.6), "a car": (0.0, 1.0), "a wolf": (0.8, -0.6)}
        rows = [points[part.text] if isinstance(part, Text) else (1.0, 0.0) for part in parts]
        return Embeddings(vectors=np.array(rows, np.float32), model=self.name, usage=Usage())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "dog.png"
    PIL.Image.new("RGB", (4, 4), (200, 40, 40)).save(file)
    return file


def sentence(kind: type[TuttiError], act: Any) -> str:
    with pytest.raises(kind) as caught:
        act()
    return str(caught.value)


def test_ask_gives_the_answer_that_ends_the_stream() -> None:
    assert Model(Speaker()).ask("What is this?") is ANSWER


def test_stream_gives_every_event() -> None:
    assert tuple(Model(Speaker()).stream("What is this?")) == EVENTS


def test_media_come_before_the_question_in_the_order_given(picture: Path) -> None:
    speaker, sound = Speaker(), Audio(np.zeros(8, np.float32), sample_rate_hz=8000)
    Model(speaker).ask("What is this?", str(picture), sound)
    ((conversation, _),) = speaker.asked
    (message,) = conversation
    assert message.role == "user"
    first, second, third = message.parts
    assert isinstance(first, Image)
    assert second is sound
    assert third == Text("What is this?")


def test_any_form_of_a_medium_is_wrapped_by_its_content(picture: Path) -> None:
    speaker = Speaker()
    pixels = np.asarray(PIL.Image.open(picture))
    Model(speaker).ask("What is this?", picture, str(picture), picture.read_bytes(), pixels)
    assert [part.modality for part in speaker.asked[0][0][0].parts] == ["image"] * 4 + ["text"]


def test_sampling_reaches_the_provider() -> None:
    speaker = Speaker()
    Model(speaker).ask("What is this?", max_tokens=7, temperature=0.5, stop=(".", "!"), cut_media=True)
    assert speaker.asked[0][1] == SamplingOptions(max_tokens=7, temperature=0.5, stop=(".", "!"), cut_media=True)


def test_one_stop_string_is_one_stop_string() -> None:
    speaker = Speaker()
    Model(speaker).ask("What is this?", stop="The end")
    assert speaker.asked[0][1].stop == ("The end",)


def test_a_conversation_goes_through_as_it_is() -> None:
    speaker = Speaker()
    conversation = [Message.user("A dog?"), Message("assistant", (Text("Yes."),)), Message.user("Which?")]
    Model(speaker).ask(conversation)
    assert speaker.asked[0][0] is conversation


def test_closing_the_stream_cancels() -> None:
    speaker = Speaker()
    stream = Model(speaker).stream("What is this?")
    assert next(stream) == TextDelta("a")
    stream.close()  # type: ignore[attr-defined]
    assert speaker.cancelled == 1
    assert list(stream) == []


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused_before_anything_runs(question: str) -> None:
    speaker = Speaker()
    said = sentence(InputError, lambda: Model(speaker).stream(question))
    assert said == "The question is empty; expected words, such as: What is this?"
    assert speaker.asked == []


def test_an_unknown_option_is_named_and_the_known_ones_listed() -> None:
    said = sentence(InputError, lambda: Model(Speaker()).ask("What is this?", heat=1))
    assert said == (
        "Unknown option 'heat'; known are: max_tokens, temperature, top_k, top_p, repetition_penalty, stop, seed, "
        "logprobs, json_schema, tools, tool_choice, parallel_tool_calls, tenant, cut_media."
    )


def test_media_beside_a_conversation_are_refused(picture: Path) -> None:
    said = sentence(InputError, lambda: Model(Speaker()).ask([Message.user("What is this?")], picture))
    assert said == "Media were given beside a conversation; put them into its messages."


def test_words_in_the_place_of_a_medium_are_refused() -> None:
    said = sentence(InputError, lambda: Model(Speaker()).ask("What is this?", Text("a dog")))  # type: ignore[arg-type]
    assert said == "Words were given in the place of a medium; put them into the question."


def test_a_path_that_does_not_exist_is_refused() -> None:
    said = sentence(InputError, lambda: Model(Speaker()).ask("What is this?", "a dog"))
    assert said == "a dog does not exist; check the path."


@pytest.mark.parametrize("events", [(), (TextDelta("a"),)])
def test_a_provider_that_breaks_off_has_failed(events: tuple[Event, ...]) -> None:
    said = sentence(ProviderError, lambda: Model(Speaker(events)).ask("What is this?"))
    assert said == "scripted ended its stream without an answer; ask again, or another model."


def test_strings_are_text_and_paths_are_media(picture: Path) -> None:
    placer, sound = Placer(), Audio(b"...")
    vectors = Model(placer).embed(["a dog", picture, sound, Text("a car")])
    assert [part.modality for part in placer.given] == ["text", "image", "audio", "text"]
    assert placer.given[2] is sound
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array([(0.8, 0.6), (1, 0), (1, 0), (0, 1)], np.float32))


@pytest.mark.parametrize("item", ["a dog", Text("a dog"), Image("dog.png"), b"dog", Path("dog.png")])
def test_one_item_is_not_a_list_of_items(item: Any) -> None:
    said = sentence(InputError, lambda: Model(Placer()).embed(item))
    assert said == "embed takes a list of items, and was given one; put it into a list."


def test_nothing_to_embed_is_refused() -> None:
    said = sentence(InputError, lambda: Model(Placer()).embed([]))
    assert said == "There is nothing to embed; expected at least one item."


def test_labels_are_ranked_by_similarity(picture: Path) -> None:
    scores = Model(Placer()).classify(picture, ["a car", "a wolf", "a dog"])
    # Cosines 0, 0.8 and 0.8, times 20: e^16 for each of the two alike, which stay in the order given.
    assert list(scores) == ["a wolf", "a dog", "a car"]
    assert scores["a wolf"] == scores["a dog"] == pytest.approx(1 / (2 + np.exp(-16)))
    assert scores["a car"] == pytest.approx(np.exp(-16) / 2, rel=1e-4)
    assert sum(scores.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([], "Got 0 labels, 0 of them different; expected two or more."),
        (["a dog"], "Got 1 labels, 1 of them different; expected two or more."),
        (["a dog", "a car", "a dog"], "Got 3 labels, 2 of them different; expected two or more."),
        ("dog", "labels is the string 'dog'; put the labels into a list."),
    ],
)
def test_labels_that_leave_no_choice_are_refused(labels: Any, said: str, picture: Path) -> None:
    assert sentence(InputError, lambda: Model(Placer()).classify(picture, labels)) == said


def test_what_a_provider_cannot_do_is_said_with_one_that_can(picture: Path) -> None:
    ask, embed = "placer does not answer questions; tutti-mini does.", "scripted does not embed; tutti-mini does."
    classify = "scripted does not classify; tutti-mini does."
    assert sentence(UnsupportedTask, lambda: Model(Placer()).ask("What is this?")) == ask
    assert sentence(UnsupportedTask, lambda: Model(Speaker()).embed(["a dog"])) == embed
    assert sentence(UnsupportedTask, lambda: Model(Speaker()).classify(picture, ["a dog", "a car"])) == classify


def test_a_model_is_called_as_its_provider() -> None:
    assert Model(Speaker()).name == "scripted"
    assert repr(Model(Placer())) == "Model('placer')"
