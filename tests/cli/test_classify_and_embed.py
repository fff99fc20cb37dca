"""`tutti classify` and `tutti embed`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.fake_model import FakeModel
from tutti.cli.main import main


def test_labels_come_best_first(model: FakeModel, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(picture), "--labels", "a dog, a car"]) == 0
    assert capsys.readouterr().out == " 66.7%  a car\n 33.3%  a dog\n"


def test_classify_json(model: FakeModel, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(picture), "--labels", "a dog,a car", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["label"] == "a car"
    assert result["scores"] == pytest.approx({"a car": 2 / 3, "a dog": 1 / 3})
    assert result["model"] == "fake"


@pytest.mark.parametrize("labels", ["", "a dog", ",,", "a dog,a dog"])
def test_labels_that_decide_nothing(labels: str, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(picture), "--labels", labels]) == 2
    assert "expected" in capsys.readouterr().err


def test_embed_tells_words_from_files(model: FakeModel, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "a dog", str(picture), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["input"], row["modality"]) for row in rows] == [("a dog", "text"), (str(picture), "image")]
    assert all(sum(x * x for x in row["vector"]) == pytest.approx(1) for row in rows)


def test_embed_can_be_told_that_a_path_is_words(
    model: FakeModel, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["embed", "--text", str(picture), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == "text"


def test_a_mistyped_path_does_not_pass_as_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "nowhere.jpg"]) == 2
    assert capsys.readouterr().err == (
        "tutti: nowhere.jpg: no such file; give the path of one, or --text if these are words.\n"
    )


@pytest.mark.parametrize("words", ["a dog.", "3.14", "the v2.0 model", "x" * 5000, "one\0two"])
def test_words_that_resemble_paths_a_little(words: str, model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == "text"


def test_similarities_for_people(model: FakeModel, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "a", "bc", str(picture)]) == 0
    captured = capsys.readouterr()
    width = len(str(picture))
    assert captured.out.splitlines()[:2] == [
        f"{'a':<{width}}  text   1.000  1.000  0.000",
        f"{'bc':<{width}}  text   1.000  1.000  0.000",
    ]
    assert "unit vectors of 4 numbers" in captured.err


def test_an_empty_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", " "]) == 2
    assert capsys.readouterr().err == "tutti: An input is empty; expected words or the path of a medium.\n"


def test_words_that_are_too_long_or_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    long = "dog " * 1000
    assert main(["embed", long]) == 3
    assert "1,000 tokens" in capsys.readouterr().err
    assert main(["embed", "--truncate", long, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["vector"]) > 1
    assert main(["embed", "🐶"]) == 2
    assert "vocabulary" in capsys.readouterr().err
    assert main(["embed", "a dog 🐶"]) == 0
    assert "Note: 1 of 3 tokens" in capsys.readouterr().err
