"""Reward models: Bradley and Terry's loss, what the served one says of answers, and the best of several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import tutti
from tests.models.conftest import tiny_model, tiny_values
from tests.providers import test_local
from tutti import checkpoints
from tutti.cli.main import main
from tutti.content import Answer, Finished, Message, SamplingOptions, Text, Usage
from tutti.content.streams import answer_of_stream
from tutti.errors import CheckpointError, InputError
from tutti.media import InProcess, Limits
from tutti.providers.best_of import BestOf, Rewarder, RewardFolder, read_reward
from tutti.training.data import Preference
from tutti.training.lesson_batches import collate
from tutti.training.reward import rewards
from tutti.training.tuning import prepare_tuning, save_tuned
from tutti.training.tuning_files import TuningFile
from tutti.training.tuning_options import TuningOptions

GOOD, BAD = ("w9", "w10 w11", "w12"), ("w13", "w14", "w15 w16")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    checkpoints.save(tiny_model(), folder, tiny_values(), test_local.files())
    return folder


def preferences() -> list[dict[str, str]]:
    return [
        {"prompt": f"w{20 + number % 3}", "chosen": GOOD[number % 3], "rejected": BAD[number // 3 % 3]}
        for number in range(18)
    ]


@pytest.fixture(scope="module")
def run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model that has learned which answers are good."""
    place = tmp_path_factory.mktemp("reward")
    (place / "preferences.jsonl").write_text("".join(json.dumps(row) + "\n" for row in preferences()))
    words = ["tune", base, "--objective", "reward", "--data", place / "preferences.jsonl", "--out", place / "run",
             "--rank", 4, "--rate", "1e-2", "--epochs", 15, "--held-out", 0.2]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    return place / "run"


def prepared(base: Path) -> tuple[Any, Any]:
    loaded = checkpoints.load(base)
    rows = [
        Preference(key=str(number), prompt=(Message.user(row["prompt"]),), chosen=row["chosen"],
                   rejected=row["rejected"], where=str(number))
        for number, row in enumerate(preferences())
    ]  # fmt: skip
    file = TuningFile(name="rows", kind="preferences", digest="0", rows=tuple(rows), bad=())
    return loaded, prepare_tuning(loaded, file, TuningOptions(objective="reward", held_out=0.0), lambda part: part)


def test_the_loss_is_that_of_the_paper_and_reaches_head_and_adapter(base: Path) -> None:
    loaded, made = prepared(base)
    batch = collate(made.source.items[:4])
    before = made.objective(made.model, batch)
    assert float(before["loss"].detach()) == pytest.approx(float(torch.log(torch.tensor(2.0))))
    torch.nn.init.normal_(loaded.model.reward_head.weight)
    found = made.objective(made.model, batch)
    worth = rewards(made.model, batch, made.media).detach()
    better, worse = worth[:4], worth[4:]
    assert float(found["loss"].detach()) == pytest.approx(
        float(-torch.log(better.exp() / (better.exp() + worse.exp())).mean())
    )
    assert float(found["accuracy"]) == float((better > worse).float().mean())
    found["loss"].backward()
    learned = {name for name, value in made.model.named_parameters() if value.grad is not None and value.grad.any()}
    assert "reward_head.weight" in learned
    assert all(".lora_" in name for name in learned - {"reward_head.weight"}) and len(learned) > 1


def test_what_is_served_says_what_was_learned_alone_and_together(base: Path, tmp_path: Path) -> None:
    """Through the engine, whose candidates share their question, as in one pass over whole rows."""
    loaded, made = prepared(base)
    torch.manual_seed(0)
    torch.nn.init.normal_(loaded.model.reward_head.weight)
    for name, value in made.model.named_parameters():
        if name.endswith("lora_B.weight"):
            torch.nn.init.normal_(value, std=0.5)
    items = [item for item in made.source.items if item.lessons[0].where in ("0", "3", "6")]
    wanted = rewards(made.model, collate(items), made.media).detach().tolist()
    folder = save_tuned(made, loaded, tmp_path, str(base))
    rewarder = Rewarder(read_reward(tmp_path), InProcess(Limits()), {})
    assert read_reward(folder) == read_reward(tmp_path)
    rows = [preferences()[int(item.lessons[0].where)] for item in items]
    texts = [row["chosen"] for row in rows] + [row["rejected"] for row in rows]
    found = rewarder.rewards([Message.user(rows[0]["prompt"])], texts)
    assert found == pytest.approx(wanted, abs=1e-4)
    assert len(set(found)) > 3
    assert rewarder.rewards([Message.user(rows[0]["prompt"])], texts[:1]) == pytest.approx(found[:1], abs=1e-4)


