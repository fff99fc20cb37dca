"""Guards, verifiers, readers and sealers are called where models, hosted options and caches say they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.scripted_model import Player
from tutti.content import Answer, Claim, Conversation, Image, Message, Part, SamplingOptions, Text, TextLine, Usage
from tutti.errors import InputError
from tutti.interfaces import Guard, Sealer, TextReader, Verifier, admitted
from tutti.media import InProcess, Limits
from tutti.model import Model
from tutti.providers.answer_cache import AnswerCache
from tutti.providers.hosted import HostedOptions
from tutti.providers.registry import open_provider

PICTURE = Image(np.zeros((4, 4, 3), np.uint8))
ANSWER = Answer(text="x", model="m", finish_reason="stop", usage=Usage(), seconds=0.0)


class Starred:
    """A guard that stars names and refuses secrets."""

    def admit(self, parts: Sequence[Part]) -> Sequence[Part]:
        if any(isinstance(part, Text) and "secret" in part.text for part in parts):
            raise InputError("A secret was given.")
        return [Text(part.text.replace("Anna", "****")) if isinstance(part, Text) else part for part in parts]


class Doubtful:
    """A verifier that supports nothing."""

    def verify(self, conversation: Conversation, answer: Answer) -> Answer:
        return replace(answer, evidence=(Claim(text=answer.text, supported=False, evidence=f"{len(conversation)}"),))


class Lines:
    """A reader that finds one line."""

    def read(self, image: Image) -> Sequence[TextLine]:
        return [TextLine(text="EXIT", box=(0, 0, 1, 1), confidence=1.0)]


class Reversed:
    """A sealer that anyone could open."""

    def seal(self, content: bytes, context: str) -> bytes:
        return b"sealed" + context.encode() + content[::-1]

    def unseal(self, sealed: bytes, context: str) -> bytes:
        if not sealed.startswith(b"sealed" + context.encode()):
            raise InputError("Not sealed with this key.")
        return sealed.removeprefix(b"sealed" + context.encode())[::-1]

    def digest(self, text: str) -> str:
        return sha256(text.encode()).hexdigest()


def test_doubles_are_what_they_stand_for() -> None:
    assert isinstance(Starred(), Guard)
    assert isinstance(Doubtful(), Verifier)
    assert isinstance(Lines(), TextReader)
    assert isinstance(Reversed(), Sealer)


def test_a_guard_comes_before_the_provider() -> None:
    asked: list[str] = []
    model = Model(Player(lambda question: asked.append(question) or "yes"), guard=Starred())
    assert model.ask("Is Anna here?").text == "yes"
    assert asked == ["Is **** here?"]
    with pytest.raises(InputError, match="A secret was given"):
        model.ask("A secret?")
    assert len(asked) == 1


def test_a_verifier_sees_the_answer_before_it_is_handed_out() -> None:
    model = Model(Player(lambda question: "yes"), verifier=Doubtful())
    assert model.ask("What?").evidence == (Claim(text="yes", supported=False, evidence="1"),)
    assert list(model.stream("What?"))[-1].answer.evidence  # type: ignore[union-attr]


def test_a_reader_reads_pictures_only() -> None:
    model = Model(Player(lambda question: ""), reader=Lines())
    assert [line.text for line in model.read(PICTURE)] == ["EXIT"]
    with pytest.raises(InputError, match="was given no reader of text"):
        Model(Player(lambda question: "")).read(PICTURE)


def test_what_is_sent_elsewhere_is_guarded() -> None:
    hosted = HostedOptions(preview_only=True, guard=Starred())
    provider = open_provider("openai:gpt-4o", hosted=hosted, decoder=InProcess(Limits()))
    shown = str(provider.preview([Message.user("Is Anna here?")], SamplingOptions()))  # type: ignore[union-attr]
    assert "****" in shown
    assert "Anna" not in shown


def test_a_sealed_cache_holds_nothing_plain(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path, Reversed())
    cache.put("k", ANSWER)
    assert (tmp_path / "k.json").read_bytes().startswith(b"sealed")
    assert cache.get("k") == ANSWER
    (tmp_path / "k.json").write_bytes(b"{}")
    assert cache.get("k") is None


def test_without_a_guard_a_conversation_is_the_same() -> None:
    conversation = [Message.user("a")]
    assert admitted(None, conversation) is conversation
