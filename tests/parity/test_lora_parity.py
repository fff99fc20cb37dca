"""LoRA adapters against `peft`: what it trains and saves computes the same here, attached and merged, and back."""

from __future__ import annotations

import json
import math
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import tokenizers
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from tests.parity import test_llava_parity, written
from tutti import checkpoints
from tutti.checkpoints.adapters import AdapterConfig, merge_adapter, new_adapter, save_adapter
from tutti.checkpoints.families import FAMILIES
from tutti.errors import (
    CheckpointError,
    InputError,
    ShapeMismatch,
    UnexpectedWeights,
    UnsafeCheckpoint,
    UnsupportedConfig,
)
from tutti.models.layers.lora import LoRALinear

# `peft` asks `transformers` for a name that the latter takes leave of.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

SIZES = {
    "vocab_size": 48,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "attention": {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
    "all layers": {"r": 3, "lora_alpha": 5, "target_modules": "all-linear"},
    "root of the rank": {"r": 4, "lora_alpha": 8, "target_modules": ["o_proj", "down_proj"], "use_rslora": True},
    "a pattern": {"r": 2, "lora_alpha": 4, "target_modules": r".*layers\.1\..*(up|gate)_proj"},
    "one whole name": {"r": 2, "lora_alpha": 4, "target_modules": ["layers.0.self_attn.k_proj", "lm_head"]},
}


def base(folder: Path, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES | changes)).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "tokenizer.json").write_text(TOKENIZER)
    return model


def llama_like(kind: str, sizes: dict[str, Any]) -> torch.nn.Module:
    """A small model of theirs whose weights all matter."""
    config, model_class = {"llama": (LlamaConfig, LlamaForCausalLM), "mistral": (MistralConfig, MistralForCausalLM)}[
        kind
    ]
    model = model_class(config(**sizes)).eval()
    written.draw(model)
    return model.eval()


def trained(model: torch.nn.Module, folder: Path, **settings: Any) -> peft.PeftModel:
    """An adapter whose change is large enough to be seen."""
    adapted = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    torch.manual_seed(1)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return adapted


TOKENIZER = tokenizers.Tokenizer(tokenizers.models.WordLevel({"dog": 0, "[UNK]": 1}, unk_token="[UNK]")).to_str()
IDS = torch.from_numpy(np.random.default_rng(0).integers(0, 48, (2, 9)))


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[peft.PeftModel, Path, Path]:
    model = base(tmp_path / "base")
    return trained(model, tmp_path / "adapter", **request.param), tmp_path / "base", tmp_path / "adapter"


