"""A run that is cut and resumed gives the numbers of one that is not; what it may not do is refused."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.training.tiny import Sums, make_model, make_phase, same_weights, squares
from tutti.errors import CapacityError, InputError, TrainingError
from tutti.training import files, run_folder
from tutti.training.loop import train

WITH_EVERYTHING = {"ema_decay": 0.9, "micro_batches": 2}


def _curve(folder):
    """The learning curve without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds" and not k.endswith("_per_s")} for line in lines]


@pytest.fixture(scope="module")
def uncut(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uncut")
    model = make_model()
    result = train(model, make_phase(**WITH_EVERYTHING), folder, log_every=4)
    return folder, model, result


def test_an_uncut_run_learns_and_says_how_it_ended(uncut):
    folder, model, result = uncut
    assert (result.step, result.finished, result.stopped_by, result.skipped_steps) == (20, True, "end", 0)
    losses = [line["sums/loss"] for line in _curve(folder)]
    assert [line["step"] for line in _curve(folder)] == [4, 8, 12, 16, 20]
    assert losses[-1] < losses[0]
    assert not model.training


@pytest.mark.parametrize("cut", [1, 10, 19])
def test_cut_and_resumed_is_uncut_to_the_bit(uncut, tmp_path, cut):
    folder, model, _ = uncut
    phase = make_phase(**WITH_EVERYTHING)
    first = train(make_model(), phase, tmp_path, log_every=4, stop_after=cut)
    assert (first.step, first.finished, first.stopped_by) == (cut, False, "step")
    resumed = make_model(seed=99)  # whatever it is built with, the state replaces it
    second = train(resumed, phase, tmp_path, log_every=4)
    assert second.finished
    assert same_weights(resumed, model)
    assert _curve(tmp_path) == _curve(folder)
    mine, theirs = (load_file(path / "state-20.safetensors") for path in (tmp_path, folder))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_workers_change_no_number(uncut, tmp_path):
    folder, model, _ = uncut
    other = make_model()
    train(other, make_phase(**WITH_EVERYTHING), tmp_path, log_every=4, workers=2)
    assert same_weights(other, model)
    assert _curve(tmp_path) == _curve(folder)


def test_another_seed_gives_other_numbers(uncut, tmp_path):
    import dataclasses

    other = make_model()
    train(other, dataclasses.replace(make_phase(**WITH_EVERYTHING), seed=8), tmp_path)
    assert not same_weights(other, uncut[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_its_step_and_it_can_go_on(uncut, tmp_path, number):
    def interrupted(model, batch):
        calls.append(0)
        if len(calls) == 14:  # in the seventh step, which has two micro-batches
            os.kill(os.getpid(), number)
        return squares(model, batch)

    calls: list[int] = []
    handlers = [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)]
    # the objective's name is part of the run, so that both starts must use the same one
    phase = make_phase(objective=interrupted, **WITH_EVERYTHING)
    result = train(make_model(), phase, tmp_path, log_every=4)
    assert (result.step, result.stopped_by, result.finished) == (7, "interrupt", False)
    assert [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)] == handlers
    model = make_model()
    assert train(model, phase, tmp_path, log_every=4).finished
    assert same_weights(model, uncut[1])


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    def impatient(model, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return squares(model, batch)

    with pytest.raises(KeyboardInterrupt):
        train(make_model(), make_phase(objective=impatient), tmp_path)


def test_time_runs_out_and_the_run_can_go_on(tmp_path):
    phase = make_phase()
    result = train(make_model(), phase, tmp_path, max_seconds=0.0)
    assert (result.step, result.stopped_by) == (1, "time")
    assert train(make_model(), phase, tmp_path).step == 20


def test_a_finished_run_is_not_run_again_but_loaded(uncut):
    folder, model, _ = uncut
    before = (folder / "metrics.jsonl").read_text()
    again = make_model(seed=5)
    second = train(again, make_phase(**WITH_EVERYTHING), folder, log_every=4)
    assert (second.step, second.finished) == (20, True)
    assert same_weights(again, model)
    assert (folder / "metrics.jsonl").read_text() == before


def test_without_resume_a_run_starts_anew(tmp_path, uncut):
    phase = make_phase(**WITH_EVERYTHING)
    train(make_model(seed=3), phase, tmp_path, stop_after=5, log_every=4)
    model = make_model()
    train(model, phase, tmp_path, resume=False, log_every=4)
    assert same_weights(model, uncut[1])
    assert _curve(tmp_path) == _curve(uncut[0])


def test_a_folder_of_another_phase_is_refused_and_left_alone(tmp_path):
    train(make_model(), make_phase(steps=2), tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for resume in (True, False):
        with pytest.raises(TrainingError, match=r"another schedule; choose another folder"):
            train(make_model(), make_phase(steps=3), tmp_path, resume=resume)
    with pytest.raises(TrainingError, match="another tasks"):
        train(make_model(), make_phase(steps=2, source=Sums(rows=9)), tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_state_of_another_model_is_refused(tmp_path):
    phase = make_phase()
    train(make_model(), phase, tmp_path, stop_after=1)
    with pytest.raises(TrainingError, match="expected the model that the run began with"):
        train(nn.Linear(4, 1), phase, tmp_path)


@pytest.mark.parametrize("damage", ["state.json", "state-1.safetensors", "missing", "run.json"])
def test_a_damaged_state_is_an_error_and_not_a_new_start(tmp_path, damage):
    phase = make_phase()
    train(make_model(), phase, tmp_path, stop_after=1)
    if damage == "missing":
        (tmp_path / "state-1.safetensors").unlink()
    else:
        file = tmp_path / damage
        file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(TrainingError, match="remove the folder"):
        train(make_model(), phase, tmp_path)


def test_a_checkpoint_that_cannot_be_completed_leaves_the_one_before(tmp_path, monkeypatch, uncut):
    phase = make_phase(**WITH_EVERYTHING)
    train(make_model(), phase, tmp_path, stop_after=6, log_every=4)
    written = files.save_file

    def full_disk(tensors, file):
        written(tensors, file)
        file.write_bytes(file.read_bytes()[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "save_file", full_disk)
    with pytest.raises(CapacityError, match="No space left on device; free some"):
        train(make_model(), phase, tmp_path, save_every=4, log_every=4)
    monkeypatch.undo()
    model = make_model()
    train(model, phase, tmp_path, log_every=4)
    assert same_weights(model, uncut[1])
    assert _curve(tmp_path) == _curve(uncut[0])


def test_checkpoints_come_by_steps_and_by_the_clock_and_one_is_kept(tmp_path, monkeypatch):
    saved: list[int] = []
    save = run_folder.RunFolder.save

    def counted(self, stepper, step, values, *, finished=False):
        saved.append(step)
        save(self, stepper, step, values, finished=finished)

    monkeypatch.setattr(run_folder.RunFolder, "save", counted)
    train(make_model(), make_phase(steps=10), tmp_path / "a", save_every=4)
    train(make_model(), make_phase(steps=3), tmp_path / "b", save_every_s=0.0)
    assert saved == [4, 8, 10, 1, 2, 3]
    assert sorted(file.name for file in (tmp_path / "a").glob("state*")) == ["state-10.safetensors", "state.json"]


def test_skipped_steps_are_remembered_over_a_cut(tmp_path):
    def sometimes(model, batch):
        out = squares(model, batch)
        # by the data, which the step decides: about half of the steps
        return {"loss": out["loss"] * (float("nan") if batch["x"][0, 0] > 0 else 1.0)}

    phase = make_phase(objective=sometimes, steps=6)
    whole = train(make_model(), phase, tmp_path / "a")
    train(make_model(), phase, tmp_path / "b", stop_after=4)
    assert train(make_model(), phase, tmp_path / "b").skipped_steps == whole.skipped_steps > 0
    assert _curve(tmp_path / "a") == _curve(tmp_path / "b")
    assert "NaN" not in (tmp_path / "a/metrics.jsonl").read_text()


class _Broken:
    def batch(self, rng):
        raise InputError("row 3 has no picture")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_source_that_finds_bad_data_says_so_with_or_without_workers(tmp_path, workers):
    with pytest.raises(InputError, match=r"^Step 0 of phase 'tiny': row 3 has no picture$"):
        train(make_model(), make_phase(source=_Broken()), tmp_path, workers=workers)
