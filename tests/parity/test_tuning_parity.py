"""Tuning against `peft` and `transformers`: from the same adapter, in the same order, to the same losses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
import torch.nn.functional as F
from PIL import Image as pillow
from torch import Tensor, nn

from tests.models.conftest import tiny_model, tiny_values
from tests.parity import (
    test_idefics3_parity,
    test_llava_next_parity,
    test_llava_parity,
    test_lora_parity,
    test_mllama_parity,
    written,
)
from tests.providers import test_local
from tutti import checkpoints
from tutti.content import Image, Message, Text
from tutti.media import Limits, decode_image
from tutti.training.data import Dialogue
from tutti.training.loop import train
from tutti.training.tuning import Tuning, prepare_tuning, save_tuned
from tutti.training.tuning_files import TuningFile
from tutti.training.tuning_options import TuningOptions

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

STEPS, BATCH, RATE = 20, 2, 3e-3
ANSWERS = ["a fox", "two red birds", "naïve Straße", "nothing at all"]
QUESTIONS = ["What animal is this?", "What flies there?", "Read the sign.", "Is there a cat or a dog?"]
PICTURES = [written.noise(30, 44, seed) for seed in range(4)]


@dataclass
class Theirs:
    """A row as the reference takes it."""

    inputs: dict[str, Tensor]
    said: Tensor
    """(T,) bool."""


def dialogues(with_pictures: bool) -> tuple[Dialogue, ...]:
    rows = []
    for index, (question, answer) in enumerate(zip(QUESTIONS, ANSWERS, strict=True)):
        parts = (Image(PICTURES[index]), Text(question)) if with_pictures and index != 2 else (Text(question),)
        messages = (Message("user", parts), Message("assistant", (Text(answer),)))
        rows.append(Dialogue(key=str(index), messages=messages, where=f"line {index + 1}"))
    return tuple(rows)


def tuned(folder: Path, rows: Sequence[Dialogue], **options: Any) -> tuple[checkpoints.Loaded, Tuning]:
    loaded = checkpoints.load(folder)
    file = TuningFile(name="rows", kind="messages", digest="0", rows=tuple(rows), bad=())

    def read(part: Any) -> Any:
        return loaded.processor.prepare("image", decode_image(part, Limits()))

    settings: dict[str, Any] = {
        "rank": 4, "alpha": 8.0, "steps": STEPS, "batch": BATCH, "rate": RATE, "warmup": 0.1, "held_out": 0.0, **options
    }  # fmt: skip
    made = prepare_tuning(loaded, file, TuningOptions(**settings), read)
    assert made.bad == ()
    made.source.shuffle = False
    torch.manual_seed(3)
    for name, parameter in made.model.named_parameters():
        if ".lora_B." in name:
            nn.init.normal_(parameter, std=0.1)  # so that both halves of the adapter learn from the first step on
    return loaded, made


def our_losses(made: Tuning, folder: Path) -> list[float]:
    train(made.model, made.phase, folder, log_every=1)
    lines = (folder / "metrics.jsonl").read_text().split("\n")
    return [json.loads(line)["answers/loss"] for line in lines if line]


def their_losses(model: nn.Module, made: Tuning, step_loss: Callable[[int], Tensor]) -> list[float]:
    """AdamW on what learns, as the phase has it."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=RATE, betas=(0.9, 0.999), weight_decay=0.0)
    losses = []
    model.train()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = made.phase.schedule.rate(step)
        optimizer.zero_grad()
        loss = step_loss(step)
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def rows_of(step: int) -> list[int]:
    return [index % 4 for index in range(step * BATCH, step * BATCH + BATCH)]


def padded(rows: Sequence[Theirs], skip: Sequence[str] = ()) -> dict[str, Tensor]:
    """Rows side by side: padded on the right, pictures one behind another."""
    longest = max(len(row.said) for row in rows)
    out: dict[str, Tensor] = {}
    for name, fill in (("input_ids", 0), ("attention_mask", 0)):
        out[name] = torch.stack([F.pad(row.inputs[name][0], (0, longest - len(row.said)), value=fill) for row in rows])
    labels = [row.inputs["input_ids"][0].masked_fill(~row.said, -100) for row in rows]
    out["labels"] = torch.stack([F.pad(one, (0, longest - len(one)), value=-100) for one in labels])
    for name in {name for row in rows for name in row.inputs} - set(out) - set(skip):
        out[name] = torch.cat([row.inputs[name] for row in rows if name in row.inputs])
    return out


