"""Checkpoints with int8 and int4 weights: what becomes of them, how close they stay, and that folders keep them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import tutti
from tutti import checkpoints
from tutti.checkpoints.adapters import AdapterConfig, merge_adapter, new_adapter, save_adapter
from tutti.checkpoints.families import FAMILIES
from tutti.checkpoints.headers import Entry, read_folder
from tutti.checkpoints.inspection import describe
from tutti.cli.main import main
from tutti.cli.options import told_of_loading
from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine
from tutti.engine.passes import run_passes, undo_passes
from tutti.errors import CheckpointError, InputError, ShapeMismatch, UnsupportedConfig, UnsupportedTask
from tutti.models.layers.dispatch import int8_sums
from tutti.models.layers.linear import HeldEmbedding, QuantizedLinear
from tutti.models.layers.lora import LoRALinear
from tutti.processing.prompt import Prompt

MEDIA = Path(__file__).parents[2] / "examples" / "media"

WIDER = {
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "vocab_size": 128,
    "num_key_value_heads": 4,
}
QUANTIZED = {"int8", "int4"}
ROUNDED = 4 / int8_sums().levels
"""Largest relative error of logits that rounding activations to so many levels makes, and int8 weights to 127."""
AGREED = 1 - 12.7 / int8_sums().levels
"""Least share of tokens, of random models, that stay the likeliest."""


@pytest.fixture
def wide(tmp_path: Path, config: dict[str, Any], files: dict[str, str], build: Callable[..., Any]) -> Path:
    """A checkpoint in 16 bits that is wide enough for int4."""
    model = build(**WIDER)
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            torch.nn.init.normal_(parameter, std=0.08, generator=torch.Generator().manual_seed(len(name)))
    checkpoints.save(model, tmp_path / "wide", {**config, **WIDER}, files, dtype="float16")
    return tmp_path / "wide"


def logits(folder: Path, **options: Any) -> Tensor:
    ids = torch.randint(0, 128, (4, 24), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        out: Tensor = checkpoints.load(folder, **options).model(ids).logits
    return out


@pytest.mark.parametrize(("quantize", "bound", "agree"), [("int8", ROUNDED, AGREED), ("int4", 0.25, 0.6)])
def test_logits_stay_close(wide: Path, quantize: str, bound: float, agree: float) -> None:
    plain, found = logits(wide), logits(wide, quantize=quantize)
    assert 0 < float((found - plain).norm() / plain.norm()) < bound
    assert (found.argmax(-1) == plain.argmax(-1)).float().mean() > agree


def test_tutti_mini_stays_close_and_says_the_same_with_int8() -> None:
    ids = torch.randint(200, 30_000, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain, int8, int4 = (
            checkpoints.load("tutti-mini", quantize=q).model(ids).logits for q in (None, "int8", "int4")
        )
    assert float((int8 - plain).norm() / plain.norm()) < ROUNDED
    assert float((int4 - plain).norm() / plain.norm()) < 0.2
    picture, recording = tutti.Image(MEDIA / "picture.png"), tutti.Audio(MEDIA / "recording.ogg")
    asked = [(question, picture) for question in ("What animal is this?", "Is there a cat?", "Who took this picture?")]
    asked += [(question, recording) for question in ("What do you hear?", "Can you hear rain?", "Describe this.")]
    models = [tutti.load("tutti-mini", quantize=q) for q in (None, "int8")]
    said, same = ([model.ask(question, medium).text for question, medium in asked] for model in models)
    assert same == said
    assert len(set(said)) > 3


def test_what_the_report_says(wide: Path) -> None:
    loaded = checkpoints.load(wide, quantize="int4")
    assert loaded.report.quantized == {"lm_head": "int8", "model.layers": "int4", "everything else": "kept"}
    assert loaded.report.quantized == loaded.info.quantization
    assert loaded.report.memory_bytes == loaded.info.memory_bytes["int4"]
    assert isinstance(loaded.model.model.embed_tokens, HeldEmbedding)
    assert checkpoints.load(wide).report.quantized == {}


@pytest.mark.parametrize("quantize", ["int8", "int4"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_quantized_folder_keeps_everything(
    tmp_path: Path, wide: Path, files: dict[str, str], quantize: str, tied: bool
) -> None:
    config = json.loads((wide / "config.json").read_text())
    if tied:
        config["tie_word_embeddings"] = True
        (wide / "config.json").write_text(json.dumps(config))
        tensors = load_file(wide / "model.safetensors")
        del tensors["lm_head.weight"]
        save_file(tensors, wide / "model.safetensors")
    loaded = checkpoints.load(wide, quantize=quantize)
    run_passes(loaded.model)  # how a model runs must not show in what is kept of it
    checkpoints.save(loaded.model, tmp_path / "small", config, files, max_shard_bytes=40_000)
    assert len(list((tmp_path / "small").glob("*.safetensors"))) > 1
    again = checkpoints.load(tmp_path / "small")
    before, after = undo_passes(loaded.model).state_dict(), again.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(logits(tmp_path / "small"), logits(wide, quantize=quantize))
    info = checkpoints.inspect(tmp_path / "small")
    assert info.supported
    assert info.quantization == loaded.report.quantized == again.report.quantized == again.info.quantization
    assert loaded.report.memory_bytes == loaded.info.memory_bytes[quantize]
    # Of codes it tells what they stand for, and the memory of the one form in which they can be loaded.
    assert (info.parameters, info.parts) == (loaded.info.parameters, loaded.info.parts)
    assert info.memory_bytes == {"as stored": again.report.memory_bytes}
    with pytest.raises(InputError, match="is quantized already; load it without quantize"):
        checkpoints.load(tmp_path / "small", quantize="int8")


def test_a_quantized_folder_is_read_strictly(tmp_path: Path, wide: Path, files: dict[str, str]) -> None:
    loaded = checkpoints.load(wide, quantize="int4")
    small = tmp_path / "small"
    checkpoints.save(loaded.model, small, json.loads((wide / "config.json").read_text()), files)
    sound = load_file(small / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight_step"
    for tensors, kind, words in (
        ({key: value for key, value in sound.items() if key != name}, CheckpointError, f"lacks 1 weight .* {name}"),
        ({**sound, "x.weight_scale": torch.ones(3)}, CheckpointError, "has 1 weight that the model lacks"),
        ({**sound, name: torch.ones(192, 2, dtype=torch.uint8)}, ShapeMismatch, name),
        ({**sound, name: sound[name].to(torch.int8)}, CheckpointError, "is stored as I8"),
    ):
        save_file(tensors, small / "model.safetensors")
        with pytest.raises(kind, match=words.replace("(", ".").replace(" .* ", ".*")):
            checkpoints.load(small)


def test_codes_that_cannot_be_are_told_of(tmp_path: Path, wide: Path, files: dict[str, str]) -> None:
    small, name = tmp_path / "small", "model.layers.0.mlp.up_proj.weight"
    checkpoints.shrink(wide, small, "int4")
    tensors = load_file(small / "model.safetensors")
    save_file({**tensors, name: tensors[name][:, :20].contiguous()}, small / "model.safetensors")
    sentence = f"{name} is stored as int4, which its 40 columns do not allow; it is damaged."
    info = checkpoints.inspect(small)
    assert (info.supported, info.reason) == (False, sentence)
    with pytest.raises(CheckpointError, match="of another shape"):
        checkpoints.load(small)


def test_quantized_loading_does_not_import_torchs_compiler(tmp_path: Path, wide: Path) -> None:
    checkpoints.shrink(wide, tmp_path / "small", "int4")
    code = (
        "import sys; from tutti import checkpoints; checkpoints.load(sys.argv[1]); "
        "checkpoints.load(sys.argv[2], quantize='int8'); assert not {'torch._dynamo', 'sympy'} & {*sys.modules}"
    )
    source = str(Path(__file__).parents[2] / "src")
    subprocess.run([sys.executable, "-c", code, tmp_path / "small", wide], check=True, env={"PYTHONPATH": source})


def test_a_quantized_folder_is_inspected_without_torch(tmp_path: Path, wide: Path) -> None:
    checkpoints.shrink(wide, tmp_path / "small", "int4")
    code = (
        "import sys; from tutti.cli.main import main; main(['inspect', sys.argv[1]]); "
        "heavy = {'torch', 'numpy', 'safetensors', 'tokenizers', 'PIL'} & {*sys.modules}; assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "small")], check=True, capture_output=True, text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip
    lines = dict(line.split(None, 1) if ".as stored" not in line else ("memory", line.split()[-1])
                 for line in done.stdout.splitlines())  # fmt: skip
    plain = checkpoints.inspect(wide)
    assert lines["parameters"] == f"{plain.parameters:,}"
    assert lines["memory"] == f"{plain.memory_bytes['int4']:,}"
    assert "float16" not in done.stdout


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes", None])
def test_other_ways_of_quantizing_are_refused(edit_config: Callable[..., Path], method: str | None) -> None:
    folder = edit_config(quantization_config={"quant_method": method, "bits": 4})
    sentence = f"The checkpoint is quantized by {method!r}, in a form that is not read here"
    with pytest.raises(UnsupportedConfig, match=sentence):
        checkpoints.load(folder)
    info = checkpoints.inspect(folder)
    assert sentence in (info.reason or "")
    assert info.memory_bytes == {}, "what others packed is not known here"


def test_what_cannot_be_combined(wide: Path) -> None:
    with pytest.raises(InputError, match="quantized layers compute in float32"):
        checkpoints.load(wide, quantize="int8", dtype="bfloat16")
    with pytest.raises(InputError, match="none can start afresh"):
        checkpoints.load(wide, quantize="int8", new_weights=("lm_head",))


@torch.inference_mode()
@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_an_adapter_goes_beside_codes_and_not_into_them(wide: Path, tmp_path: Path, quantize: str) -> None:
    plain = checkpoints.load(wide).model
    config = AdapterConfig(r=4, lora_alpha=8, target_modules=("q_proj", "v_proj", "down_proj"))
    for layer in new_adapter(plain, config):
        torch.nn.init.normal_(plain.get_submodule(layer).lora_B.weight, std=0.2)
    save_adapter(plain, tmp_path / "adapter", config, FAMILIES["llama"])
    checkpoints.shrink(wide, tmp_path / "small", quantize)
    found = [
        logits(wide, quantize=quantize, adapter=tmp_path / "adapter"),
        logits(tmp_path / "small", adapter=tmp_path / "adapter"),
    ]
    assert torch.equal(*found)
    loaded = checkpoints.load(tmp_path / "small", adapter=tmp_path / "adapter")
    assert set(loaded.report.adapted) == {f"model.layers.{i}.{n}" for i in (0, 1) for n in
                                          ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")}  # fmt: skip
    # By hand: what the codes stand for and the change, in a plain model.
    by_hand = checkpoints.load(wide).model
    for name, layer in loaded.model.named_modules():
        if isinstance(layer, LoRALinear):
            base = cast("QuantizedLinear", layer.base_layer)
            whole = base.kernel.codes().dequantized() + layer.change()
            by_hand.get_submodule(name).weight = torch.nn.Parameter(whole)
        elif isinstance(layer, QuantizedLinear) and not name.endswith("base_layer"):
            by_hand.get_submodule(name).weight = torch.nn.Parameter(layer.kernel.codes().dequantized())
    ids = torch.randint(0, 128, (4, 24), generator=torch.Generator().manual_seed(0))
    wanted = by_hand(ids).logits
    assert float((found[0] - wanted).norm() / wanted.norm()) < ROUNDED  # activations are rounded, too
    assert float((logits(wide, quantize=quantize) - wanted).norm() / wanted.norm()) > 0.3
    run_passes(loaded.model)
    torch.testing.assert_close(loaded.model(ids).logits, found[1], atol=1e-4, rtol=1e-4)
    with pytest.raises(InputError, match="is quantized and cannot be merged into"):
        merge_adapter(loaded.model)
    with pytest.raises(InputError, match="is quantized, and codes take up no change; merge into the plain checkpoint"):
        checkpoints.merge(tmp_path / "small", tmp_path / "adapter", tmp_path / "merged")


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_the_shell_writes_a_quantized_folder(
    wide: Path, tmp_path: Path, quantize: str, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small"
    assert main(["convert", str(wide), "--quantize", quantize, "--into", str(small), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    info = checkpoints.inspect(small)
    assert (done["bytes_before"], done["bytes"]) == (checkpoints.inspect(wide).bytes, info.bytes)
    assert done["quantization"] == info.quantization
    wider = [name for name, entry in read_folder(small).items() if entry.dtype == "F32"]
    assert all(name.endswith(".weight_scale") for name in wider), "what is kept goes back in its 16 bits"
    assert torch.equal(logits(small), logits(wide, quantize=quantize))
    assert {file.name for file in small.iterdir()} == {file.name for file in wide.iterdir()}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["WIDE", "--into", "OUT"], "give --quantize int8 or"),
        (["WIDE", "--into", "WIDE", "--quantize", "int8"], "is the model itself"),
        (["WIDE", "--into", "OUT", "--quantize", "int3"], "expected one of int8, int4"),
        (["WIDE", "--into", "OUT", "--quantize", "int8", "--config", "x"], "are for other layouts"),
        (["x.pth", "--into", "OUT", "--quantize", "int8"], "is a pickle"),
        (["nowhere", "--into", "OUT", "--quantize", "int8"], "There is no model"),
        (["WIDE", "--into", "FULL", "--quantize", "int8"], "is not a checkpoint; it is left alone"),
        (["CODES", "--into", "OUT", "--quantize", "int8"], "is quantized already; convert the checkpoint that it was"),
    ],
)
def test_what_the_shell_does_not_write(
    wide: Path, tmp_path: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.doc").touch()
    places = {"WIDE": wide, "OUT": tmp_path / "out", "FULL": tmp_path / "full", "CODES": tmp_path / "codes"}
    if "CODES" in words:
        checkpoints.shrink(wide, tmp_path / "codes", "int4")
    assert main(["convert", *(str(places.get(word, word)) for word in words)]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_who_asks_is_told_how_far_loading_is(
    wide: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int]] = []
    for quantize in (None, "int4"):
        told.clear()
        loaded = checkpoints.load(wide, quantize=quantize, told=lambda *one: told.append(one))
        done = [read for read, _ in told]
        assert {total for _, total in told} == {loaded.report.bytes}
        assert done == sorted(done)
        assert done[-1] == loaded.report.bytes
        assert len(done) == loaded.report.loaded
    assert told_of_loading() is None  # no terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show = told_of_loading()
    assert show is not None
    for done_bytes, total in ((3, 9), (1_500_000_000, 13_500_000_000), (13_500_000_000, 13_500_000_000)):
        show(done_bytes, total)
    assert capsys.readouterr().err == "\r\x1b[Kreading weights: 1.5 of 13.5 GB\r\r\x1b[K\r"


def test_weights_that_are_not_finite(wide: Path) -> None:
    tensors = load_file(wide / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][5, 5] = torch.inf
    save_file(tensors, wide / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"up_proj\.weight holds values that are not finite"):
        checkpoints.load(wide, quantize="int4")


def test_a_model_without_a_decoder(monkeypatch: pytest.MonkeyPatch, wide: Path) -> None:
    from dataclasses import replace

    monkeypatch.setitem(FAMILIES, "llama", replace(FAMILIES["llama"], decoder_blocks=(), outputs=()))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedTask, match=r"has no decoder.*int8\+trunks"):
        checkpoints.load(wide, quantize="int8")
    loaded = checkpoints.load(wide, quantize="int8+trunks")
    assert sum(isinstance(one, QuantizedLinear) for one in loaded.model.modules()) == 2 * 7


def test_memory_of_llava_7b() -> None:
    """From the shapes alone: how much of its 16 bits LLaVA-1.5-7B takes."""
    sixteen_bits, memory = _llava_7b()
    assert memory["int8"] / sixteen_bits <= 0.55
    assert memory["int4"] / sixteen_bits <= 0.32


def _llava_7b() -> tuple[int, dict[str, int]]:
    tower = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
             "image_size": 336, "patch_size": 14, "projection_dim": 768, "model_type": "clip_vision_model"}  # fmt: skip
    config = {
        "model_type": "llava", "text_config": {"model_type": "llama", "vocab_size": 32064}, "vision_config": tower,
        "image_token_index": 32000, "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
    }  # fmt: skip
    with torch.device("meta"):
        model = FAMILIES["llava"].model(FAMILIES["llava"].config(config))
    entries, place = {}, 0
    for name, tensor in model.state_dict().items():
        size = 2 * tensor.numel()
        entries[name] = Entry(name, "F16", tuple(tensor.shape), Path("model.safetensors"), place, place + size)
        place += size
    info = describe(Path("/nowhere"), config, entries)
    assert info.supported, info.reason
    return place, dict(info.memory_bytes)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_the_engine_gives_what_the_whole_model_gives(wide: Path, quantize: str) -> None:
    model = run_passes(checkpoints.load(wide, quantize=quantize).model)
    engine = Engine(model, eos_ids=(), detokenize=lambda _: "", capacity=Capacity(max_running=4, step_tokens=9))  # type: ignore[arg-type]
    prompts = [torch.randint(0, 128, (length,)).numpy() for length in (5, 23)]
    requests = [engine.submit(Prompt(ids), SamplingOptions(max_tokens=8)) for ids in prompts]
    while engine.step():
        pass
    for ids, request in zip(prompts, requests, strict=True):
        whole = torch.tensor([*ids.tolist(), *request.token_ids])
        with torch.inference_mode():
            scores = model(whole[None]).logits[0, len(ids) - 1 : -1]
        best = scores.max(-1).values
        chosen = scores.gather(1, whole[len(ids) :, None])[:, 0]
        assert (best - chosen).max() < 0.1 * scores.std()
