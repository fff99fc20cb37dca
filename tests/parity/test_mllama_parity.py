"""Llama-3.2-Vision against `transformers`: tiny random checkpoints and their processor, both ways."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MllamaConfig as HFConfig
from transformers import MllamaForConditionalGeneration as HFModel
from transformers import MllamaProcessor as HFProcessor
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

import tutti
from tests.parity import written
from tests.parity.written import close, noise
from tutti import checkpoints
from tutti.content import Image as ImagePart
from tutti.content import Message, Text
from tutti.engine.detokenizer import TextStream
from tutti.errors import InputError, MissingWeights, UnsupportedConfig, UnsupportedTask
from tutti.models.mllama.config import MllamaConfig
from tutti.processing.mllama import Tiles
from tutti.processing.prompt import Prompt

TEMPLATE = """{{ bos_token }}
{%- set pictures = namespace(any=false) %}
{%- for message in messages %}{% for item in message['content'] %}
    {%- if item['type'] == 'image' %}{% set pictures.any = true %}{% endif %}
{%- endfor %}{% endfor %}
{%- if messages[0]['role'] == 'system' %}
    {%- if pictures.any %}{{ raise_exception('no system message beside images') }}{% endif %}
    {{- '<|head|>system\\n\\n' + messages[0]['content'] | trim + '<|eot|>' }}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- for message in messages %}
    {{- '<|head|>' + message['role'] + '\\n\\n' }}
    {%- if message['content'] is string %}{{ message['content'] }}{% else %}
        {%- for item in message['content'] %}
            {%- if item['type'] == 'image' %}{{ '<|image|>' }}{% else %}{{ item['text'] }}{% endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|head|>assistant\\n\\n' }}{% endif %}"""
WORDS = written.tokenizer(["<|head|>", "<|eot|>", "<|image|>"], TEMPLATE)
IMAGE_ID = WORDS.convert_tokens_to_ids("<|image|>")
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
TEXT: dict[str, Any] = {
    "vocab_size": IMAGE_ID, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 5,
    "num_attention_heads": 6, "num_key_value_heads": 2, "cross_attention_layers": [1, 3],
    "max_position_embeddings": 512, "rope_parameters": LLAMA3, "bos_token_id": 1, "eos_token_id": [2, IMAGE_ID - 1],
    "pad_token_id": 0,
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 4, "num_global_layers": 2, "attention_heads": 4, "intermediate_size": 40,
    "image_size": 28, "patch_size": 7, "intermediate_layers_indices": [1, 3], "vision_output_dim": 96,
}  # fmt: skip
TWO_TILES = {"max_num_tiles": 2, "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]]}
CASES: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.2-11B-Vision": {},
    "meta-llama/Llama-3.2-90B-Vision, more that look": {
        "text": {"num_hidden_layers": 6, "cross_attention_layers": [0, 3, 4], "num_key_value_heads": 3},
        "vision": {"intermediate_layers_indices": [0, 1, 2], "vision_output_dim": 128},
    },
    "two tiles, plain positions, other patches": {
        "text": {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}, "num_key_value_heads": 6},
        "vision": {"patch_size": 14, "norm_eps": 1e-3, **TWO_TILES},
    },
}
PICTURES = [noise(28, 90), noise(20, 25), noise(60, 61), noise(90, 28)]
"""Three tiles, one, four and three."""


class Saved(NamedTuple):
    """What `transformers` saved, and where."""

    model: HFModel
    processor: HFProcessor
    folder: Path