class Drawing:
    """Answers by chance: the likeliest is a bad one."""

    name = "drawing"

    def stream(self, conversation: Any, options: SamplingOptions) -> Any:
        texts = (*BAD, *GOOD)
        place = 0 if options.temperature == 0 else (options.seed or 0) % len(texts)
        yield Finished(
            Answer(text=texts[place], model="x", finish_reason="stop", usage=Usage(prompt_tokens=2), seconds=0.0)
        )


def test_the_best_of_several_is_chosen(run: Path, base: Path) -> None:
    folder = read_reward(run)
    chosen = BestOf("best:run", Drawing(), folder, Rewarder(folder, InProcess(Limits()), {}))
    asked = [Message("user", (Text("w21"),))]
    answer = answer_of_stream(chosen.stream(asked, SamplingOptions(seed=0, max_tokens=4)), "best")
    assert answer.text in GOOD, "of BAD[0], BAD[1], BAD[2] and GOOD[0]"
    assert answer.model == "best:run" and answer.usage.prompt_tokens == 8
    assert "The best of 4 answers, 4 of them different" in answer.notes[0]
    model = tutti.load(f"best:{run}", reader=False)
    assert model.ask("w21", max_tokens=4, seed=3).model == f"best:{run}"
    assert model.provider.base.model.decoder.layers[0].mlp.gate_proj.weight.data_ptr() == (
        model.provider._rewarder.model.decoder.layers[0].mlp.gate_proj.base_layer.weight.data_ptr()
    ), "the weights are in memory once"


def test_in_the_shell_and_in_a_suite(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = (run / "README.md").read_text()
    assert f"--model best:{run}" in card
    assert main(["ask", "w21", "--model", f"best:{run}", "--max-tokens", "4", "--json"]) == 0
    assert "The best of 4 answers" in json.loads(capsys.readouterr().out)["notes"][0]
    suite = tmp_path / "suite.jsonl"
    suite.write_text(json.dumps({"media": [], "question": "w21", "expected": ["w9"], "metric": "exact"}) + "\n")
    out = ["--out", str(tmp_path / "report")]
    assert main(["evaluate", str(suite), "--model", f"best:{run}", *out]) == 0


def test_what_is_no_reward_model_is_said(run: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no reward model"):
        tutti.load(f"best:{base}")
    with pytest.raises(CheckpointError, match="holds no reward model"):
        Rewarder(RewardFolder(folder=_without_head(run, tmp_path), model=str(base), quantize=None, answers=2,
                              temperature=1.0), InProcess(Limits()), {})  # fmt: skip
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "reward.json").write_text(
        '{"format": "tutti reward 1", "model": "openai:x", "answers": 4, "temperature": 1, "quantize": null}'
    )
    with pytest.raises(InputError, match="expected one on this machine"):
        tutti.load(f"best:{damaged}")
    (damaged / "reward.json").write_text(
        '{"format": "tutti reward 1", "model": "x", "answers": 9999, "temperature": 1, "quantize": null}'
    )
    with pytest.raises(InputError, match="it draws 9999 answers"):
        tutti.load(f"best:{damaged}")
    assert (
        main(["tune", str(base), "--objective", "reward", "--data", "x", "--out", str(tmp_path / "r"), "--guard", "x"])
        == 2
    )


def _without_head(run: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "half"
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / name).write_bytes((run / "reward" / name).read_bytes())
    return folder
