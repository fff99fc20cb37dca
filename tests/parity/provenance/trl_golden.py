"""Makes `tests/parity/golden/trl.json`: what TRL marks as learned, and its losses of preferences with their gradients.

    python -m venv trl && trl/bin/pip install trl transformers peft torch pytest num2words
    PYTHONPATH=src:. trl/bin/python -m tests.parity.provenance.trl_golden

Made with TRL 1.16.0, transformers 5.24.0, peft 0.21.2, torch 2.13.0. The rows, templates and tiny models are those of
the tests that compare with it (`tests/parity/test_trl_parity.py`).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import peft
import torch
from datasets import Dataset
from PIL import Image
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from tests.parity import trl_rows

OUT = Path(__file__).parents[1] / "golden/trl.json"


def vision_masks(place: Path) -> dict[str, Any]:
    """Ids and labels of a question about a picture and its answer, by family."""
    found = {}
    for name, save in trl_rows.FAMILIES.items():
        processor = save(place / name).processor
        collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
        batch = collate([
            {"images": [Image.fromarray(trl_rows.PICTURE)],
             "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": trl_rows.QUESTION}]}],
             "completion": [{"role": "assistant", "content": [{"type": "text", "text": trl_rows.ANSWER}]}]}
        ])  # fmt: skip
        found[name] = {"ids": batch["input_ids"][0].tolist(), "labels": batch["labels"][0].tolist()}
    return found


def text_masks(place: Path) -> dict[str, Any]:
    """Ids and labels of conversations: by the template's own marks, and of a prompt with its completion."""
    found = {}
    for name, template in trl_rows.TEMPLATES.items():
        model, words = trl_rows.llama(place / name, template)
        marked = "generation" in template.split("add_generation_prompt")[0]
        rows = (
            [{"messages": trl_rows.TURNS}]
            if marked
            else [{"prompt": trl_rows.TURNS[:-1], "completion": trl_rows.TURNS[-1:]}]
        )
        config = SFTConfig(
            output_dir=str(place / "sft"), assistant_only_loss=marked, report_to=[], use_cpu=True, bf16=False,
            per_device_train_batch_size=1, eos_token="</s>",
        )  # fmt: skip
        trainer = SFTTrainer(model, config, train_dataset=Dataset.from_list(rows), processing_class=words)
        batch = next(iter(trainer.get_train_dataloader()))
        found[name] = {"ids": batch["input_ids"][0].tolist(), "labels": batch["labels"][0].tolist()}
    return found


def losses(place: Path) -> dict[str, Any]:
    """Losses of preferences and the gradients of the adapter, on one batch."""
    found: dict[str, Any] = {}
    for name in ("sigmoid", "ipo", "kto"):
        model, words = trl_rows.llama(place / name, trl_rows.TEMPLATES["plain"])
        common = {
            "output_dir": str(place / "run"), "report_to": [], "use_cpu": True, "bf16": False, "beta": trl_rows.BETA,
            "per_device_train_batch_size": 2, "gradient_checkpointing": False, "max_length": None,
        }  # fmt: skip
        if name == "kto":
            rows = [{"prompt": row["prompt"], "completion": row["chosen"], "label": good}
                    for row, good in zip(trl_rows.PREFERENCES, (True, False), strict=True)]  # fmt: skip
            trainer: Any = KTOTrainer(
                model, None, KTOConfig(**common, loss_type="kto", train_sampling_strategy="sequential"),
                train_dataset=Dataset.from_list(rows), processing_class=words, peft_config=trl_rows.adapter(),
            )  # fmt: skip
        else:
            config = DPOConfig(**common, loss_type=[name], train_sampling_strategy="sequential")
            rows = trl_rows.PREFERENCES
            trainer = DPOTrainer(
                model, None, config, train_dataset=Dataset.from_list(rows), processing_class=words,
                peft_config=trl_rows.adapter(),
            )  # fmt: skip
        batch = next(iter(trainer.get_train_dataloader()))
        trl_rows.draw(trainer.model)  # its reference is the model without the adapter
        trainer.model.eval()
        loss = trainer.compute_loss(trainer.model, batch)
        loss.backward()
        gradients = {
            key.removeprefix("base_model.model.").replace(".default", ""): [
                float(f"{value:.7g}") for value in parameter.grad.flatten().tolist()
            ]
            for key, parameter in trainer.model.named_parameters()
            if parameter.grad is not None
        }
        found[name] = {
            "loss": loss.item(),
            "ids": batch["input_ids"].tolist(),
            "said": batch["completion_mask"].tolist(),
            "gradients": gradients,
        }
    return found


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        values = {"vision": vision_masks(place), "text": text_masks(place), "losses": losses(place)}
    OUT.write_text(json.dumps(values) + "\n", encoding="utf-8")
    print(OUT, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert peft.__version__
    main()
