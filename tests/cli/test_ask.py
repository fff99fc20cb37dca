"""`tutti ask`: what it passes on, and what it prints where."""

from __future__ import annotations

import json
from dataclasses import replace
from os import fspath
from pathlib import Path

import pytest

from tests.cli.fake_model import FakeModel
from tutti.cli.main import main
from tutti.content import Text


def test_answer_goes_to_stdout(model: FakeModel, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is it?", str(picture)]) == 0
    captured = capsys.readouterr()
    assert captured.out == "a brown dog\n"
    assert captured.err == ""
    question, media, options = model.calls[0]
    assert question == "What is it?"
    assert [(part.modality, fspath(part.source)) for part in media] == [("image", str(picture))]
    assert options == {}


def test_json_is_one_object(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is it?", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    answer = json.loads(out)
    assert answer["text"] == "a brown dog"
    usage = {"prompt_tokens": 20, "completion_tokens": 3, "media_tokens": 16}
    apart = dict.fromkeys(("image_tokens", "audio_tokens", "video_tokens", "cached_tokens"), 0)
    assert answer["usage"] == {**usage, **apart}
    assert {"model", "finish_reason", "seconds", "cost_usd"} <= {*answer}


def test_streamed_equals_whole(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is it?"]) == 0
    whole = capsys.readouterr().out
    assert main(["ask", "What is it?", "--stream"]) == 0
    assert capsys.readouterr().out == whole


def test_streamed_json_is_pieces_then_the_answer(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is it?", "--stream", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "".join(row["delta"] for row in rows[:-1]) == rows[-1]["text"] == "a brown dog"


def test_options_pass_through_only_when_given(model: FakeModel) -> None:
    words = "--max-tokens 9 --temperature 0 --top-k 5 --top-p 0.9 --stop . --stop ! --seed 0 --repetition-penalty 1.1"
    assert main(["ask", "What?", *words.split()]) == 0
    assert model.calls[0][2] == {
        "max_tokens": 9,
        "temperature": 0.0,
        "top_k": 5,
        "top_p": 0.9,
        "stop": (".", "!"),
        "seed": 0,
        "repetition_penalty": 1.1,
    }


def test_options_may_stand_between_question_and_media(model: FakeModel, picture: Path) -> None:
    assert main(["ask", "--seed", "3", "What?", "--json", str(picture), "--stop", "!", str(picture)]) == 0
    question, media, options = model.calls[0]
    assert (question, len(media)) == ("What?", 2)
    assert options == {"seed": 3, "stop": ("!",)}


def test_behind_two_dashes_nothing_is_an_option(
    model: FakeModel, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(picture.parent)
    picture.rename("-x.png")
    assert main(["ask", "--seed", "3", "--", "-x is what?", "-x.png"]) == 0
    question, media, options = model.calls[0]
    assert (question, [fspath(part.source) for part in media], options) == ("-x is what?", ["-x.png"], {"seed": 3})


def test_a_system_turn_makes_a_conversation(model: FakeModel, picture: Path) -> None:
    assert main(["ask", "What is it?", str(picture), "--system", "Be brief."]) == 0
    (system, user), media, _ = model.calls[0]
    assert media == ()
    assert (system.role, system.parts) == ("system", (Text("Be brief."),))
    assert user.role == "user"
    assert [part.modality for part in user.parts] == ["image", "text"]


def test_model_name_is_passed_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    import tutti

    names: list[str | None] = []
    monkeypatch.setattr(tutti, "load", lambda name=None, **_: names.append(name) or FakeModel(), raising=False)
    assert main(["ask", "What?"]) == 0
    assert main(["ask", "What?", "--model", "folder/of/mine"]) == 0
    assert names == [None, "folder/of/mine"]


@pytest.mark.parametrize("question", ["", "  \n"])
def test_empty_question(question: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", question]) == 2
    assert capsys.readouterr().err == (
        'tutti: The question is empty; expected words, for example: tutti ask "What is this?" photo.jpg\n'
    )


REMOTE = "https://example.org/a.jpg"


@pytest.mark.parametrize(
    "words", [["ask", "What?", REMOTE], ["classify", REMOTE, "--labels", "a,b"], ["embed", REMOTE]], ids=lambda w: w[0]
)
def test_nothing_is_fetched(words: list[str], model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr() == (
        "",
        f"tutti: {REMOTE} is a remote address and remote fetch is off; download it and give the file's path.\n",
    )


def test_a_wrong_path_fails_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tutti

    monkeypatch.setattr(tutti, "load", lambda *_, **__: pytest.fail("the model was loaded"), raising=False)
    assert main(["ask", "What?", "nowhere.jpg"]) == 2
    assert "nowhere.jpg" in capsys.readouterr().err


def test_notes_of_an_answer_go_to_stderr(
    model: FakeModel, picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = replace(model.ask("What?"), notes=("The sound was cut.",))
    monkeypatch.setattr(model, "ask", lambda *_, **__: answer)
    assert main(["ask", "What?", str(picture)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a brown dog\n", "The sound was cut.\n")
