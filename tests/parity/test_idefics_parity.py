"""Idefics, an open Flamingo, against `transformers`: tiny random checkpoints and their processor, both ways."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import IdeficsConfig as HFConfig
from transformers import IdeficsForVisionText2Text as HFModel
from transformers import IdeficsProcessor as HFProcessor
from transformers.models.idefics.image_processing_pil_idefics import IdeficsImageProcessorPil

import tutti
from tests.parity import written
from tests.parity.written import close, noise
from tutti import checkpoints
from tutti.content import Image as ImagePart
from tutti.content import Message, Text
from tutti.engine.detokenizer import TextStream
from tutti.errors import InputError, ShapeMismatch, UnsupportedConfig, UnsupportedTask
from tutti.models.idefics.config import IdeficsConfig
from tutti.processing.prompt import Prompt

BASE = ["<fake_token_around_image>", "<image>"]
INSTRUCT = [*BASE, "<end_of_utterance>"]
WORDS = {len(marks): written.tokenizer(marks) for marks in (BASE, INSTRUCT)}
VOCABULARY = len(WORDS[2]) - 2
TOP: dict[str, Any] = {
    "vocab_size": VOCABULARY, "additional_vocab_size": 2, "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 4, "num_attention_heads": 4, "cross_layer_interval": 2, "qk_layer_norms": True,
    "use_resampler": True, "max_position_embeddings": 512,
}  # fmt: skip
VISION: dict[str, Any] = {
    "embed_dim": 24, "image_size": 28, "patch_size": 7, "intermediate_size": 40, "num_hidden_layers": 2,
    "num_attention_heads": 3,
}  # fmt: skip
RESAMPLER: dict[str, Any] = {
    "use_resampler": True, "resampler_n_latents": 5, "resampler_depth": 2, "resampler_n_heads": 3,
    "resampler_head_dim": 16, "qk_layer_norms_perceiver": True,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "HuggingFaceM4/idefics-9b": {},
    "HuggingFaceM4/idefics-80b-instruct": {"additional_vocab_size": 3, "rms_norm_eps": 1e-5, "cross_layer_interval": 4},
    "HuggingFaceM4/tiny-random-idefics": {
        "cross_layer_interval": 1, "qk_layer_norms": False, "alpha_type": "vector", "alpha_initializer": "ones",
        "resampler": {"qk_layer_norms_perceiver": False},
    },
    "no resampler": {"use_resampler": False, "rope_parameters": {"rope_type": "default", "rope_theta": 5e4}},
    "tied": {"tie_word_embeddings": True},
    "one table": {"vocab_size": VOCABULARY + 2, "additional_vocab_size": 0},
}  # fmt: skip
PICTURES = [noise(28, 90), noise(20, 25), noise(60, 61)]


class Saved(NamedTuple):
    """What `transformers` saved, and where."""

    model: HFModel
    processor: HFProcessor
    folder: Path


def save_theirs(folder: Path, case: dict[str, Any], **options: Any) -> Saved:
    values = TOP | {key: value for key, value in case.items() if key != "resampler"}
    config = HFConfig(**values, vision_config=VISION, perceiver_config=RESAMPLER | case.get("resampler", {}))
    model = HFModel(config).eval()
    written.draw(model)
    model.save_pretrained(folder, **options)
    words = WORDS[max(values["additional_vocab_size"], 2)]
    processor = HFProcessor(IdeficsImageProcessorPil(image_size=28), words)
    processor.save_pretrained(folder)
    return Saved(model, processor, folder)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_theirs(tmp_path_factory.mktemp("idefics") / "theirs", request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    return save_theirs(tmp_path_factory.mktemp("idefics") / "theirs", {})


Turns = Sequence[tuple[str, Sequence[Any]]]
CONVERSATIONS: dict[str, Turns] = {
    "words alone": [("user", [" what is this "])],
    "words first": [("user", ["what is this", PICTURES[0]])],
    "examples": [
        ("user", [PICTURES[0], "what is this"]),
        ("assistant", ["a cat"]),
        ("user", [PICTURES[1], PICTURES[2], "and these"]),
        ("assistant", ["dogs"]),
        ("user", [PICTURES[0], "and this one"]),
    ],
}


def theirs_for(saved: Saved, turns: Turns) -> dict[str, Any]:
    """Their inputs for a conversation, written as the model cards do."""
    end = "<end_of_utterance>" if "<end_of_utterance>" in saved.processor.tokenizer.get_vocab() else ""
    items: list[Any] = []
    for number, (role, pieces) in enumerate(turns):
        label = "\n" * bool(number) + role.capitalize() + ":"
        first, *rest = pieces
        items += [f"{label} {first.strip()}"] if isinstance(first, str) else [label, Image.fromarray(first)]
        items += [piece if isinstance(piece, str) else Image.fromarray(piece) for piece in rest]
        items.append(end)
    made = saved.processor(text=[[*items, "\nAssistant:"]], add_end_of_utterance_token=False, return_tensors="pt")
    return dict(made)


def ours_for(processor: Any, turns: Turns) -> Prompt:
    return processor.prompt(
        [(role, [x if isinstance(x, str) else processor.picture(x) for x in pieces]) for role, pieces in turns]
    )


@torch.inference_mode()
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_what_they_save_computes_the_same_here(saved: Saved, name: str) -> None:
    loaded = checkpoints.load(saved.folder)
    inputs = theirs_for(saved, CONVERSATIONS[name])
    theirs = saved.model(**inputs)
    close(loaded.model(**inputs).logits, theirs.logits)
    seen = saved.model.model.vision_model(inputs["pixel_values"][0]).last_hidden_state
    close(loaded.model.model.vision_model(inputs["pixel_values"][0]).last_hidden_state, seen)
    states = saved.model.model.perceiver_resampler(seen) if saved.model.config.use_resampler else seen
    for pixels, expected in zip(inputs["pixel_values"][0], states, strict=True):
        close(loaded.model.encode_media("image", {"pixel_values": pixels}), expected)
    if name == "words alone":
        words = {key: inputs[key] for key in ("input_ids", "attention_mask")}
        close(loaded.model(**words).logits, theirs.logits)
    assert loaded.report.newly_initialized == loaded.report.ignored == ()
    config = loaded.model.config
    assert config.parameters() == sum(parameter.numel() for parameter in loaded.model.parameters())


@torch.inference_mode()
def test_padded_texts_compute_the_same(plain: Saved) -> None:
    loaded = checkpoints.load(plain.folder)
    inputs = theirs_for(plain, CONVERSATIONS["examples"])
    cut = {key: torch.cat((value, value)) for key, value in inputs.items()}
    cut["attention_mask"] = cut["attention_mask"].clone()
    cut["attention_mask"][1, :7] = 0
    real = cut["attention_mask"].bool()
    close(loaded.model(**cut).logits[real], plain.model(**cut).logits[real])


@torch.inference_mode()
def test_greedy_answers_are_the_same(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    asked = [CONVERSATIONS["words alone"], CONVERSATIONS["examples"]]
    prompts = [ours_for(loaded.processor, turns) for turns in asked]
    expected = [written.their_greedy(saved.model, theirs_for(saved, turns)) for turns in asked]
    assert written.greedy(loaded.model, prompts) == expected
    assert expected[0] != expected[1]


@torch.inference_mode()
def test_what_we_save_computes_the_same_there(saved: Saved, tmp_path: Path) -> None:
    loaded = checkpoints.load(saved.folder)
    config = json.loads((saved.folder / "config.json").read_text())
    files = written.files_beside(saved.folder)
    checkpoints.save(loaded.model, tmp_path / "ours", config, files, max_shard_bytes=60_000)
    theirs, info = HFModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    inputs = theirs_for(saved, CONVERSATIONS["examples"])
    assert torch.equal(theirs.eval()(**inputs).logits, saved.model(**inputs).logits)


@torch.inference_mode()
def test_shards_and_half_precision_are_read(plain: Saved, tmp_path: Path) -> None:
    inputs = theirs_for(plain, CONVERSATIONS["examples"])
    expected = plain.model(**inputs).logits
    shards = save_theirs(tmp_path / "shards", {}, max_shard_size="60KB")
    assert len(list(shards.folder.glob("model-*.safetensors"))) > 2
    close(checkpoints.load(shards.folder).model(**inputs).logits, expected)
    weights = load_file(plain.folder / "model.safetensors")
    folder = shutil.copytree(plain.folder, tmp_path / "half")
    save_file({name: w.half() for name, w in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    loaded = checkpoints.load(folder)
    assert loaded.report.cast == {"float16 → float32": len(weights)}
    torch.testing.assert_close(loaded.model(**inputs).logits, expected, atol=2e-2, rtol=2e-2)


# Preprocessing.


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_tokens_and_who_looks_at_what_are_the_same(saved: Saved, name: str) -> None:
    processor = checkpoints.load(saved.folder).processor
    inputs, prompt = theirs_for(saved, CONVERSATIONS[name]), ours_for(processor, CONVERSATIONS[name])
    np.testing.assert_array_equal(prompt.input_ids, inputs["input_ids"][0])
    mask = np.zeros((len(prompt.input_ids), max(len(prompt.media), 1)), np.int64)
    for view in prompt.views:
        mask[view.first : view.stop, view.medium] = 1
    np.testing.assert_array_equal(mask, inputs["image_attention_mask"][0])
    places = [(start, start + medium.tokens) for start, medium in zip(prompt.starts, prompt.media, strict=True)]
    marks = {place for start, stop in places for place in range(start, stop)}
    special = {processor.tokenizer.token_id(token) for token in BASE}
    assert marks == {place for place, token in enumerate(prompt.input_ids.tolist()) if token in special}
    ends = {VOCABULARY + 2} if processor.tokenizer.vocab_size == VOCABULARY + 3 else set()
    assert processor.eos_ids == {2} | ends


def test_a_mark_that_someone_spells_out_stays_text(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    prompt = ours_for(processor, [("user", [PICTURES[0], "what is <image> </s>"])])
    assert prompt.input_ids.tolist().count(VOCABULARY + 1) == 1
    assert 2 not in prompt.input_ids
    for turns in ([], [("assistant", ["a"])], [("user", [])], [("user", [""])]):
        with pytest.raises(InputError, match="does not end with a user's turn"):
            processor.prompt(turns)


def test_what_comes_before_all_turns_is_written_plainly(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    prompt = processor.prompt([("system", ["be brief"]), ("user", ["one", "two"])])
    expected = plain.processor.tokenizer("be brief\nUser: one\ntwo\nAssistant:", add_special_tokens=True).input_ids
    assert prompt.input_ids.tolist() == expected


def test_pixels_are_the_same(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    for name, pixels, picture in written.odd_pictures():
        expected = plain.processor.image_processor(picture, return_tensors="np")
        np.testing.assert_allclose(
            processor.picture(pixels).arrays["pixel_values"], np.asarray(expected)[0], atol=1e-5, err_msg=name
        )


def test_the_settings_of_published_files_are_read(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "older")
    (folder / "processor_config.json").unlink()
    published = {
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_num_channels": 3, "image_size": 28,
        "image_std": [0.26862954, 0.26130258, 0.27577711], "image_processor_type": "IdeficsImageProcessor",
        "processor_class": "IdeficsProcessor",
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(published))
    assert checkpoints.load(folder).processor.images == checkpoints.load(plain.folder).processor.images


# The public surface.


def test_examples_are_turns_of_a_conversation(tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "theirs", {"additional_vocab_size": 3})
    turns = CONVERSATIONS["examples"]
    conversation = [
        Message(role, tuple(Text(piece) if isinstance(piece, str) else ImagePart(piece) for piece in pieces))
        for role, pieces in turns
    ]
    model = tutti.load(str(saved.folder))
    answer = model.ask(conversation, max_tokens=24)
    said = written.their_greedy(saved.model, theirs_for(saved, turns), tokens=24)
    ends = [place for place, token in enumerate(said) if token in {2, VOCABULARY + 2}]
    said = said[: ends[0]] if ends else said
    # Random bytes are no letters: they read as our stream reads them, whatever comes behind.
    stream = TextStream(model.provider.processor.decode)
    assert answer.text == "".join(map(stream.push, said)) + stream.finish()
    assert answer.usage.completion_tokens == len(said)
    # Two pictures stand side by side and share a token.
    assert answer.usage.media_tokens == 3 + 5 + 3
    assert model.ask(conversation, max_tokens=24).text == answer.text
    info = checkpoints.inspect(saved.folder)
    assert (info.family, info.tasks, info.context_length) == ("idefics", ("ask",), 512)
    assert info.media_tokens == {"image": {"picture": 3}}
    assert info.media_kv_bytes == {"image": {"picture": 2 * 2 * 5 * 32 * 4}}
    with pytest.raises(UnsupportedTask, match="given audio; tutti-mini answers questions about audio"):
        model.ask("what is this", tutti.Audio(np.zeros(800, np.float32), sample_rate_hz=16000))


# Published shapes, and strictness.

PUBLISHED: dict[str, Any] = {
    "additional_vocab_size": 2, "alpha_initializer": "zeros", "alpha_type": "float", "alphas_initializer_range": 0.0,
    "architectures": ["IdeficsForVisionText2Text"], "bos_token_id": 1, "cross_layer_activation_function": "swiglu",
    "cross_layer_interval": 4, "dropout": 0.0, "eos_token_id": 2, "freeze_lm_head": False, "freeze_text_layers": False,
    "freeze_text_module_exceptions": [], "freeze_vision_layers": False, "freeze_vision_module_exceptions": [],
    "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 11008,
    "max_position_embeddings": 2048, "max_sequence_length": 2048, "model_type": "idefics", "num_attention_heads": 32,
    "num_hidden_layers": 32, "pad_token_id": 0, "qk_layer_norms": True, "rms_norm_eps": 1e-06,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.28.0.dev0", "use_cache": True,
    "use_resampler": True, "vocab_size": 32000, "word_embed_proj_dim": 4096,
    "perceiver_config": {
        "model_type": "idefics_perciever", "qk_layer_norms_perceiver": True, "resampler_depth": 6,
        "resampler_head_dim": 96, "resampler_n_heads": 16, "resampler_n_latents": 64, "use_resampler": False,
    },
    "vision_config": {
        "attention_dropout": 0.0, "embed_dim": 1280, "hidden_act": "gelu", "image_size": 224, "initializer_factor": 1.0,
        "initializer_range": 0.02, "intermediate_size": 5120, "layer_norm_eps": 1e-05, "model_type": "idefics_vision",
        "num_attention_heads": 16, "num_channels": 3, "num_hidden_layers": 32, "patch_size": 14,
        "vision_model_name": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    },
}  # fmt: skip
SHAPE_80B = {
    "hidden_size": 8192, "intermediate_size": 22016, "num_attention_heads": 64, "num_hidden_layers": 80,
    "rms_norm_eps": 1e-05,
}  # fmt: skip


SHAPES: dict[str, tuple[dict[str, Any], float]] = {
    "HuggingFaceM4/idefics-9b": (PUBLISHED, 8.93),
    "HuggingFaceM4/idefics-9b-instruct": (PUBLISHED | {"additional_vocab_size": 3}, 8.93),
    "HuggingFaceM4/idefics-80b": (PUBLISHED | SHAPE_80B, 80.0),
    "HuggingFaceM4/idefics-80b-instruct": (PUBLISHED | SHAPE_80B | {"additional_vocab_size": 3}, 80.0),
}


@pytest.mark.parametrize(("values", "billions"), SHAPES.values(), ids=SHAPES.keys())
def test_published_shapes_are_read(values: dict[str, Any], billions: float) -> None:
    config = IdeficsConfig.from_hf(values)
    assert round(config.parameters() / 1e9, 2) == pytest.approx(billions, rel=0.01)
    assert (config.states, config.vision.tokens) == (64, 257)
    assert config.kv_bytes_per_state() == 2 * config.looking_layers * config.text.hidden_size * 4


def changed(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (changed("use_gates", value=True), UnsupportedConfig, "The idefics configuration has the unknown key 'use_g"),
        (changed("vision_config", "pool", value=1), UnsupportedConfig, "vision_config has the unknown key 'pool'"),
        (changed("perceiver_config", "pool", value=1), UnsupportedConfig, "perceiver_config has the unknown key"),
        (changed("perceiver_config", value=[]), UnsupportedConfig, r"perceiver_config is \[\]; expected an object"),
        (changed("perceiver_config", "resampler_depth", value=0), UnsupportedConfig, "resampler_depth is 0"),
        (changed("cross_layer_interval", value=3), UnsupportedConfig, "expected the second to divide the first"),
        (changed("cross_layer_interval", value="2"), UnsupportedConfig, "cross_layer_interval is '2'"),
        (changed("alpha_type", value="matrix"), UnsupportedConfig, "alpha_type is 'matrix'"),
        (changed("hidden_act", value="relu"), UnsupportedConfig, "hidden_act is 'relu'"),
        (changed("vision_config", "num_channels", value=1), UnsupportedConfig, "num_channels 1"),
        (changed("vision_config", "image_size", value=29), UnsupportedConfig, "do not make pictures of 29 x 29"),
        (changed("qk_layer_norms", value=False), Exception, "has 4 weights that the model lacks"),
        (changed("alpha_type", value="vector"), ShapeMismatch, "4 weights of another shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    plain: Saved, tmp_path: Path, change: Callable[[dict[str, Any]], None], error: type[Exception], sentence: str
) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "changed")
    values = json.loads((folder / "config.json").read_text())
    change(values)
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(error, match=sentence):
        checkpoints.load(folder)


def test_a_tokenizer_of_another_model_is_refused(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "other")
    WORDS[3].save_pretrained(folder)
    with pytest.raises(UnsupportedConfig, match=f"has {VOCABULARY + 3} tokens, and the model knows {VOCABULARY + 2}"):
        checkpoints.load(folder)