@torch.inference_mode()
def test_attached_merged_and_theirs_are_one(both: tuple[peft.PeftModel, Path, Path], tmp_path: Path) -> None:
    theirs, folder, adapter = both
    expected = theirs(IDS).logits
    loaded = checkpoints.load(folder, adapter=adapter)
    assert set(loaded.report.adapted) == {
        name.removeprefix("base_model.model.")
        for name, module in theirs.named_modules()
        if isinstance(module, peft.tuners.lora.Linear)
    }
    attached = loaded.model(IDS).logits
    torch.testing.assert_close(attached, expected, atol=1e-4, rtol=1e-4)
    plain = checkpoints.load(folder).model(IDS).logits
    assert (attached - plain).abs().max() > 0.1
    with pytest.raises(InputError, match="An adapter is attached to the model; merge it, or save the adapter alone"):
        checkpoints.save(loaded.model, tmp_path / "no", {"model_type": "llama"}, {})
    assert merge_adapter(loaded.model) == len(loaded.report.adapted)
    assert not any(isinstance(module, LoRALinear) for module in loaded.model.modules())
    torch.testing.assert_close(loaded.model(IDS).logits, attached, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_merged_checkpoint_is_plain_for_transformers(both: tuple[peft.PeftModel, Path, Path], tmp_path: Path) -> None:
    theirs, folder, adapter = both
    changed = checkpoints.merge(folder, adapter, tmp_path / "merged")
    assert changed > 0
    again, info = LlamaForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not any(info.values())
    torch.testing.assert_close(again.eval()(IDS).logits, theirs(IDS).logits, atol=1e-4, rtol=1e-4)
    assert (tmp_path / "merged" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    torch.testing.assert_close(checkpoints.load(tmp_path / "merged").model(IDS).logits, again(IDS).logits)


def test_half_precision_is_merged_in_single_and_kept(tmp_path: Path) -> None:
    base(tmp_path / "half").half().save_pretrained(tmp_path / "half")
    trained(base(tmp_path / "base"), tmp_path / "adapter", **VARIANTS["attention"])
    checkpoints.merge(tmp_path / "half", tmp_path / "adapter", tmp_path / "merged")
    stored, before = (load_file(tmp_path / name / "model.safetensors") for name in ("merged", "half"))
    assert {str(tensor.dtype) for tensor in stored.values()} == {"torch.float16"}
    name = "model.layers.0.self_attn.q_proj"
    lora = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    down, up = (lora[f"base_model.model.{name}.lora_{part}.weight"] for part in "AB")
    expected = (before[f"{name}.weight"].float() + 2.0 * up @ down).half()
    assert torch.equal(stored[f"{name}.weight"], expected)


@torch.inference_mode()
def test_what_we_train_and_save_is_theirs(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    model = base(folder)
    loaded = checkpoints.load(folder)
    config = AdapterConfig(r=4, lora_alpha=6, target_modules=("q_proj", "up_proj"), use_rslora=True)
    before = loaded.model(IDS).logits
    layers = new_adapter(loaded.model, config)
    assert len(layers) == 4
    torch.testing.assert_close(loaded.model(IDS).logits, before)
    trainable = {name for name, parameter in loaded.model.named_parameters() if parameter.requires_grad}
    assert trainable == {f"{layer}.lora_{part}.weight" for layer in layers for part in "AB"}
    with torch.no_grad():
        for name in trainable:
            torch.nn.init.normal_(loaded.model.get_parameter(name), std=0.3)
    save_adapter(loaded.model, tmp_path / "adapter", config, FAMILIES["llama"])
    theirs = peft.PeftModel.from_pretrained(model, tmp_path / "adapter").eval()
    ours = loaded.model(IDS).logits
    torch.testing.assert_close(theirs(IDS).logits, ours, atol=1e-4, rtol=1e-4)
    assert (ours - before).abs().max() > 0.1
    again = checkpoints.load(folder, adapter=tmp_path / "adapter").model(IDS).logits
    torch.testing.assert_close(again, ours)
    assert config.scale == pytest.approx(6 / math.sqrt(4))


# Strictness.


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model and an adapter for it, which tests copy."""
    place = tmp_path_factory.mktemp("lora")
    trained(base(place / "base"), place / "adapter", **VARIANTS["attention"])
    return place


def spoiled(sound: Path, place: Path, settings: dict[str, Any] | None = None, drop: str = "", add: str = "") -> Path:
    place.mkdir()
    config = json.loads((sound / "adapter" / "adapter_config.json").read_text())
    (place / "adapter_config.json").write_text(json.dumps(config | (settings or {})))
    weights = load_file(sound / "adapter" / "adapter_model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not drop or drop not in name}
    save_file(kept | ({add: torch.zeros(2, 2)} if add else {}), place / "adapter_model.safetensors")
    return place


@pytest.mark.parametrize(
    ("spoil", "error", "sentence"),
    [
        ({"settings": {"use_dora": True}}, UnsupportedConfig, "sets use_dora to True, which is not computed here"),
        ({"settings": {"modules_to_save": ["lm_head"]}}, UnsupportedConfig, r"sets modules_to_save to \['lm_head'\]"),
        ({"settings": {"rank_pattern": {"q_proj": 8}}}, UnsupportedConfig, "sets rank_pattern to"),
        ({"settings": {"some_new_switch": 1}}, UnsupportedConfig, "sets some_new_switch to 1, which is not computed"),
        ({"settings": {"bias": "all"}}, UnsupportedConfig, "has bias 'all'; computed is 'none'"),
        ({"settings": {"peft_type": "LOHA"}}, UnsupportedConfig, "has peft_type 'LOHA'; computed is 'LORA'"),
        ({"settings": {"init_lora_weights": "pissa"}}, UnsupportedConfig, "has init_lora_weights 'pissa'"),
        ({"settings": {"r": 0}}, UnsupportedConfig, "r is 0; expected a whole number from 1 on"),
        ({"settings": {"lora_alpha": "8"}}, UnsupportedConfig, "lora_alpha is '8'; expected a number"),
        ({"settings": {"target_modules": []}}, UnsupportedConfig, "expected names of layers"),
        ({"settings": {"target_modules": ["q_proj"]}}, CheckpointError, "which target_modules of .* does not name"),
        ({"drop": "q_proj"}, CheckpointError, "names 'q_proj' in target_modules, but .* has no weights for it"),
        ({"drop": "0.self_attn.q_proj.lora_A"}, CheckpointError, "holds only one of A and B for model.layers.0"),
        (
            {"add": "base_model.model.lm_head.lora_embedding_A"},
            UnexpectedWeights,
            "expected LoRA's A and B of linear layers",
        ),
        ({"settings": {"r": 8}}, ShapeMismatch, r"has A \[4, 32\] and B \[32, 4\] for model.layers.0.self_attn.q_proj"),
    ],
)
def test_what_is_not_computed_is_refused(
    sound: Path, tmp_path: Path, spoil: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        checkpoints.load(sound / "base", adapter=spoiled(sound, tmp_path / "spoiled", **spoil))


def test_an_adapter_of_another_model_is_refused(sound: Path, tmp_path: Path) -> None:
    base(tmp_path / "wide", hidden_size=48)
    with pytest.raises(ShapeMismatch, match=r"model's \[48, 48\] need \[4, 48\] and \[48, 4\]; it was made for"):
        checkpoints.load(tmp_path / "wide", adapter=sound / "adapter")
    base(tmp_path / "short", num_hidden_layers=1)
    with pytest.raises(UnexpectedWeights) as caught:
        checkpoints.load(tmp_path / "short", adapter=sound / "adapter")
    assert str(caught.value) == (
        "The adapter changes 2 layers that the model lacks (model.layers.1.self_attn.q_proj, "
        "model.layers.1.self_attn.v_proj); it was made for another model."
    )
    with pytest.raises(UnexpectedWeights, match="The adapter changes 4 layers that the model lacks"):
        checkpoints.load("tutti-mini", adapter=sound / "adapter")


def test_folders_that_hold_no_adapter_or_a_pickle(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no adapter_config\.json; expected an adapter in the PEFT layout"):
        checkpoints.load(sound / "base", adapter=sound / "base")
    folder = spoiled(sound, tmp_path / "pickle")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(UnsafeCheckpoint, match=r"holds its weights as a pickle \(adapter_model.bin\)"):
        checkpoints.load(sound / "base", adapter=folder)


# Forms in which adapters are saved.


def stored_names(folder: Path) -> list[str]:
    return sorted(load_file(folder / "adapter_model.safetensors"))


@torch.inference_mode()
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_copy_of_the_base_weight_is_accepted_when_equal(tmp_path: Path, tied: bool, precision: torch.dtype) -> None:
    model = base(tmp_path / "base", tie_word_embeddings=tied)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft says that it stores the copy, and that the layer is tied
        theirs = trained(model, tmp_path / "adapter", r=2, lora_alpha=4, target_modules=["q_proj", "lm_head"])
        theirs.save_pretrained(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    copy = "base_model.model.lm_head.base_layer.weight"
    assert copy in stored_names(tmp_path / "adapter")
    weights = load_file(file)
    save_file({**weights, copy: weights[copy].to(precision)}, file)
    loaded = checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter")
    torch.testing.assert_close(loaded.model(IDS).logits, theirs(IDS).logits, atol=1e-4, rtol=1e-4)
    other = weights[copy].clone()
    other[3, 3] += 1
    for changed in (other, weights[copy][:40]):
        save_file({**weights, copy: changed.contiguous()}, file)
        with pytest.raises(UnexpectedWeights, match=r"holds a copy of lm_head\.weight that differs from the model's"):
            checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter")
    save_file({**weights, "base_model.model.head.base_layer.weight": weights[copy].clone()}, file)
    with pytest.raises(UnexpectedWeights, match="which the model lacks; it is for another model"):
        checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter")


FORMS: dict[str, dict[str, Any]] = {
    "one block": {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1]},
    "one block by its number and its list": {
        "target_modules": ["q_proj"], "layers_to_transform": 1, "layers_pattern": "layers",
    },
    "all but some": {"target_modules": ["q_proj", "k_proj"], "exclude_modules": ["k_proj"]},
    "orthogonal first values": {"target_modules": ["q_proj"], "init_lora_weights": "orthogonal"},
    "stored transposed, which linear layers are not": {"target_modules": ["q_proj"], "fan_in_fan_out": True},
}  # fmt: skip


@torch.inference_mode()
@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to True:UserWarning")
@pytest.mark.parametrize("settings", FORMS.values(), ids=FORMS.keys())
def test_what_only_says_which_layers_change_is_read(tmp_path: Path, settings: dict[str, Any]) -> None:
    model = base(tmp_path / "base")
    plain = model(IDS).logits
    theirs = trained(model, tmp_path / "adapter", r=2, lora_alpha=4, **settings)
    file = tmp_path / "adapter" / "adapter_config.json"
    written = json.loads(file.read_text())
    file.write_text(json.dumps({**written, **{key: settings[key] for key in ("fan_in_fan_out",) if key in settings}}))
    loaded = checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter")
    torch.testing.assert_close(loaded.model(IDS).logits, theirs(IDS).logits, atol=1e-4, rtol=1e-4)
    assert (loaded.model(IDS).logits - plain).abs().max() > 0.01


@torch.inference_mode()
def test_notes_of_tools_and_marks_of_compiling_are_left_out(sound: Path, tmp_path: Path) -> None:
    expected = checkpoints.load(sound / "base", adapter=sound / "adapter").model(IDS).logits
    notes = {
        "auto_mapping": {"base_model_class": "LlamaForCausalLM", "unsloth_fixed": True},
        "unsloth_training_statistics": "1,000 steps",
        "unsloth_version": "2025.3.19",
    }
    folder = spoiled(sound, tmp_path / "noted", notes)
    file = folder / "adapter_model.safetensors"
    weights = load_file(sound / "adapter" / "adapter_model.safetensors")
    for marked in ("base_model.model._orig_mod.", "_orig_mod.base_model.model."):
        save_file({name.replace("base_model.model.", marked, 1): tensor for name, tensor in weights.items()}, file)
        assert torch.equal(checkpoints.load(sound / "base", adapter=folder).model(IDS).logits, expected)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({**weights, f"_orig_mod.{name}": weights[name].clone()}, file)
    with pytest.raises(CheckpointError, match=r"holds A for model\.layers\.0\.self_attn\.q_proj twice"):
        checkpoints.load(sound / "base", adapter=folder)


@torch.inference_mode()
def test_an_adapter_in_the_models_folder_is_applied_as_in_the_reference(sound: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    shutil.copytree(sound / "base", folder)
    plain = checkpoints.load(folder)
    assert plain.report.adapter is None and not plain.info.adapter
    plain_digest = checkpoints.digests(folder)
    shutil.copytree(sound / "adapter", folder, dirs_exist_ok=True)
    loaded = checkpoints.load(folder)
    assert loaded.report.adapter == str(folder)
    assert loaded.info.adapter and len(loaded.report.adapted) == 4
    assert checkpoints.digests(folder) != plain_digest
    ours, theirs = loaded.model(IDS).logits, LlamaForCausalLM.from_pretrained(folder).eval()(IDS).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert (ours - plain.model(IDS).logits).abs().max() > 0.1
    named = checkpoints.load(folder, adapter=folder).model(IDS).logits
    assert torch.equal(named, ours)
    with pytest.raises(InputError, match=r"holds an adapter of its own, and .* is another"):
        checkpoints.load(folder, adapter=sound / "adapter")
    with pytest.raises(InputError, match="holds an adapter, and codes take up no change; merge it first"):
        checkpoints.shrink(folder, tmp_path / "codes", "int8")
    checkpoints.merge(folder, folder, tmp_path / "merged")
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    torch.testing.assert_close(checkpoints.load(tmp_path / "merged").model(IDS).logits, ours, atol=1e-5, rtol=1e-5)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no adapter_model\.safetensors"):
        checkpoints.load(folder)


def test_a_pattern_that_never_ends_is_not_run(sound: Path, tmp_path: Path) -> None:
    folder = spoiled(sound, tmp_path / "evil", {"target_modules": "(a*)*" * 20 + "b"})
    assert len(checkpoints.load(sound / "base", adapter=folder).report.adapted) == 4


def test_a_tied_weight_is_attached_to_and_not_merged_into(tmp_path: Path) -> None:
    model = base(tmp_path / "base", tie_word_embeddings=True)
    with pytest.warns(UserWarning, match="a tied layer is part of the adapter"):
        theirs = trained(model, tmp_path / "adapter", r=2, lora_alpha=4, target_modules=["lm_head"])
    loaded = checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter")
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(IDS).logits, theirs(IDS).logits, atol=1e-4, rtol=1e-4)
    with pytest.raises(InputError, match="lm_head shares its weight with the token table"):
        merge_adapter(loaded.model)


def test_a_merge_does_not_overwrite_its_model(sound: Path) -> None:
    with pytest.raises(InputError, match="is the model itself; write the merged checkpoint into another folder"):
        checkpoints.merge(sound / "base", sound / "adapter", sound / "base")


@torch.inference_mode()
def test_mistral_takes_adapters_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None)).eval()
    model.save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "tokenizer.json").write_text(TOKENIZER)
    theirs = trained(model, tmp_path / "adapter", **VARIANTS["attention"])
    ours = checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter").model
    torch.testing.assert_close(ours(IDS).logits, theirs(IDS).logits, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_llava_takes_adapters_in_the_names_that_transformers_has_in_memory(tmp_path: Path) -> None:
    saved = test_llava_parity.save_theirs(tmp_path / "base", {})
    theirs = trained(saved.model, tmp_path / "adapter", r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"])
    inputs = test_llava_parity.given(saved, written.noise(28, 30))
    loaded = checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter")
    # Three layers of the tower have q_proj, and two of the decoder have both.
    assert len(loaded.report.adapted) == 3 + 2 * 2
    attached = loaded.model(**inputs).logits
    torch.testing.assert_close(attached, theirs(**inputs).logits, atol=1e-4, rtol=1e-4)
    merge_adapter(loaded.model)
    torch.testing.assert_close(loaded.model(**inputs).logits, attached, atol=1e-5, rtol=1e-5)
    checkpoints.merge(tmp_path / "base", tmp_path / "adapter", tmp_path / "merged")
    again = type(saved.model).from_pretrained(tmp_path / "merged").eval()
    torch.testing.assert_close(again(**inputs).logits, attached, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_what_we_train_on_llava_is_theirs(tmp_path: Path) -> None:
    saved = test_llava_parity.save_theirs(tmp_path / "base", {})
    ours = checkpoints.load(tmp_path / "base").model
    config = AdapterConfig(r=2, lora_alpha=4, target_modules=("o_proj",))
    for layer in new_adapter(ours, config):
        torch.nn.init.normal_(ours.get_submodule(layer).lora_B.weight, std=0.3)
    save_adapter(ours, tmp_path / "adapter", config, FAMILIES["llava"])
    theirs = peft.PeftModel.from_pretrained(saved.model, tmp_path / "adapter").eval()
    inputs = test_llava_parity.given(saved, written.noise(28, 30))
    torch.testing.assert_close(theirs(**inputs).logits, ours(**inputs).logits, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_whole_names_of_targets_are_those_of_the_file(tmp_path: Path) -> None:
    """A name as the reference has it in memory, which in LLaVA is not as published."""
    saved = test_llava_parity.save_theirs(tmp_path / "base", {})
    targets = ["model.language_model.layers.0.self_attn.q_proj", "model.multi_modal_projector.linear_1"]
    theirs = trained(saved.model, tmp_path / "adapter", r=2, lora_alpha=4, target_modules=targets)
    inputs = test_llava_parity.given(saved, written.noise(28, 30))
    ours = checkpoints.load(tmp_path / "base", adapter=tmp_path / "adapter").model
    torch.testing.assert_close(ours(**inputs).logits, theirs(**inputs).logits, atol=1e-4, rtol=1e-4)
