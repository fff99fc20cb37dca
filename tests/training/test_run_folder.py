"""What a run leaves behind: configuration, curve, picture, weights; and nothing that tells about the machine."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.training.tiny import make_model, make_phase, same_weights
from tutti.training.loop import train


def test_the_files_of_a_run(tmp_path):
    folder = tmp_path / "runs" / "tiny"
    lines: list[str] = []
    model = make_model()
    result = train(
        model,
        make_phase(steps=6, ema_decay=0.5),
        folder,
        validate=lambda model: {"accuracy": 0.25, "training": float(model.training)},
        validate_every=4,
        log_every=2,
        say=lines.append,
    )
    assert result.metrics == {"accuracy": 0.25, "training": 0.0}
    assert result.notes == ()
    names = {file.name for file in folder.iterdir()}
    assert names == {"run.json", "metrics.jsonl", "curve.png", "state.json", "state-6.safetensors", "model.safetensors"}
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 4, 6, 6]
    assert {"sums/loss", "gradient_norm", "learning_rate", "examples_per_s", "seconds"} <= rows[0].keys()
    assert rows[2].keys() == {"step", "seconds", "accuracy", "training"}
    assert any(line.startswith("tiny 6/6 (") for line in lines)
    exported = load_file(folder / "model.safetensors")
    assert all(torch.equal(exported[name], value) for name, value in model.state_dict().items())


def test_run_json_says_what_ran_and_on_what_but_not_where(tmp_path):
    folder = tmp_path / "secret-place" / "run"
    phase = make_phase(steps=2)
    train(make_model(), phase, folder, stop_after=1)
    train(make_model(), phase, folder)
    text = (folder / "run.json").read_text()
    told = json.loads(text)
    assert told["phase"]["seed"] == 7
    assert told["phase"]["schedule"]["betas"] == [0.9, 0.98]
    assert len(told["starts"]) == 2
    assert told["starts"][0]["versions"]["torch"] == torch.__version__
    assert told["starts"][0]["threads"] == torch.get_num_threads()
    assert told["starts"][0]["device"] == "cpu"
    assert "secret-place" not in text


def test_validation_sees_the_average_and_training_goes_on_with_the_weights(tmp_path):
    seen = []
    models = make_model(), make_model()
    phase = make_phase(steps=8, ema_decay=0.9)
    train(models[0], phase, tmp_path / "a", validate_every=2, validate=lambda m: seen.append(m[0].weight.clone()) or {})
    train(models[1], phase, tmp_path / "b")
    assert same_weights(*models)
    assert len(seen) == 4
    assert torch.equal(seen[-1], models[0][0].weight)
    raw = load_file(tmp_path / "a/state-8.safetensors")
    assert torch.equal(raw["average.0.weight"], seen[-1])
    assert not torch.equal(raw["model.0.weight"], seen[-1])


def test_without_matplotlib_the_run_ends_well_with_a_note(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = train(make_model(), make_phase(steps=2), tmp_path)
    assert result.finished
    assert result.notes == ("No learning curve was drawn; for one: pip install 'tutti[train]'",)
    assert not (tmp_path / "curve.png").exists()


@pytest.mark.parametrize("name", ["train", "Phase", "Schedule", "TrainingTask", "BatchSource", "RunResult"])
def test_the_room_opens_its_doors(name):
    import tutti.training

    assert getattr(tutti.training, name).__name__ == name
