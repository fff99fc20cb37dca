"""Loading: strict in both directions, with exact sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from tutti import checkpoints
from tutti.checkpoints import families
from tutti.checkpoints.family import Family
from tutti.errors import (
    CheckpointError,
    InputError,
    MissingWeights,
    ShapeMismatch,
    UnexpectedWeights,
    UnsafeCheckpoint,
    UnsupportedConfig,
)
from tutti.models.omni.config import OmniConfig
from tutti.models.omni.model import Omni

Edit = Callable[..., Path]


def _change(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def _sentence(folder: Path, kind: type[Exception], **options: Any) -> str:
    with pytest.raises(kind) as caught:
        checkpoints.load(folder, **options)
    assert type(caught.value) is kind
    return str(caught.value)


def test_the_weights_of_the_file_are_the_weights_of_the_model(folder: Path) -> None:
    loaded = checkpoints.load(folder)
    stored = load_file(folder / "model.safetensors")
    state = loaded.model.state_dict()
    assert set(state) == set(stored)
    assert all(torch.equal(state[name], stored[name]) for name in stored)
    assert not loaded.model.training
    assert loaded.report.loaded == len(stored)
    assert loaded.report.cast == {}
    assert loaded.report.newly_initialized == ()
    assert loaded.report.bytes == loaded.info.bytes == sum(tensor.nbytes for tensor in stored.values())
    assert loaded.report.seconds > 0
    assert loaded.processor.tokenizer.encode("dog") == [0]


def test_a_folder_written_by_the_reference_gives_its_numbers(
    tmp_path: Path, config: dict[str, Any], files: dict[str, str]
) -> None:
    torch.manual_seed(3)
    reference = LlamaForCausalLM(LlamaConfig(**config)).eval()
    reference.save_pretrained(tmp_path, max_shard_size="8KB")
    (tmp_path / "generation_config.json").unlink()
    (tmp_path / "tokenizer.json").write_text(files["tokenizer.json"])
    assert (tmp_path / "model.safetensors.index.json").exists()
    ids = torch.arange(10)[None]
    with torch.inference_mode():
        expected, found = reference(ids).logits, checkpoints.load(tmp_path).model(ids).logits
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_casts_are_reported(folder: Path, dtype: str) -> None:
    loaded = checkpoints.load(folder, dtype=dtype)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {getattr(torch, dtype)}
    assert loaded.report.cast == {f"float32 → {dtype}": loaded.report.loaded}


def test_writing_to_a_loaded_model_leaves_the_file_alone(folder: Path) -> None:
    before = (folder / "model.safetensors").read_bytes()
    model = checkpoints.load(folder).model
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert (folder / "model.safetensors").read_bytes() == before


def test_missing_weights(folder: Path) -> None:
    _change(folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if "layers.1" in name])
    assert _sentence(folder, MissingWeights) == (
        "The checkpoint lacks 9 weights of the model (model.layers.1.self_attn.q_proj.weight, "
        "model.layers.1.self_attn.k_proj.weight, model.layers.1.self_attn.v_proj.weight, "
        "model.layers.1.self_attn.o_proj.weight, model.layers.1.mlp.gate_proj.weight and 4 more); "
        "it is incomplete or of another model."
    )


def test_unexpected_weights(folder: Path) -> None:
    _change(folder, lambda tensors: tensors.update(extra=torch.zeros(1)))
    assert _sentence(folder, UnexpectedWeights) == (
        "The checkpoint has 1 weight that the model lacks (extra); its config.json is of another model."
    )


def test_misshapen_weights(folder: Path) -> None:
    _change(folder, lambda tensors: tensors.update({"lm_head.weight": torch.zeros(31, 16)}))
    assert _sentence(folder, ShapeMismatch) == (
        "The checkpoint has 1 weight of another shape than the model (lm_head.weight [31, 16] for [32, 16]); "
        "its config.json is of another model."
    )


def test_whole_numbers_in_the_place_of_weights(folder: Path) -> None:
    _change(folder, lambda tensors: tensors.update({"lm_head.weight": torch.zeros(32, 16, dtype=torch.int8)}))
    assert _sentence(folder, CheckpointError) == (
        "lm_head.weight is stored as I8, but the model needs it as float32; "
        "the checkpoint is quantized in a way that is not known here."
    )


def test_a_truncated_file(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-4])
    assert _sentence(folder, CheckpointError) == (
        f"model.safetensors has {len(content) - 4:,} bytes, but its header describes {len(content):,}; "
        "it is cut off or damaged."
    )


def test_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "holds its weights as a pickle (pytorch_model.bin)" in _sentence(folder, UnsafeCheckpoint)


def test_an_unknown_family(edit_config: Edit) -> None:
    folder = edit_config(model_type="gpt5")
    expected = f"config.json is of model_type 'gpt5'; known are {', '.join(sorted(families.FAMILIES))}."
    assert _sentence(folder, UnsupportedConfig) == expected


@pytest.mark.parametrize("model_type", [None, 3, ["llama"], "tutti.models.llama", "os"])
def test_a_family_is_looked_up_and_never_imported(edit_config: Edit, model_type: object) -> None:
    assert "known are clip, " in _sentence(edit_config(model_type=model_type), UnsupportedConfig)


def test_an_unknown_key(edit_config: Edit) -> None:
    folder = edit_config(sliding_window=8)
    assert "The llama configuration has the unknown key 'sliding_window'" in _sentence(folder, UnsupportedConfig)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "preprocessor_config.json"])
def test_code_of_the_checkpoints_own(folder: Path, config: dict[str, Any], file: str) -> None:
    (folder / file).write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))
    assert _sentence(folder, UnsafeCheckpoint) == (
        f"{file} asks to run code of the checkpoint's own (auto_map), which Tutti never does; "
        "use a checkpoint of a family it knows."
    )


def test_a_folder_without_a_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert _sentence(folder, CheckpointError) == (
        f"{folder} has no config.json; expected a checkpoint in the Hugging Face layout."
    )


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert _sentence(tmp_path, CheckpointError) == (
        f"{tmp_path} is an adapter; name the model that it is for, and give it as the adapter."
    )


def test_a_folder_without_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    sentence = _sentence(folder, InputError)
    assert f"There is no {folder / 'tokenizer.json'}" in sentence
    assert "AutoTokenizer.from_pretrained" in sentence


def test_options_that_are_not_there(folder: Path) -> None:
    sentence = _sentence(folder, InputError, dtype="float8")
    assert sentence == "dtype is 'float8'; expected one of auto, float32, float16, bfloat16."
    sentence = _sentence(folder, InputError, quantize="int2")
    assert sentence == "quantize is 'int2'; expected one of int8, int4, int8+trunks, int4+trunks, int4+trunks4."


def _layer_norms() -> list[str]:
    names = ("input_layernorm", "post_attention_layernorm")
    return [f"model.layers.{layer}.{name}.weight" for layer in (0, 1) for name in names]


def test_named_parts_may_start_afresh(folder: Path) -> None:
    kept = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    _change(
        folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if "lm_head" in name or "norm" in name]
    )
    options = {"new_weights": ("lm_head", "model.norm")}
    assert _sentence(folder, MissingWeights, **options).startswith("The checkpoint lacks 4 weights of the model")
    norms = {name: torch.ones(16) for name in _layer_norms()}
    _change(folder, lambda tensors: tensors.update(norms))
    loaded = checkpoints.load(folder, dtype="bfloat16", **options)
    assert set(loaded.report.newly_initialized) == {"lm_head.weight", "model.norm.weight"}
    state = loaded.model.state_dict()
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}
    assert (state["model.norm.weight"] == 1).all()
    assert state["lm_head.weight"].float().std() > 0
    assert torch.equal(state["model.embed_tokens.weight"], kept.bfloat16())


def test_a_new_part_that_the_model_lacks(folder: Path) -> None:
    assert _sentence(folder, InputError, new_weights=("lm_hea",)) == (
        "new_weights names 'lm_hea', but the model has no weight or module of that name."
    )


def test_tied_weights_are_one(
    tmp_path: Path, config: dict[str, Any], files: dict[str, str], build: Callable[..., Any]
) -> None:
    tied = {**config, "tie_word_embeddings": True}
    checkpoints.save(build(tie_word_embeddings=True), tmp_path / "tied", tied, files)
    stored = load_file(tmp_path / "tied" / "model.safetensors")
    assert "lm_head.weight" not in stored
    model: Any = checkpoints.load(tmp_path / "tied").model
    assert model.lm_head.weight is model.model.embed_tokens.weight
    _change(
        tmp_path / "tied", lambda tensors: tensors.update({"lm_head.weight": stored["model.embed_tokens.weight"] * 1})
    )
    model = checkpoints.load(tmp_path / "tied").model
    assert model.lm_head.weight is model.model.embed_tokens.weight
    _change(tmp_path / "tied", lambda tensors: tensors["lm_head.weight"].add_(1))
    assert _sentence(tmp_path / "tied", CheckpointError) == (
        "lm_head.weight differs from model.embed_tokens.weight, but config.json says that they are one weight."
    )


def test_a_family_that_keeps_what_is_not_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.model, self.lm_head = inner.get_submodule("model"), inner.get_submodule("lm_head")
            self.register_buffer("cosines", torch.ones(3), persistent=False)

    family = families.FAMILIES["llama"]
    forgetful = replace(family, model=lambda config: Forgetful(family.model(config)))
    monkeypatch.setitem(cast("dict[str, Family]", families.FAMILIES), "llama", forgetful)
    assert (
        _sentence(folder, CheckpointError)
        == "1 weight of the model got no value (cosines); its family cannot be loaded."
    )


def test_loading_does_not_import_torchs_compiler(folder: Path) -> None:
    source = str(Path(__file__).parents[2] / "src")
    code = (
        "import sys; from tutti import checkpoints; checkpoints.load(sys.argv[1]); "
        "assert not {'torch._dynamo', 'sympy'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env={"PYTHONPATH": source})


def test_names_of_nothing() -> None:
    for name, sentence in {
        "mini-tutti": "There is no model 'mini-tutti'; expected tutti-mini, whisper-base, the folder of a checkpoint, "
        'or a hub id such as "organization/name".',
        "no-such/model": "There is no folder no-such/model, and the hub's checkpoint of that name cannot be had "
        "(LocalEntryNotFoundError); check the name and the connection, or give a folder.",
    }.items():
        with pytest.raises(CheckpointError) as caught:
            checkpoints.load(name)
        assert str(caught.value) == sentence


def test_a_file_for_a_folder(folder: Path) -> None:
    assert _sentence(folder / "config.json", CheckpointError) == (
        f"{folder / 'config.json'} is a file; expected the folder of a checkpoint, with config.json in it."
    )


def test_a_hub_checkpoint_is_fetched_without_code_or_pickles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def snapshot(hub_id: str, *, allow_patterns: list[str]) -> str:
        asked.update(id=hub_id, patterns=allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert checkpoints.load("someone/tiny.1").info.path == str(folder)
    assert asked["id"] == "someone/tiny.1"
    assert not any(
        Path(name).match(pattern) for name in ("model.py", "pytorch_model.bin") for pattern in asked["patterns"]
    )


def test_a_model_of_many_media_comes_back(
    tmp_path: Path, omni_config: dict[str, Any], omni_settings: dict[str, Any], files: dict[str, str]
) -> None:
    torch.manual_seed(1)
    model = Omni(OmniConfig.from_hf(omni_config))
    model.words.table.random_(-127, 128)
    everything = {**files, "preprocessor_config.json": json.dumps(omni_settings)}
    checkpoints.save(model, tmp_path / "omni", omni_config, everything, dtype="float16")
    loaded = checkpoints.load(tmp_path / "omni")
    state = loaded.model.state_dict()
    for name, tensor in model.state_dict().items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor.half().float() if tensor.is_floating_point() else tensor)
    assert loaded.info.tasks == ("ask", "embed", "classify")
    assert loaded.processor.picture(np.zeros((9, 5, 3), np.uint8)).tokens == 16
    (tmp_path / "omni" / "preprocessor_config.json").write_text("{}")
    assert "preprocessor_config.json has the keys" in _sentence(tmp_path / "omni", UnsupportedConfig)


def test_keys_that_change_nothing_are_recorded(edit_config: Edit) -> None:
    notes = {"pruned_heads": {}, "unsloth_version": "2025.3.19", "_commit": "abc", "heads_of_later": None}
    loaded = checkpoints.load(edit_config(**notes))
    assert loaded.report.unread == ("_commit", "heads_of_later", "pruned_heads", "unsloth_version")
    for changed in ({"pruned_heads": {"1": [0]}}, {"heads_of_later": False}, {"heads_of_later": 2}):
        name = next(iter(changed))
        assert f"has the unknown key {name!r}" in _sentence(edit_config(**notes | changed), UnsupportedConfig)


def test_names_of_a_compiled_model_are_read(folder: Path) -> None:
    expected = checkpoints.load(folder).model.state_dict()
    _change(folder, lambda tensors: [tensors.update({f"_orig_mod.{n}": tensors.pop(n)}) for n in list(tensors)])
    found = checkpoints.load(folder).model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_another_head_is_refused_by_name(edit_config: Edit) -> None:
    for name in ("LlamaForSequenceClassification", "LlamaForTokenClassification", "LlamaForQuestionAnswering"):
        folder = edit_config(architectures=[name])
        sentence = _sentence(folder, UnsupportedConfig)
        assert sentence == (
            f"config.json is of {name}; of model_type 'llama' models with a head for CausalLM are read."
        )
        assert checkpoints.inspect(folder).reason == sentence
    for names in (["LlamaForCausalLM"], ["LlamaModel"], [], None, ["MyLlamaForCausalLM"]):
        checkpoints.load(edit_config(architectures=names))
