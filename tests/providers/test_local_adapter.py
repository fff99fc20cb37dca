"""An adapter for tutti-mini: through the face of all models, in the shell, and merged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import tutti
from tutti import checkpoints
from tutti.checkpoints.adapters import AdapterConfig, merge_adapter, new_adapter, save_adapter
from tutti.checkpoints.families import FAMILIES
from tutti.cli.main import main
from tutti.errors import CheckpointError

PICTURE = Path(__file__).parents[2] / "examples/media/picture.png"
QUESTION = "What animal is this?"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that changes what tutti-mini says."""
    model = checkpoints.load("tutti-mini").model
    config = AdapterConfig(r=4, lora_alpha=8, target_modules=("v_proj", "down_proj"), base_model="tutti-mini")
    torch.manual_seed(0)
    for layer in new_adapter(model, config):
        torch.nn.init.normal_(model.get_submodule(layer).lora_B.weight, std=4.0)
    path = tmp_path_factory.mktemp("lora") / "adapter"
    save_adapter(model, path, config, FAMILIES["tutti_omni"])
    return path


def test_attached_and_merged_answer_alike_and_otherwise_than_plain(
    adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tutti.load().ask(QUESTION, PICTURE, max_tokens=12).text
    attached = tutti.load(adapter=adapter).ask(QUESTION, PICTURE, max_tokens=12).text
    assert attached != plain
    assert main(["merge", "tutti-mini", "--adapter", str(adapter), "--into", str(tmp_path / "merged"), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    layers = checkpoints.load("tutti-mini").model.config.decoder.num_hidden_layers
    assert done["layers"] == 2 * layers
    # A merged folder keeps eight bits a weight, as the model's own does, and this adapter makes words at random: so the
    # first one counts, and how likely it is.
    kept, beside = (
        tutti.load(name, adapter=lora).ask(QUESTION, PICTURE, max_tokens=1, logprobs=1).logprobs[0]
        for name, lora in ((tmp_path / "merged", None), ("tutti-mini", adapter))
    )
    assert kept.token == beside.token
    assert kept.logprob == pytest.approx(beside.logprob, abs=0.1)
    assert main(["ask", QUESTION, str(PICTURE), "--adapter", str(adapter), "--max-tokens", "12"]) == 0
    assert capsys.readouterr().out.strip() == attached
    info = checkpoints.inspect(tmp_path / "merged")
    assert info.dtype_bytes == checkpoints.inspect("tutti-mini").dtype_bytes
    assert info.licence == checkpoints.inspect("tutti-mini").licence


@torch.inference_mode()
def test_attached_is_merged_within_a_hundred_thousandth(adapter: Path) -> None:
    loaded = checkpoints.load("tutti-mini", adapter=adapter)
    ids = torch.arange(40, 60)[None]
    attached = loaded.model(ids).logits
    merge_adapter(loaded.model)
    # Of the largest: an adapter this strong makes logits of many tens.
    assert (loaded.model(ids).logits - attached).abs().max() <= 1e-5 * attached.abs().max()


def test_a_folder_that_is_no_adapter_is_refused_in_the_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", QUESTION, str(PICTURE), "--adapter", str(tmp_path)]) == 2
    assert "has no adapter_config.json; expected an adapter in the PEFT layout." in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="There is no model"):
        tutti.load(adapter="nowhere")


def test_points_of_an_adapted_model_are_told_apart_from_those_of_the_plain(adapter: Path) -> None:
    plain, adapted = tutti.load().provider.fingerprint(), tutti.load(adapter=adapter).provider.fingerprint()
    assert plain[0] != adapted[0]
    assert plain[1] == adapted[1]