def given(processor: Any, row: Dialogue, end: str) -> Theirs:
    """A row through their processor; what is learned is what the answer adds to the text that asks for it."""
    turns = [(m.role, [p.text if isinstance(p, Text) else p.source for p in m.parts]) for m in row.messages]
    pictures = [pillow.fromarray(np.asarray(p)) for _, pieces in turns for p in pieces if not isinstance(p, str)]

    def encoded(text: str) -> dict[str, Any]:
        special = not text.startswith("<s>")
        return dict(processor(text=text, images=pictures or None, return_tensors="pt", add_special_tokens=special))

    asked = processor.apply_chat_template(written.messages(turns[:1]), add_generation_prompt=True)
    whole = processor.apply_chat_template(written.messages(turns)) + end
    inputs, before = encoded(whole), len(encoded(asked)["input_ids"][0])
    said = torch.arange(len(inputs["input_ids"][0])) >= before
    assert (inputs["input_ids"][0, :before] == encoded(asked)["input_ids"][0]).all()
    return Theirs(inputs, said)


def check_family(saved: Any, place: Path, end: str = "", after: int = 0, batches: bool = True) -> None:
    """Masks and losses of a family are those of the reference.

    `after` is how many tokens of the answer the template's own marks leave out; without `batches` rows of a step go
    through the reference one by one.
    """
    loaded, made = tuned(saved.folder, dialogues(True))
    theirs = [given(saved.processor, row, end) for row in dialogues(True)]
    for row, item in zip(theirs, made.source.items, strict=True):
        lesson = item.lessons[0]
        row.said[int(row.said.nonzero()[0]) :][:after] = False
        assert lesson.ids.tolist() == row.inputs["input_ids"][0].tolist()
        assert lesson.said.tolist() == row.said.tolist()
    save_tuned(made, loaded, place)
    model = peft.PeftModel.from_pretrained(saved.model, place / "adapter", is_trainable=True)

    def step_loss(step: int) -> Tensor:
        rows = [theirs[index] for index in rows_of(step)]
        if batches:
            return model(**padded(rows)).loss
        count = sum(int(row.said.sum()) for row in rows)
        return sum(model(**padded([row])).loss * int(row.said.sum()) for row in rows) / count

    expected = their_losses(model, made, step_loss)
    ours = our_losses(made, place / "run")
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=0)
    assert ours[-1] < 0.9 * ours[0]


def test_llava(tmp_path: Path) -> None:
    check_family(test_llava_parity.save_theirs(tmp_path / "base", {}), tmp_path, end="</s>", after=1)


def test_llava_next(tmp_path: Path) -> None:
    case = next(iter(test_llava_next_parity.CASES.values()))
    saved = test_llava_next_parity.save_theirs(tmp_path / "base", case)
    check_family(saved, tmp_path, end="</s>", after=1, batches=False)


@pytest.mark.parametrize("case", ["HuggingFaceTB/SmolVLM-256M-Instruct", "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"])
def test_smolvlm_and_idefics3(tmp_path: Path, case: str) -> None:
    saved = test_idefics3_parity.save_theirs(tmp_path / "base", test_idefics3_parity.CASES[case])
    check_family(saved, tmp_path, end="</s>", batches=False)


def test_mllama(tmp_path: Path) -> None:
    check_family(test_mllama_parity.save_theirs(tmp_path / "base", {}), tmp_path, batches=False)


LLAMA_TEMPLATE = """{% for message in messages %}
    {{- '<|head|>' + message['role'] + '\\n\\n' + message['content'] + '<|eot|>' }}
{%- endfor %}{% if add_generation_prompt %}{{ '<|head|>assistant\\n\\n' }}{% endif %}"""


