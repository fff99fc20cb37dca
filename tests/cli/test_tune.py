"""`tutti tune` from a file of rows to an adapter that is used, on a tiny model of random weights."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.models.conftest import tiny_model, tiny_values
from tests.providers import test_local
from tutti import checkpoints
from tutti.cli.main import main
from tutti.errors import CheckpointError

ANSWERS = {"w20 w21": "w9", "w22": "w10"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    checkpoints.save(tiny_model(), folder, tiny_values(), test_local.files())
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two questions on each of ten pictures, each with an answer of its own."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for number in range(10):
        Image.new("RGB", (16, 16), (20 * number, 90, 200 - 20 * number)).save(folder / f"{number}.png")
        for question, answer in ANSWERS.items():
            content = [{"type": "image_url", "image_url": {"url": f"{number}.png"}}, {"type": "text", "text": question}]
            rows.append({"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]})
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / "cache"))


def tune(model: Path, data: Path, out: Path, *more: Any, code: int = 0) -> None:
    words = ["tune", model, "--data", data, "--out", out, "--batch", 4, "--rank", 4, "--rate", "2e-2", *more]
    assert main([str(word) for word in words]) == code


def test_an_adapter_is_made_used_merged_and_refused_beside_another_model(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    tune(model, data, run, "--epochs", 12, "--json", "--held-out", "0.2")
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["promoted"] and result["folder"] == str(run / "adapter")
    assert result["figures"]["validation/score"] > 0.9
    assert "learning rate" in said.err and "validation/loss" in said.err
    card = (run / "README.md").read_text()
    assert "exact on 4 held-out rows" in card and "16 learned, 4 held out, 0 left out" in card
    question = ["ask", "w20 w21", str(data.parent / "0.png"), "--model", str(model), "--max-tokens", "4"]
    assert main([*question, "--adapter", str(run)]) == 0
    assert capsys.readouterr().out.strip() == "w9"
    assert main(["merge", str(model), "--adapter", str(run), "--into", str(tmp_path / "merged")]) == 0
    capsys.readouterr()
    assert main([*question[:3], "--model", str(tmp_path / "merged"), "--max-tokens", "4"]) == 0
    assert capsys.readouterr().out.strip() == "w9"
    other = tmp_path / "other"
    changed = tiny_model()
    torch.nn.init.normal_(changed.embed_in.weight)
    checkpoints.save(changed, other, tiny_values(), test_local.files())
    with pytest.raises(CheckpointError, match=rf"was trained on tiny \(digest .*, and {other} is another model"):
        checkpoints.load(other, adapter=run)
    checkpoints.load(model, quantize="int8", adapter=run)


def test_media_are_encoded_once_and_known_to_the_next_run(model: Path, data: Path, tmp_path: Path) -> None:
    tune(model, data, tmp_path / "one", "--epochs", 1)
    shelf = sorted((tmp_path / "cache/tuning").iterdir())
    assert len(shelf) == 10
    before = [file.stat().st_mtime_ns for file in shelf]
    tune(model, data, tmp_path / "two", "--epochs", 1, "--seed", 1)
    assert sorted((tmp_path / "cache/tuning").iterdir()) == shelf
    assert len(before) == 10


BAD = [
    ("{broken", "not JSON"),
    ('{"messages": []}', "expected a list with something in it"),
    ('{"messages": [{"role": "user", "content": "w9"}, {"role": "assistant", "content": " "}]}', "empty"),
    ('{"messages": [{"role": "user", "content": "w9"}]}', "does not end with the assistant's turn"),
    (
        '{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "gone.png"}}]}]}',
        "'gone.png' is not in the media folder",
    ),
    (
        '{"messages": [{"role": "user", "content": "w9"}, {"role": "assistant", "content": "' + "w9 " * 80 + '"}]}',
        "tokens, of them answers 81 and media 0; expected 64 at most",
    ),
]


def test_every_bad_row_is_told_with_its_line_before_anything_is_learned(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data.parent / "bad.jsonl"
    good = data.read_text().strip()
    file.write_text("\n".join([good, *(line for line, _ in BAD)]) + "\n")
    tune(model, file, tmp_path / "run", "--steps", 2, code=2)
    said = capsys.readouterr().err
    for number, (_, reason) in enumerate(BAD, 21):
        line = next(one for one in said.split("\n") if one.startswith(f"line {number}: "))
        assert reason in line
    assert "6 rows of" in said and "--skip-bad" in said
    assert not (tmp_path / "run/run.json").exists()
    tune(model, file, tmp_path / "run", "--steps", 2, "--skip-bad")
    assert "6 rows are left out" in capsys.readouterr().err


def test_a_dry_run_says_what_it_takes_and_leaves_nothing(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(model, data, tmp_path / "run", "--dry-run", "--json")
    found = json.loads(capsys.readouterr().out)
    # rank 4 beside q, k, v, o, gate, up and down of two blocks
    widths = {
        "q": (16, 16),
        "k": (16, 8),
        "v": (16, 8),
        "o": (16, 16),
        "gate": (16, 24),
        "up": (16, 24),
        "down": (24, 16),
    }
    assert found["trainable_parameters"] == 2 * 4 * sum(sum(pair) for pair in widths.values())
    assert (
        found["steps"] == 15
        and found["process_bytes"] > found["peak_bytes"] > 0
        and set(found["usd"]) == {"l4", "a10", "a100", "h100"}
    )
    assert not (tmp_path / "run").exists()


def test_parts_and_the_whole_become_a_checkpoint(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_file(model / "model.safetensors")
    for name, options, touched in (("parts", ["--parts", "connector"], "connectors."), ("full", ["--full"], "")):
        tune(model, data, tmp_path / name, "--steps", 3, *options)
        after = load_file(tmp_path / name / "model/model.safetensors")
        moved = {key for key in before if not torch.equal(before[key], after[key])}
        assert moved and all(key.startswith(touched) for key in moved)
        checkpoints.load(tmp_path / name / "model")
    capsys.readouterr()
    tune(model, data, tmp_path / "no", "--parts", "ears", code=2)
    assert "models of family tutti_omni have connector, decoder, trunks" in capsys.readouterr().err
    tune(model, data, tmp_path / "no", "--full", "--quantize", "int8", code=2)
    assert "learn nothing themselves; use --lora" in capsys.readouterr().err


def test_a_guard_refuses_what_got_worse(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = [main(["ask", "w30", "--model", str(model), "--max-tokens", "4"]), capsys.readouterr().out.strip()][1]
    suite = tmp_path / "suite.jsonl"
    assert answer
    suite.write_text(
        json.dumps({"id": "a", "media": [], "question": "w30", "expected": [answer], "metric": "contains"}) + "\n"
    )
    tune(model, data, tmp_path / "run", "--epochs", 8, "--guard", suite, code=1)
    assert "Not handed out: suite lost 100.0 points" in capsys.readouterr().err
    assert (tmp_path / "run/refused/adapter").is_dir() and not (tmp_path / "run/adapter").exists()
    tune(model, data, tmp_path / "run", "--epochs", 8, "--guard", suite, "--loss-at-most", 100)
    assert (tmp_path / "run/adapter").is_dir()


def test_a_sweep_hands_out_the_best_and_counts_its_tries(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(model, data, tmp_path / "run", "--epochs", 6, "--sweep", "rank=2,4", "rate=1e-5,2e-2", "--json")
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert len(found["tries"]) == 4 and found["best"].endswith("rate=0.02")
    assert "best of 4 tries on the same rows" in said.err
    checkpoints.load(model, adapter=tmp_path / "run")
    tune(model, data, tmp_path / "run", "--sweep", "width=3", code=2)


def test_what_is_rehearsed_is_what_the_model_says_now(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.txt").write_text("w30\nw31\n")
    tune(model, data, tmp_path / "run", "--epochs", 1, "--rehearse", tmp_path / "old.txt", "--held-out", "0")
    said = [json.loads(line) for line in (tmp_path / "run/rehearsal.jsonl").read_text().split("\n") if line]
    assert len(said) == 20  # two questions on each of ten pictures
    card = (tmp_path / "run/README.md").read_text()
    learned = 20 + sum(bool(one["text"].strip()) for one in said)
    assert f"{learned} learned, 0 held out" in card
    (tmp_path / "none.txt").write_text("\n")
    tune(model, data, tmp_path / "no", "--rehearse", tmp_path / "none.txt", code=2)
    assert "holds 0 questions" in capsys.readouterr().err


def test_preferences_from_a_file(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"w2{n}", "chosen": "w9", "rejected": "w10 w11"} for n in range(8)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tune(model, file, tmp_path / "run", "--objective", "dpo", "--epochs", 6, "--json")
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["validation/accuracy"] == 1.0 and figures["validation/loss"] < 0.3
    tune(model, file, tmp_path / "no", code=2)
    assert "It is no row of conversations, which answers learns from" in capsys.readouterr().err
    tune(model, file, tmp_path / "no", "--objective", "dpo", "--full", code=2)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_goes_on_to_the_same_numbers(kills: int, model: Path, data: Path, tmp_path: Path) -> None:
    options = ["--epochs", 30, "--save-every", "0.02", "--dropout", "0.1"]
    tune(model, data, tmp_path / "whole", *options)
    luck = random.Random(kills)
    killed = 0
    while killed < kills:
        child = os.fork()
        if not child:
            code = 1
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                tune(model, data, tmp_path / "cut", *options)
                code = 0
            finally:
                os._exit(code)
        # The first steps come after the rows are read.
        time.sleep(luck.uniform(0.2, 1.2))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        killed += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):  # it came to its end before: another one is killed
            assert status == 0
            same_runs(tmp_path)
            shutil.rmtree(tmp_path / "cut")
    tune(model, data, tmp_path / "cut", *options)
    same_runs(tmp_path)


def same_runs(folder: Path) -> None:
    """Whether a run that was cut has the weights and the curve of the one that was not."""
    first, second = (load_file(folder / name / "adapter/adapter_model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert curve(folder / "whole") == curve(folder / "cut")


def test_a_run_without_room_says_so_and_goes_on_once_there_is(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    try:
        tune(model, data, tmp_path / "run", "--epochs", 1, "--save-every", "0.001", code=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert "Cannot write" in said and "File too large; free some and run the same command again" in said
    assert not list((tmp_path / "run").glob("*.partial"))
    tune(model, data, tmp_path / "run", "--epochs", 1)
    assert (tmp_path / "run/adapter").is_dir()


def curve(run: Path) -> list[dict[str, float]]:
    """What a run logged, but for its times."""
    times = ("seconds", "steps_per_s", "examples_per_s")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().split("\n") if line]
    return [{key: value for key, value in line.items() if key not in times} for line in lines]
