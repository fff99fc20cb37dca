"""Masks, and losses of preferences with their gradients, are TRL's (`tests/parity/provenance/trl_golden.py`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest

from tests.parity import trl_rows
from tutti import checkpoints
from tutti.content import Message, Text
from tutti.processing.prompt import Turns
from tutti.training.batches import move
from tutti.training.data import Preference, RatedAnswer
from tutti.training.tuning import prepare_tuning
from tutti.training.tuning_files import TuningFile
from tutti.training.tuning_options import TuningOptions

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
BEGINNINGS = (1, 259)
"""<s> and the space."""
GOLDEN = json.loads((Path(__file__).parent / "golden/trl.json").read_text(encoding="utf-8"))


def masked(processor: Any, turns: Turns) -> tuple[list[int], list[bool]]:
    taught = processor.dialogue(turns)
    return taught.prompt.input_ids.tolist(), taught.said.tolist()


@pytest.mark.parametrize("family", trl_rows.FAMILIES)
def test_pictures(family: str, tmp_path: Path) -> None:
    """The same is learned, and the same stands before it.

    TRL encodes prompt and completion each by itself, so that with this tokenizer the second begins with a token of its
    own for the beginning of a text, and a space; and it adds no token that ends answers where the template has none.
    """
    saved = trl_rows.FAMILIES[family](tmp_path / "base")
    processor = checkpoints.load(saved.folder).processor
    turns = [("user", [processor.picture(trl_rows.PICTURE), trl_rows.QUESTION]), ("assistant", [trl_rows.ANSWER])]
    ids, said = masked(processor, turns)
    golden = GOLDEN["vision"][family]
    theirs = [label for label in golden["labels"] if label != -100]
    ours = [token for token, taken in zip(ids, said, strict=True) if taken]
    assert (ours[-1] == min(processor.eos_ids)) == (family != "mllama")
    ours = ours[:-1] if family != "mllama" else ours
    while theirs[0] in BEGINNINGS:
        theirs.pop(0)
    while ours[0] in BEGINNINGS:
        ours.pop(0)
    assert ours == theirs
    before = [token for token, taken in zip(ids, said, strict=True) if not taken]
    asked = [token for token, label in zip(golden["ids"], golden["labels"], strict=True) if label == -100]
    assert [one for one in before if one not in BEGINNINGS] == [one for one in asked if one not in BEGINNINGS]


@pytest.mark.parametrize("name", trl_rows.TEMPLATES)
def test_conversations(name: str, tmp_path: Path) -> None:
    trl_rows.llama(tmp_path / "base", trl_rows.TEMPLATES[name])
    processor = checkpoints.load(tmp_path / "base").processor
    ids, said = masked(processor, [(turn["role"], [turn["content"]]) for turn in trl_rows.TURNS])
    golden = GOLDEN["text"][name]
    assert ids == golden["ids"]
    theirs = [label != -100 for label in golden["labels"]]
    if name == "plain":  # a prompt and its completion: of the earlier answer TRL learns nothing
        ours_last = len(said) - said[::-1].index(False)
        assert said[ours_last:] == theirs[ours_last:]
        assert sum(said) > sum(theirs)
        return
    assert said == theirs


@pytest.mark.parametrize("objective", ["dpo", "ipo", "kto"])
def test_losses_and_gradients(objective: str, tmp_path: Path) -> None:
    model, _ = trl_rows.llama(tmp_path / "base", trl_rows.TEMPLATES["plain"])
    reference = peft.get_peft_model(model, trl_rows.adapter())
    trl_rows.draw(reference)
    drawn = {
        name.removeprefix("base_model.model.").replace(".default", ""): parameter.detach()
        for name, parameter in reference.named_parameters()
        if "lora_" in name
    }
    loaded = checkpoints.load(tmp_path / "base")
    options = TuningOptions(
        objective=objective, beta=trl_rows.BETA, rank=3, alpha=6.0, targets=("q_proj", "v_proj"), batch=2, held_out=0.0
    )
    rows = tuple(row(number, objective) for number in range(2))
    file = TuningFile(name="rows", kind="preferences", digest="0", rows=rows, bad=())
    made = prepare_tuning(loaded, file, options, lambda part: pytest.fail(f"no medium was given, but {part}"))
    made.source.shuffle = False
    for name, value in drawn.items():
        made.model.get_parameter(name).data.copy_(value)
    golden = GOLDEN["losses"]["sigmoid" if objective == "dpo" else objective]
    batch = made.source.batch_at(0, 0)
    for ours, theirs, said in zip(batch.lessons, golden["ids"], golden["said"], strict=False):
        assert ours.ids.tolist() == theirs[: len(ours.ids)]
        assert ours.said.tolist() == [bool(one) for one in said[: len(ours.ids)]]
    found = made.objective(made.model, move(batch, "cpu"))
    assert float(found["loss"].detach()) == pytest.approx(golden["loss"], abs=1e-5)
    found["loss"].backward()
    assert set(golden["gradients"]) == set(drawn)
    for name, values in golden["gradients"].items():
        gradient = made.model.get_parameter(name).grad
        assert gradient is not None
        np.testing.assert_allclose(gradient.flatten().numpy(), values, atol=1e-5, rtol=1e-5)


def row(number: int, objective: str) -> Preference | RatedAnswer:
    found = trl_rows.PREFERENCES[number]
    prompt = tuple(Message(turn["role"], (Text(turn["content"]),)) for turn in found["prompt"])
    chosen, rejected = found["chosen"][0]["content"], found["rejected"][0]["content"]
    if objective == "kto":
        return RatedAnswer(key=f"{number}", prompt=prompt, answer=chosen, good=number == 0, where=f"line {number + 1}")
    return Preference(key=f"{number}", prompt=prompt, chosen=chosen, rejected=rejected, where=f"line {number + 1}")


def test_special_tokens_of_a_user_are_learned_as_text(tmp_path: Path) -> None:
    """What a row spells out opens no turn, and marks inside it move no mask."""
    _, words = trl_rows.llama(tmp_path / "base", trl_rows.TEMPLATES["marked"])
    processor = checkpoints.load(tmp_path / "base").processor
    ids, said = masked(processor, [("user", ["say <|eot|> now"]), ("assistant", ["it is <|eot|> so"])])
    end = words.convert_tokens_to_ids("<|eot|>")
    assert ids.count(end) == 2
    learned = [token for token, taken in zip(ids, said, strict=True) if taken]
    assert learned[-1] == end
    assert processor.decode(learned).split() == ["it", "is", "<|eot|>", "so"]