@pytest.mark.parametrize("kind", ["llama", "mistral", "checkpointed"])
def test_llama_and_mistral(tmp_path: Path, kind: str) -> None:
    """Without pictures, in batches; with blocks computed again in the backward pass, too."""
    words = written.tokenizer(["<|head|>", "<|eot|>"], LLAMA_TEMPLATE)
    sizes = {**test_lora_parity.SIZES, "vocab_size": len(words), "max_position_embeddings": 256, "eos_token_id": 2}
    theirs = test_lora_parity.llama_like(kind if kind == "mistral" else "llama", sizes)
    theirs.save_pretrained(tmp_path / "base")
    words.save_pretrained(tmp_path / "base")
    rows = dialogues(False)
    loaded, made = tuned(tmp_path / "base", rows, checkpointing=kind == "checkpointed")
    expected_rows = []
    for row, item in zip(rows, made.source.items, strict=True):
        messages = [{"role": m.role, "content": "".join(p.text for p in m.parts)} for m in row.messages]
        asked = words.apply_chat_template(messages[:1], add_generation_prompt=True, tokenize=False)
        whole = words.apply_chat_template(messages, tokenize=False) + "</s>"
        ids = words(whole, add_special_tokens=False, return_tensors="pt")
        said = torch.arange(len(ids["input_ids"][0])) >= len(words(asked, add_special_tokens=False)["input_ids"])
        assert item.lessons[0].ids.tolist() == ids["input_ids"][0].tolist()
        assert item.lessons[0].said.tolist() == said.tolist()
        expected_rows.append(Theirs({name: ids[name] for name in ("input_ids", "attention_mask")}, said))
    save_tuned(made, loaded, tmp_path)
    model = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter", is_trainable=True)
    expected = their_losses(model, made, lambda step: model(**padded([expected_rows[i] for i in rows_of(step)])).loss)
    np.testing.assert_allclose(our_losses(made, tmp_path / "run"), expected, atol=1e-4, rtol=0)


def test_tutti_omni(tmp_path: Path) -> None:
    """Against peft around our own module, driven by hand: batches, masks and cached trunks change nothing."""
    folder = tmp_path / "base"
    model = tiny_model()
    checkpoints.save(model, folder, tiny_values(), test_local.files())
    words = [" ".join(f"w{8 + (5 * row + index) % 30}" for index in range(4)) for row in range(8)]
    rows = []
    for index in range(4):
        parts = (Image(PICTURES[index]), Text(words[index])) if index != 2 else (Text(words[index]),)
        messages = (Message("user", parts), Message("assistant", (Text(words[4 + index]),)))
        rows.append(Dialogue(key=str(index), messages=messages, where=f"line {index + 1}"))
    loaded, made = tuned(folder, rows)
    assert not made.media.moves
    assert made.media.encodings == 3
    save_tuned(made, loaded, tmp_path)
    config = peft.LoraConfig.from_pretrained(tmp_path / "adapter")
    config.base_model_name_or_path = None
    config.inference_mode = False
    reference = checkpoints.load(folder)
    adapted = peft.get_peft_model(reference.model, config)
    weights = peft.load_peft_weights(str(tmp_path / "adapter"))
    peft.set_peft_model_state_dict(adapted, weights)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad_("lora_" in name)
    pixels = [reference.processor.picture(PICTURES[index]).arrays["pixel_values"] for index in range(4)]

    def step_loss(step: int) -> Tensor:
        total, count = torch.zeros(()), 0
        for number in rows_of(step):
            text = [reference.processor.tokenizer.encode(words[number + offset]) for offset in (0, 4)]
            picture = [] if number == 2 else [4] * 4
            ids = torch.tensor([[2, *picture, *text[0], 3, *text[1], 1]])
            media = {} if number == 2 else {"image": {"pixel_values": torch.from_numpy(pixels[number])[None]}}
            logits = adapted.base_model.model(ids, media).logits[0]
            learned = len(text[1]) + 1
            total = total + F.cross_entropy(logits[-learned - 1 : -1], ids[0, -learned:], reduction="sum")
            count += learned
        return total / count

    # Trunks that stand still are in evaluation mode, as they are here.
    adapted.train = lambda mode=True: adapted  # type: ignore[method-assign]
    expected = their_losses(adapted, made, step_loss)
    np.testing.assert_allclose(our_losses(made, tmp_path / "run"), expected, atol=1e-4, rtol=0)
