"""`tutti train`: a recipe of the user's own, from an empty folder to a trained model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tutti.cli.main import main
from tutti.cli.train import load_recipe
from tutti.errors import InputError

RECIPE = """
from types import SimpleNamespace

import torch
from torch import nn

from tutti.training.phases import Phase, Schedule, TrainingTask

PHASES = ("first", "second")


class Numbers:
    def batch(self, rng):
        values = torch.from_numpy(rng.standard_normal((8, 3), dtype="float32"))
        return {"values": values, "sums": values.sum(1, keepdim=True)}


def loss(model, batch):
    return {"loss": (model(batch["values"]) - batch["sums"]).square().mean()}


def prepare(name, *, data, out, budget, seed):
    torch.manual_seed(seed)
    phase = Phase(
        name=name,
        tasks=(TrainingTask(name="sum", objective=loss, source=Numbers()),),
        trainable=("*",),
        schedule=Schedule(steps=round(10 * budget), learning_rate=0.1),
        seed=seed,
    )
    return SimpleNamespace(model=nn.Linear(3, 1), phase=phase)
"""


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command up to and without its phase, run where nothing else lies."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # restores sys.path afterwards
    recipe = tmp_path / f"recipe_of_{tmp_path.name}"
    recipe.mkdir()
    (recipe / "__init__.py").touch()
    (recipe / "recipe.py").write_text(RECIPE)
    (tmp_path / "data").mkdir()
    return ["train", "--recipe", recipe.name, "--data", "data", "--out", "out"]


def test_all_phases_run_in_order(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "all", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["phase"], row["step"], row["finished"]) for row in rows] == [("first", 10, True), ("second", 10, True)]
    assert Path("out/second/model.safetensors").is_file()


def test_cut_and_continued_equals_uncut(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "first", "--out", "whole"]) == 0
    assert main([*words, "first", "--steps", "4"]) == 0
    assert "stopped by step, to be continued after step 4" in capsys.readouterr().out
    assert not Path("out/first/model.safetensors").exists()
    assert main([*words, "first"]) == 0
    assert "finished after step 10" in capsys.readouterr().out
    assert Path("out/first/model.safetensors").read_bytes() == Path("whole/first/model.safetensors").read_bytes()


def test_a_cut_phase_is_not_followed_by_the_next(words: list[str]) -> None:
    assert main([*words, "all", "--steps", "4"]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["first"]


def test_budget_and_seed_arrive(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "first", "--json", "--budget", "0.5", "--seed", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 5
    assert json.loads(Path("out/first/run.json").read_text())["phase"]["seed"] == 3


def test_dry_run_trains_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "all", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("first: 10 steps of ")
    assert "\nsecond: 10 steps of " in out
    assert not Path("out").exists()


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["words", "json"])
def test_what_the_user_should_be_told_is_told(
    form: list[str], words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([*words, "first", *form]) == 0
    captured = capsys.readouterr()
    assert captured.err.endswith("No learning curve was drawn; for one: pip install 'tutti[train]'\n")
    assert len(captured.out.splitlines()) == 1


def test_restart_forgets(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "first", "--steps", "4"]) == 0
    assert main([*words, "first", "--restart", "--steps", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["step"] == 2


def test_misuse(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "third"]) == 2
    assert capsys.readouterr().err == "tutti: The recipe has no phase 'third'; it has first, second, or all.\n"
    assert main([*words, "first", "--data", "nowhere"]) == 2
    assert "--data is nowhere, which is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nowhere", "no/where", "no-where", "data"])
def test_no_such_recipe(name: str, words: list[str]) -> None:
    with pytest.raises(InputError, match=f"There is no recipe (at )?'?{name}"):
        load_recipe(name)


def test_a_recipe_whose_own_import_fails_is_not_called_missing(words: list[str]) -> None:
    Path("broken_recipe.py").write_text("import something_that_is_not_there\n")
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_there"):
        load_recipe("broken_recipe.py")


def test_a_module_that_is_no_recipe(words: list[str]) -> None:
    Path("not_a_recipe.py").write_text("PHASES = ()\n")
    with pytest.raises(InputError, match="has no `prepare`"):
        load_recipe("not_a_recipe.py")
