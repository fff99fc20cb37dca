"""The commands with the model that ships: the same answer by every way to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tutti
from tutti.cli.main import main

ROOT = Path(__file__).parents[2]
MEDIA = ROOT / "examples" / "media"
ASKED = [
    ("What animal is this?", "picture.png", "dog"),
    ("What do you hear?", "recording.ogg", "dog"),
    ("What can be heard?", "video.mp4", "rooster"),
]


@pytest.mark.parametrize(("question", "medium", "word"), ASKED, ids=[row[1] for row in ASKED])
def test_the_demo_is_right(question: str, medium: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", question, str(MEDIA / medium), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["finish_reason"] == "stop"
    assert word in answer["text"].lower().strip(".").split()


def test_shell_stream_and_python_agree(capsys: pytest.CaptureFixture[str]) -> None:
    question, picture = ASKED[0][0], str(MEDIA / "picture.png")
    assert main(["ask", question, picture]) == 0
    whole = capsys.readouterr().out
    assert main(["ask", question, picture, "--stream"]) == 0
    assert capsys.readouterr().out == whole
    assert tutti.load().ask(question, picture).text + "\n" == whole


def test_ask_json_tells_what_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What animal is this?", str(MEDIA / "picture.png"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"] == "tutti-mini"
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["media_tokens"] == 40
    assert answer["usage"]["prompt_tokens"] > 16
    assert answer["usage"]["completion_tokens"] > 0
    assert answer["seconds"] > 0
    assert answer["cost_usd"] == 0


def test_a_seed_repeats_a_draw(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = ["ask", "What do you see?", str(MEDIA / "picture.png"), "--temperature", "1.5", "--seed", "7"]
    assert main(drawn) == 0
    first = capsys.readouterr().out
    assert main(drawn) == 0
    assert capsys.readouterr().out == first


def test_max_tokens_ends_by_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is this?", str(MEDIA / "picture.png"), "--max-tokens", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 1)


def test_classify_and_embed_agree_with_python(capsys: pytest.CaptureFixture[str]) -> None:
    picture = str(MEDIA / "picture.png")
    assert main(["classify", picture, "--labels", "a dog,a car", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    model = tutti.load()
    assert shown["scores"] == pytest.approx(model.classify(picture, ["a dog", "a car"]))
    assert shown["label"] == "a dog"
    assert sum(shown["scores"].values()) == pytest.approx(1)

    assert main(["embed", "a dog", picture, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    vectors = model.embed(["a dog", tutti.Image(picture)])
    assert rows[0]["vector"] == pytest.approx(vectors[0].tolist())
    assert rows[1]["vector"] == pytest.approx(vectors[1].tolist())


def test_inspect_the_built_in_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "tutti-mini", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["family"] == "tutti_omni"
    assert main(["inspect", "tutti-mini"]) == 0
    assert "tutti_omni" in capsys.readouterr().out


def test_a_cold_process_answers_and_stays_quiet(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)  # torch sets it in this process, which would hide what it leaves
    words = [sys.executable, "-W", "error", "-m", "tutti", "ask", "What animal is this?", str(MEDIA / "picture.png")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.strip()
    assert list(tmp_path.iterdir()) == []
