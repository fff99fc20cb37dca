"""`tutti cost` and `tutti choose` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evaluate.scripted_model import write_suite
from tutti.cli.main import main


def test_a_query(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", str(picture), "--model", "gemini:gemini-2.5-pro", "--json", "--returned", "262"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["usage"]["prompt_tokens"] == 258 + 4
    assert found["reconciliation"] == {"estimated": 262, "returned": 262}
    assert main(["cost", str(picture), "--model", "openai:gpt-4-vision-preview"]) == 0
    said = capsys.readouterr()
    assert "255 tokens" in said.out
    assert "days ago, on 2023-11-06; look it up again" in said.err


def test_a_month(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "1", "media": ["1.png"], "question": "What is it?", "expected": "a"}
    suite = str(write_suite(tmp_path, row))
    words = [
        "cost",
        "--per-month",
        "10000",
        "--like",
        suite,
        "--model",
        "gemini:gemini-2.5-pro",
        "--queries-per-s",
        "1",
    ]
    assert main([*words, "--plot", str(tmp_path / "load.svg"), "--hidden", "0.3"]) == 0
    out = capsys.readouterr().out
    assert "l4: $0.80 an hour, 1 queries a second each, planned to 60% at 3 times the mean; price of " in out
    assert "both with 30% on top" in out
    assert "break-even: " in out
    assert (tmp_path / "load.svg").read_text().startswith("<svg")
    assert main([*words, "--json"]) == 0
    months = json.loads(capsys.readouterr().out)["months"]
    assert [month["queries"] for month in months] == [1000, 3000, 10000, 30000, 100000]

    bench = tmp_path / "bench.jsonl"
    bench.write_text('{"requests_per_s": 0.4}\n{"requests_per_s": 1.0}\n')
    words = [*words[:-2], "--bench", str(bench), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["months"] == months
    bench.write_text("askers  req/s\n")
    assert main(words) == 2
    assert f"{bench} is not what `tutti bench --json` prints" in capsys.readouterr().err
    assert main([*words, "--queries-per-s", "1"]) == 2
    assert "Give either --queries-per-s or --bench FILE" in capsys.readouterr().err


HEARS = "of OpenAI's, openai:gpt-audio-1.5 takes recordings"


@pytest.mark.parametrize(
    ("model", "medium", "expected"),
    [
        ("openai:gpt-4o", "recording.ogg", f"openai:gpt-4o takes text and pictures ({HEARS}), and was given audio"),
        (
            "openai:gpt-audio",
            "picture.png",
            "takes text and recordings (openai:gpt-4o takes pictures), and was",
        ),
        ("openai:gpt-audio", "video.mp4", "and was given video; tutti-mini answers questions about video."),
        ("anthropic:claude-opus-5-5", "recording.ogg", "takes text and pictures, and was given audio; tutti-mini"),
    ],
)
def test_what_a_model_does_not_take_has_no_price_and_one_that_does_is_named(
    model: str, medium: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(Path(__file__).parents[2] / "examples/media" / medium)
    assert main(["cost", path, "--model", model]) == 2
    assert expected in capsys.readouterr().err
    case = {"id": "1", "media": [path], "question": "What is it?", "expected": "a"}
    like = tmp_path / "suite.jsonl"
    like.write_text(json.dumps(case))
    words = ["--per-month", "10", "--like", str(like), "--model", model, "--queries-per-s", "1"]
    assert main(["cost", *words]) == 2
    assert expected in capsys.readouterr().err


def test_every_price_is_told_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--models", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"openai:gpt-4o", "l4"} <= {row["name"] for row in rows}
    assert all(row["source"] and row["read"] for row in rows)


def test_a_choice_by_an_old_price_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "old.toml"
    old.write_text('[models."openai:gpt-4o"]\ninput = 1\noutput = 2\nread = 2026-01-01\nsource = "https://x"\n')
    assert main(["choose", "--needs", "image", "--per-month", "10", "--prices", str(old)]) == 0
    assert "The price of openai:gpt-4o was read " in capsys.readouterr().err
    assert main(["choose", "--needs", "video", "--video-minutes", "5"]) == 0
    assert "–  openai:gpt-4o: takes no video\n" in capsys.readouterr().out


def test_a_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choose", "--needs", "image,audio", "--memory-gb", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1. tutti-mini: takes audio, image;")
    assert all(line.startswith("–  ") for line in lines[1:])
    assert main(["choose", "--needs", "video", "--video-minutes", "600", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ranked"] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cost", "x.png"], "No model was named"),
        (["cost", "--model", "openai:gpt-99"], "No price is known for openai:gpt-99; add a row"),
        (["cost", "gone.png", "--model", "openai:gpt-4o-mini"], "gone.png does not exist"),
        (["cost", "--per-month", "5", "--model", "openai:gpt-4o-mini"], "without --like"),
        (["cost", "--prices", "gone.toml", "--models"], "Cannot read gone.toml"),
        (["choose", "--needs", "smell"], "expected some of text, image, audio, video"),
        (["choose", "--accuracy", "0.8"], "--accuracy was given without --report"),
        (["choose", "--report", "gone.json"], "Cannot read gone.json"),
        (["choose", "--catalog", "gone.toml"], "Cannot read gone.toml"),
    ],
)
def test_what_is_wrong_is_one_sentence(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert expected in capsys.readouterr().err