def save_theirs(folder: Path, case: dict[str, Any], **options: Any) -> Saved:
    vision = VISION | case.get("vision", {})
    config = HFConfig(text_config=TEXT | case.get("text", {}), vision_config=vision, image_token_index=IMAGE_ID)
    model = HFModel(config).eval()
    written.draw(model)
    model.save_pretrained(folder, **options)
    images = MllamaImageProcessorPil(
        size={"height": 28, "width": 28}, max_image_tiles=vision.get("max_num_tiles", 4),
        image_mean=[0.48, 0.46, 0.41], image_std=[0.27, 0.26, 0.28],
    )  # fmt: skip
    processor = HFProcessor(images, WORDS, chat_template=TEMPLATE)
    processor.save_pretrained(folder)
    return Saved(model, processor, folder)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_theirs(tmp_path_factory.mktemp("mllama") / "theirs", request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    return save_theirs(tmp_path_factory.mktemp("mllama") / "theirs", {})


Turns = Sequence[tuple[str, Sequence[Any]]]
CONVERSATIONS: dict[str, Turns] = {
    "words alone": [("system", ["be brief "]), ("user", ["what is this"])],
    "a picture": [("user", [PICTURES[0], "what is this"])],
    "words first": [("user", ["here it is:", PICTURES[1], "a cat?"])],
    "examples": [
        ("user", [PICTURES[0], "what is this"]),
        ("assistant", ["a cat"]),
        ("user", [PICTURES[1], PICTURES[2], PICTURES[3], "and these"]),
        ("assistant", ["dogs"]),
        ("user", [PICTURES[0], "and this one"]),
    ],
}


def theirs_for(saved: Saved, turns: Turns) -> dict[str, Any]:
    """Their inputs for a conversation."""
    messages = [
        {
            "role": role,
            "content": pieces[0]
            if role == "system"
            else [{"type": "text", "text": x} if isinstance(x, str) else {"type": "image"} for x in pieces],
        }
        for role, pieces in turns
    ]
    text = saved.processor.apply_chat_template(messages, add_generation_prompt=True)
    pictures = [piece for _, pieces in turns for piece in pieces if not isinstance(piece, str)]
    inputs = saved.processor(
        text=[text], images=[pictures] if pictures else None, add_special_tokens=False, return_tensors="pt"
    )
    return dict(inputs)


def ours_for(processor: Any, turns: Turns) -> Prompt:
    return processor.prompt(
        [(role, [x if isinstance(x, str) else processor.picture(x) for x in pieces]) for role, pieces in turns]
    )


@torch.inference_mode()
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_what_they_save_computes_the_same_here(saved: Saved, name: str) -> None:
    loaded = checkpoints.load(saved.folder)
    inputs = theirs_for(saved, CONVERSATIONS[name])
    theirs = saved.model(**inputs, output_hidden_states=True)
    close(loaded.model(**inputs).logits, theirs.logits)
    if "pixel_values" in inputs:
        seen = saved.model.model.multi_modal_projector(theirs.image_outputs.last_hidden_state)
        for index, states in enumerate(seen[0]):
            arrays = {key: inputs[key][0, index] for key in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")}
            close(loaded.model.encode_media("image", arrays), states.flatten(0, 1))
    assert loaded.report.newly_initialized == loaded.report.ignored == ()
    config = loaded.model.config
    assert config.parameters() == sum(parameter.numel() for parameter in loaded.model.parameters())


@torch.inference_mode()
def test_padded_texts_compute_the_same(plain: Saved) -> None:
    loaded = checkpoints.load(plain.folder)
    inputs = theirs_for(plain, CONVERSATIONS["a picture"])
    cut = {key: torch.cat((value, value)) for key, value in inputs.items()}
    cut["attention_mask"] = cut["attention_mask"].clone()
    cut["attention_mask"][1, :4] = 0
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
    inputs = theirs_for(saved, CONVERSATIONS["a picture"])
    assert torch.equal(theirs.eval()(**inputs).logits, saved.model(**inputs).logits)
    assert (
        load_file(next((tmp_path / "ours").glob("model-00001*"))).keys()
        <= load_file(saved.folder / "model.safetensors").keys()
    )


@torch.inference_mode()
def test_shards_half_precision_and_later_names_are_read(plain: Saved, tmp_path: Path) -> None:
    inputs = theirs_for(plain, CONVERSATIONS["a picture"])
    expected = plain.model(**inputs).logits
    shards = save_theirs(tmp_path / "shards", {}, max_shard_size="60KB")
    assert len(list(shards.folder.glob("model-*.safetensors"))) > 2
    close(checkpoints.load(shards.folder).model(**inputs).logits, expected)
    folder = shutil.copytree(plain.folder, tmp_path / "renamed")
    renames = {
        "language_model.model.": "model.language_model.",
        "language_model.lm_head.": "lm_head.",
        "vision_model.": "model.vision_model.",
        "multi_modal_projector.": "model.multi_modal_projector.",
    }
    weights = load_file(folder / "model.safetensors")
    for old, new in renames.items():
        weights = {new + name.removeprefix(old) if name.startswith(old) else name: w for name, w in weights.items()}
    save_file({name: w.half() for name, w in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    loaded = checkpoints.load(folder)
    assert loaded.report.cast == {"float16 → float32": len(weights)}
    torch.testing.assert_close(loaded.model(**inputs).logits, expected, atol=2e-2, rtol=2e-2)


# Preprocessing.


def dense(prompt: Prompt, tiles: int, tile_states: int) -> np.ndarray[Any, Any]:
    """Views as the reference's `cross_attention_mask`; those of tokens before the first picture left out."""
    mask = np.zeros((len(prompt.input_ids), len(prompt.media), tiles), np.int64)
    for view in prompt.views:
        if view.first >= prompt.starts[0]:
            mask[view.first : view.stop, view.medium, : view.states // tile_states] = 1
    return mask


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_tokens_and_who_looks_at_what_are_the_same(plain: Saved, name: str) -> None:
    processor = checkpoints.load(plain.folder).processor
    inputs, prompt = theirs_for(plain, CONVERSATIONS[name]), ours_for(processor, CONVERSATIONS[name])
    np.testing.assert_array_equal(prompt.input_ids, inputs["input_ids"][0])
    if prompt.media:
        np.testing.assert_array_equal(dense(prompt, 4, 17), inputs["cross_attention_mask"][0])
    assert processor.eos_ids == {2, IMAGE_ID - 1}


def test_a_mark_that_someone_spells_out_stays_text(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    turns = [("user", [processor.picture(PICTURES[0]), "what is <|image|> <|eot|>"])]
    prompt = processor.prompt(turns)
    assert prompt.input_ids.tolist().count(IMAGE_ID) == 1
    assert prompt.input_ids.tolist().count(IMAGE_ID - 1) == 1
    with pytest.raises(InputError, match="refuses this conversation: no system message beside images"):
        processor.prompt([("system", ["be brief"]), *turns])


@pytest.mark.parametrize(
    "pieces", [["what is this"], [PICTURES[0], "a cat"], [PICTURES[0], PICTURES[1], "cats"], ["see", PICTURES[0], "!"]]
)
def test_a_text_without_a_template_is_continued(plain: Saved, tmp_path: Path, pieces: list[Any]) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "base")
    (folder / "chat_template.jinja").unlink()
    processor = checkpoints.load(folder).processor
    text = "".join(piece if isinstance(piece, str) else "<|image|>" for piece in pieces)
    pictures = [piece for piece in pieces if not isinstance(piece, str)]
    expected = plain.processor(text=[text], images=[pictures] if pictures else None, return_tensors="pt")
    np.testing.assert_array_equal(ours_for(processor, [("user", pieces)]).input_ids, expected["input_ids"][0])
    with pytest.raises(UnsupportedTask, match="no chat template"):
        processor.prompt([("user", ["a"]), ("assistant", ["b"]), ("user", ["c"])])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_pixels_and_tiles_are_the_same(case: dict[str, Any], tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "theirs", case)
    processor = checkpoints.load(saved.folder).processor
    for name, pixels, picture in written.odd_pictures():
        expected = saved.processor.image_processor(picture, return_tensors="np")
        made = processor.picture(pixels)
        np.testing.assert_allclose(made.arrays["pixel_values"], expected["pixel_values"][0, 0], atol=1e-5, err_msg=name)
        for key in ("aspect_ratio_ids", "aspect_ratio_mask"):
            np.testing.assert_array_equal(made.arrays[key], expected[key][0, 0], err_msg=name)


def test_every_size_gets_the_tiles_of_the_reference(plain: Saved) -> None:
    images = plain.processor.image_processor
    tiles = Tiles.from_config({**images.to_dict(), "size": {"height": 28, "width": 28}})
    random = np.random.default_rng(0)
    for height, width in random.integers(1, 200, (60, 2)).tolist():
        picture = noise(height, width)
        expected = images(picture, return_tensors="np", input_data_format="channels_last")
        assert tiles(picture)["aspect_ratio_ids"] == expected["aspect_ratio_ids"][0, 0], (height, width)


# The public surface.


def test_examples_are_turns_of_a_conversation(plain: Saved) -> None:
    turns = CONVERSATIONS["examples"]
    conversation = [
        Message(role, tuple(Text(piece) if isinstance(piece, str) else ImagePart(piece) for piece in pieces))
        for role, pieces in turns
    ]
    model = tutti.load(str(plain.folder))
    answer = model.ask(conversation, max_tokens=16)
    (said,) = written.greedy(model.provider.model, [ours_for(model.provider.processor, turns)], tokens=16)
    ends = [place for place, token in enumerate(said) if token in {2, IMAGE_ID - 1}]
    said = said[: ends[0]] if ends else said
    stream = TextStream(model.provider.processor.decode)
    assert answer.text == "".join(map(stream.push, said)) + stream.finish()
    assert (answer.usage.completion_tokens, answer.usage.media_tokens) == (len(said), 5)
    info = checkpoints.inspect(plain.folder)
    assert (info.family, info.tasks, info.context_length) == ("mllama", ("ask",), 512)
    assert info.media_tokens == {"image": {"picture": 1}}
    assert info.kv_bytes_per_token == 2 * 3 * 2 * 8 * 4
    assert info.media_kv_bytes == {"image": {"picture": 2 * 2 * (4 * 17) * 2 * 8 * 4}}


# Published shapes, and strictness.

UNREAD: dict[str, Any] = {
    "_name_or_path": "", "add_cross_attention": False, "bad_words_ids": None, "chunk_size_feed_forward": 0,
    "diversity_penalty": 0.0, "do_sample": False, "early_stopping": False, "id2label": {"0": "LABEL_0"},
    "is_decoder": False, "is_encoder_decoder": False, "label2id": {"LABEL_0": 0}, "length_penalty": 1.0,
    "max_length": 20, "min_length": 0, "num_beams": 1, "output_attentions": False, "pruned_heads": {},
    "remove_invalid_values": False, "repetition_penalty": 1.0, "return_dict": True, "temperature": 1.0,
    "tf_legacy_loss": False, "tie_encoder_decoder": False, "top_k": 50, "top_p": 1.0, "torch_dtype": "bfloat16",
    "torchscript": False, "typical_p": 1.0, "use_bfloat16": False,
}  # fmt: skip
PUBLISHED_TEXT: dict[str, Any] = {
    **UNREAD, "bos_token_id": 128000, "cross_attention_layers": [3, 8, 13, 18, 23, 28, 33, 38], "dropout": 0,
    "eos_token_id": [128001, 128008, 128009], "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
    "intermediate_size": 14336, "max_position_embeddings": 131072, "model_type": "mllama_text_model",
    "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8, "pad_token_id": 128004,
    "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "tie_word_embeddings": False, "use_cache": True,
    "vocab_size": 128256,
    "rope_scaling": {
        "factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
}  # fmt: skip
PUBLISHED_90B = {
    "hidden_size": 8192, "intermediate_size": 28672, "num_attention_heads": 64, "num_hidden_layers": 100,
    "cross_attention_layers": list(range(3, 100, 5)),
}  # fmt: skip
PUBLISHED_VISION: dict[str, Any] = {
    **UNREAD, "attention_heads": 16, "hidden_act": "gelu", "hidden_size": 1280, "image_size": 560,
    "intermediate_layers_indices": [3, 7, 15, 23, 30], "intermediate_size": 5120, "max_num_tiles": 4,
    "model_type": "mllama_vision_model", "norm_eps": 1e-05, "num_channels": 3, "num_global_layers": 8,
    "num_hidden_layers": 32, "patch_size": 14, "tie_word_embeddings": True, "vision_output_dim": 7680,
    "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
}  # fmt: skip


SHAPES: dict[str, tuple[dict[str, Any], float, int, int]] = {
    f"meta-llama/Llama-3.2-{name}": (
        {
            "architectures": ["MllamaForConditionalGeneration"], "image_token_index": 128256, "model_type": "mllama",
            "text_config": PUBLISHED_TEXT | text, "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
            "vision_config": PUBLISHED_VISION | {"image_size": side},
        }, billions, states, picture_bytes,
    )
    for name, side, text, billions, states, picture_bytes in (
        ("11B-Vision", 448, {}, 10.64, 4100, 268_697_600),
        ("11B-Vision-Instruct", 560, {}, 10.67, 6404, 419_692_544),
        ("90B-Vision", 560, PUBLISHED_90B, 88.59, 6404, 1_049_231_360),
        ("90B-Vision-Instruct", 560, PUBLISHED_90B, 88.59, 6404, 1_049_231_360),
    )
}  # fmt: skip
"""Id → configuration, parameters in thousand millions, states of a picture, bytes of their keys and values."""


@pytest.mark.parametrize(("values", "billions", "states", "picture_bytes"), SHAPES.values(), ids=SHAPES.keys())
def test_published_shapes_are_read(values: dict[str, Any], billions: float, states: int, picture_bytes: int) -> None:
    config = MllamaConfig.from_hf(values)
    assert round(config.parameters() / 1e9, 2) == billions
    assert config.vision.states == states
    assert config.vision.states * config.kv_bytes_per_state() == picture_bytes
    assert config.text.rope_scaling is not None


def changed(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (changed("use_projector", value=True), "The mllama configuration has the unknown key 'use_projector'"),
        (changed("text_config", "qk_norm", value=True), "text_config has the unknown key 'qk_norm'"),
        (changed("vision_config", "registers", value=4), "vision_config has the unknown key 'registers'"),
        (changed("vision_config", "hidden_act", value="relu"), "hidden_act 'relu'; this tower computes 'gelu' only"),
        (changed("vision_config", "vision_output_dim", value=64), "vision_output_dim is 64; expected 3 times"),
        (changed("vision_config", "intermediate_layers_indices", value=[1, 4]), "expected some of 4 blocks"),
        (changed("vision_config", "supported_aspect_ratios", value=[[1, 1]]), "expected every arrangement of up to 4"),
        (changed("vision_config", "attention_heads", value=5), "expected the second to divide the first"),
        (changed("vision_config", "patch_size", value="7"), "patch_size '7'; expected a whole number"),
        (changed("text_config", "cross_attention_layers", value=[3, 5]), "cross_attention_layers is .* of 5 blocks"),
        (changed("text_config", "cross_attention_layers", value=2), "cross_attention_layers is 2; expected a list"),
        (changed("text_config", "tie_word_embeddings", value=True), "tie_word_embeddings is true"),
        (changed("text_config", value=[1]), r"text_config is \[1\]; expected an object"),
        (changed("image_token_index", value=IMAGE_ID + 8), "image_token_index is"),
        (changed("vision_config", "image_size", value=35), "they are of another model"),
    ],
)
def test_what_is_not_computed_is_refused(
    plain: Saved, tmp_path: Path, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "changed")
    values = json.loads((folder / "config.json").read_text())
    change(values)
    (folder / "config.json").write_text(json.dumps(values))
    if "another model" in sentence:
        weights = load_file(folder / "model.safetensors")
        for name in ("embedding", "tile_embedding.weight"):
            key = f"vision_model.gated_positional_embedding.{name}"
            weights[key] = torch.zeros(26, 32) if name == "embedding" else torch.zeros(9, 4 * 26 * 32)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UnsupportedConfig, match=sentence):
        checkpoints.load(folder)


def test_a_missing_weight_is_named(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "spoiled")
    weights = load_file(folder / "model.safetensors")
    weights.pop("language_model.model.layers.1.cross_attn_attn_gate")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(MissingWeights, match=r"layers\.1\.cross_attn_attn_gate"):
        checkpoints.load(folder)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"do_pad": False}, "switches off do_resize or do_pad"),
        ({"size": {"height": 28, "width": 30}}, "expected a height and the same width"),
        ({"size": {"shortest_edge": 28}}, "expected a height"),
        ({"max_image_tiles": 0}, "max_image_tiles 0"),
        ({"tile_overlap": 2}, "unknown key 'tile_overlap'"),
    ],
)
def test_settings_that_make_no_tiles_are_refused(values: dict[str, Any], sentence: str) -> None:
    settings = {"size": {"height": 28, "width": 28}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, **values}
    with pytest.raises(UnsupportedConfig, match=sentence):
        Tiles.from_config(settings)
