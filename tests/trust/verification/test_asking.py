"""Answers that are verified when they are asked for, and what the commands refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as pillow

from tests.trust.verification.specialists import ScriptedReader, written
from tutti.cli.main import main
from tutti.content import Answer, Conversation, Event, Finished, SamplingOptions, Usage
from tutti.model import Model


class Says:
    name = "says"

    def __init__(self, text: str) -> None:
        self.text = text

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        yield Finished(Answer(text=self.text, model=self.name, finish_reason="stop", usage=Usage(), seconds=0.0))


def test_an_answer_is_verified_where_it_is_asked_for() -> None:
    model = Model(Says('It says "CAFE ROMA" and "BAR MILANO".'), reader=ScriptedReader(("CAFE ROMA", 0.99)))
    picture = written(0)
    assert model.ask("What is written?", picture).evidence == ()
    found = model.ask("What is written?", picture, verify=True)
    assert [claim.verdict for claim in found.evidence] == ["supported", "contradicted"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ask", "What?", "red.png", "--strict"], "--strict and --html show what was verified; give --verify, too."),
        (["ask", "What?", "red.png", "--verify", "--stream"], "verified when it is whole; leave out --stream"),
        (["ask", "What?", "red.png", "--verify", "--html", "no/red.png/x"], ""),
        (["verify", "It says 'a'."], "No medium was given"),
        (["verify", " ", "red.png"], "The answer is empty"),
        (["verify", "@missing.txt", "red.png"], "missing.txt: no such file"),
        (["verify", "@red.png", "red.png"], "is no text in UTF-8"),
        (["verify", "It says 'a'.", "red.png", "--html", "red.png/page.html"], "red.png is a file"),
        (["ask", "What?", "--in", "db", "--verify"], "--verify has no effect"),
    ],
)
def test_what_cannot_be_verified_is_refused(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pillow.new("RGB", (64, 64), "red").save("red.png")
    if not sentence:
        Path("no").write_text("a file")
        sentence = "no is a file"
    assert main(words) == 2
    assert sentence in capsys.readouterr().err
