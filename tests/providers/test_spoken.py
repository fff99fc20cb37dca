"""Questions about spoken words: told from others, and answered from a transcript with its times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tutti
from tutti.cli.main import main
from tutti.content import Audio, Image, Message, Segment, Text, Transcript, Video, WindowScores
from tutti.providers.listening import _may_be_voice
from tutti.providers.registry import open_provider
from tutti.providers.spoken import Asked, Kind, SpokenAnswer, claims, told

SPEECH = Path(__file__).parents[2] / "examples" / "media" / "speech.ogg"
RECORDING, FILM = Audio("x.ogg"), Video("x.mp4")
Answerer = Callable[[str, Transcript], SpokenAnswer | None]


@pytest.fixture(scope="module")
def provider() -> Any:
    return open_provider("tutti-mini")


def asked(provider: Any, conversation: Sequence[Message]) -> Asked | None:
    return provider._asked_about_speech(conversation)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What does she say?", "words"),
        ("What is said in this recording?", "words"),
        ("Transcribe this.", "words"),
        ("What does the man talk about?", "words"),
        ("Which words can be heard?", "words"),
        ("What did they order?", "words"),
        ("When is the country mentioned?", "when"),
        ("When does she say goodbye?", "when"),
        ("At what time does he mention Paris?", "when"),
        ("Which digit is it?", "digit"),
        ("What number is spoken?", "digit"),
        ("Which digits are spoken, in order?", "digits"),
        ("Which language is spoken here?", "language"),
        ("Is anybody speaking?", "check"),
        ("Does she mention the harbour?", "check"),
        ("Is she speaking French?", "check"),
        ("What do you hear?", "heard"),
        ("What animal is this?", None),
        ("Can you tell me what this sound is?", "heard"),
        ("Is it raining?", None),
        ("Describe the sound.", "heard"),
        ("Who is speaking?", None),
        ("What is the speaker wearing?", None),
        ("Say how many birds can be heard.", None),
        ("Would you say that is a dog?", None),
    ],
)
def test_which_questions_are_about_words(provider: Any, question: str, kind: Kind | None) -> None:
    found = asked(provider, [Message.user(RECORDING, question)])
    assert (None if found is None else found.kind) == kind


def test_there_must_be_something_to_listen_to(provider: Any) -> None:
    assert asked(provider, [Message.user("What does she say?")]) is None
    assert asked(provider, [Message.user(Image(np.zeros((2, 2, 3), np.uint8)), "What does she say?")]) is None
    assert asked(provider, [Message.user(FILM, "What word is written on the sign?")]) is None
    earlier = [
        Message.user(FILM, "What is this?"),
        Message(role="assistant", parts=(Text("a film"),)),
        Message.user("And what does she say?"),
    ]
    found = asked(provider, earlier)
    assert found is not None
    assert found.medium is FILM
    in_english = asked(provider, [Message.user(RECORDING, "Translate what he says.")])
    assert in_english is not None
    assert in_english.translate


def transcript(*texts: str, language: str = "en") -> Transcript:
    segments = tuple(
        Segment(start_s=30.0 * index, end_s=30.0 * index + 20, text=text) for index, text in enumerate(texts)
    )
    return Transcript(
        text=" ".join(texts), segments=segments, model="whisper-base", language=language, task="transcribe",
        duration_s=200.0, seconds=1.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def answer(provider: Any) -> Answerer:
    def answer_of(question: str, spoken: Transcript) -> SpokenAnswer | None:
        found = asked(provider, [Message.user(RECORDING, question)])
        assert isinstance(found, Asked), question
        return told(found, spoken, lambda _, texts: [text.count("river") for text in texts])

    return answer_of


def test_answers_are_taken_from_the_transcript(answer: Answerer) -> None:
    spoken = transcript("We met in Paris.", "The boat went down the river.", "Then we went home.")
    said = answer("What does she say?", spoken)
    assert said is not None
    assert said.text == "“We met in Paris. The boat went down the river. Then we went home.”"
    when = answer("When is the boat mentioned?", spoken)
    assert when is not None
    assert (when.text, when.segments) == ("At 30.0 s (“The boat went down the river.”).", spoken.segments[1:2])
    later = answer("When does he say home?", transcript(*["Nothing."] * 3, "Going home."))
    assert later is not None
    assert later.text == "At 1:30 (“Going home.”)."
    never = answer("When is Rome mentioned?", spoken)
    assert never == SpokenAnswer(text="It is not mentioned in what is said.", segments=())
    language = answer("Which language is spoken?", transcript("Bonjour.", language="fr"))
    assert language is not None
    assert language.text == "French."
    (claim,) = claims(when.segments, "whisper-base", 2)
    assert claim.evidence == "heard at 30.0 s to 50.0 s by whisper-base"
    assert [(one.medium, one.start_s, one.end_s) for one in claim.found] == [(2, 30.0, 50.0)]


def test_a_noise_that_became_one_word_over_and_over_is_no_speech(answer: Answerer) -> None:
    assert answer("What does she say?", transcript("That, " * 100)) is None


@pytest.mark.parametrize(
    ("silent", "sure", "is_said"), [(0.88, -0.77, False), (0.63, -1.0, False), (0.56, -0.61, True), (0.9, -0.2, True)]
)
def test_a_guess_of_a_noise_is_no_speech(answer: Answerer, silent: float, sure: float, is_said: bool) -> None:
    scores = WindowScores(
        window_start_s=0.0, temperature=0.0, mean_log_probability=sure, compression_ratio=0.5, no_speech=silent
    )
    spoken = transcript("You")
    guessed = replace(spoken, segments=tuple(replace(one, scores=scores) for one in spoken.segments))
    assert (answer("What does she say?", guessed) is not None) == is_said


def test_a_sentence_is_heard_as_a_voice_and_a_word_is_left_to_the_model(answer: Answerer) -> None:
    said = answer("What do you hear?", transcript("Rear, left."))
    assert said is not None and said.text == "a voice saying “Rear, left.”"
    told_long = transcript(
        "We met in Paris, took the boat down the river to the sea, and came home by train.",
        "Then it rained for days and days.",
    )
    long = answer("Describe the sound.", told_long)
    assert long is not None and long.text.endswith("days and …”")
    assert answer("What do you hear?", transcript("Seven.")) is None
    assert answer("What do you hear?", transcript("4 2")) is None


@pytest.mark.parametrize(
    ("file", "heard"), [("speech.ogg", "a voice saying “And so"), ("recording.ogg", "a dog barking")]
)
def test_what_is_heard_is_a_voice_where_there_is_one(file: str, heard: str) -> None:
    assert tutti.load().ask("What do you hear?", SPEECH.parent / file).text.startswith(heard)


@pytest.mark.parametrize(("file", "heard"), [("recording.ogg", "a dog barking"), ("video.mp4", "a rooster")])
def test_a_noise_is_not_what_is_said(file: str, heard: str) -> None:
    assert tutti.load().ask("What is said?", SPEECH.parent / file).text == f"no words can be heard, but {heard}"


@pytest.mark.parametrize(
    ("heard", "voice"),
    [
        ("a voice saying seven", True),
        ("a dog barking removing dog powder bus", True),
        ("a dog barking", False),
        ("a washing machine, a ticking clock and a crying baby", False),
    ],
)
def test_what_names_no_sound_may_be_speech(heard: str, voice: bool) -> None:
    assert _may_be_voice(heard) is voice


def test_a_long_transcript_gives_the_nearest_passages(answer: Answerer) -> None:
    rest = "The weather was fine, bread was dear, and nobody came before noon to mend the old fence by our gate."
    spoken = transcript(*[rest] * 3, "down the river", *[rest] * 3)
    said = answer("What do they say about the boat?", spoken)
    assert said is not None
    assert "down the river" in said.text
    assert len(said.segments) == 3


@pytest.mark.parametrize(
    ("heard", "digit"),
    [("Seven.", "seven"), ("7", "seven"), ("For.", "four"), ("It is nine", "nine"), ("Hello.", None)],
)
def test_digits(answer: Answerer, heard: str, digit: str | None) -> None:
    said = answer("Which digit is it?", transcript(heard))
    assert (None if said is None else said.text) == digit


@pytest.mark.parametrize(
    ("question", "heard", "said"),
    [
        ("Which digits can be heard, in order?", "2, 1, 5.", "two one five"),
        ("Which digits can be heard, in order?", "21 five", "two one five"),
        ("Is zero among the spoken numbers?", "5, 1.", "No."),
        ("Is one among the spoken numbers?", "51", "Yes."),
        ("Would you say the voice says one?", "Nein.", "No."),
        ("Does the voice say nine?", "Nein.", "Yes."),
        ("Does she mention the harbour?", "We left the harbours behind us.", "Yes."),
        ("Does she mention the harbour?", "We left the town behind us.", "No."),
        ('Does anyone say "please"?', "Come in, please!", "Yes."),
        ("Did the man say goodbye?", "Good evening.", "No."),
        ("Is anybody speaking?", "Good evening.", "Yes."),
        ("Is she speaking English?", "Good evening.", "Yes."),
        ("Is she speaking French?", "Good evening.", "No."),
    ],
)
def test_what_a_transcript_can_be_searched_for(answer: Answerer, question: str, heard: str, said: str) -> None:
    found = answer(question, transcript(heard))
    assert found is not None
    assert found.text == said
    assert found.segments


@pytest.mark.parametrize("noise", ["(dog barking)", "[Music]", "** sounds **", "♪♪", "..."])
def test_notes_about_noises_are_no_words(answer: Answerer, noise: str) -> None:
    assert answer("What does she say?", transcript(noise)) is None


def test_the_shipped_weights_write_down_speech_and_answer_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = "ask not what your country can do for you"
    assert main(["transcribe", str(SPEECH), "--text", "--language", "en"]) == 0
    assert words in capsys.readouterr().out
    model = tutti.load()
    said = model.ask("What does he say?", SPEECH)
    assert words in said.text
    assert said.evidence
    assert all("by whisper-base" in claim.evidence for claim in said.evidence)
    assert words in model.transcribe(SPEECH, language="en").text
