"""LLaVA-1.5 against `transformers`: tiny random checkpoints and their processor, saved by one and read by the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaConfig as HFConfig
from transformers import LlavaForConditionalGeneration as HFModel
from transformers import LlavaProcessor as HFProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.parity import written
from tests.parity.written import close, noise
from tutti import checkpoints
from tutti.errors import CheckpointError, InputError, MissingWeights, UnsupportedConfig, UnsupportedTask

TEMPLATE = """
{%- for message in messages %}
    {%- if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}
    {%- for item in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}
    {%- for item in message['content'] | selectattr('type', 'equalto', 'text') %}
        {%- if message['role'] == 'assistant' %}{% generation %}{{ item['text'] + ' ' }}{% endgeneration %}
        {%- else %}{{ item['text'] + ' ' }}{% endif %}
    {%- endfor %}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"""
WORDS = written.tokenizer(["<image>"], TEMPLATE)
IMAGE_ID = WORDS.convert_tokens_to_ids("<image>")
TEXT: dict[str, Any] = {
    "model_type": "llama", "vocab_size": len(WORDS), "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
}  # fmt: skip
VISION: dict[str, Any] = {
    "model_type": "clip_vision_model", "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3,
    "num_attention_heads": 3, "image_size": 28, "patch_size": 7, "projection_dim": 16,
}  # fmt: skip
MISTRAL = {"model_type": "mistral", "num_key_value_heads": 2, "rope_theta": 1e6}
CASES: dict[str, dict[str, Any]] = {
    "llava-hf/llava-1.5-7b-hf": {},
    "llava-hf/llava-1.5-13b-hf, grouped heads": {"text": {"num_key_value_heads": 2}},
    "llava-hf/bakLlava-v1-hf": {"text": {**MISTRAL, "sliding_window": 20, "head_dim": 16}},
    "mistral without a window": {"text": {**MISTRAL, "sliding_window": None}},
    "the whole picture's token": {"vision_feature_select_strategy": "full"},
    "several layers": {"vision_feature_layer": [-3, 1, -1], "vision_feature_select_strategy": "full"},
    "several layers, patches only": {"vision_feature_layer": [0, 3]},
    "the projector's other forms": {"multimodal_projector_bias": False, "projector_hidden_act": "gelu_pytorch_tanh"},
    "tied": {"text": {"tie_word_embeddings": True}, "tie_word_embeddings": True},
    "stretched positions": {
        "text": {
            "rope_scaling": {
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    },
}  # fmt: skip


class Saved(NamedTuple):
    """What `transformers` saved, and where."""

    model: HFModel
    processor: HFProcessor
    folder: Path


def save_theirs(folder: Path, case: dict[str, Any], **options: Any) -> Saved:
    top = {key: value for key, value in case.items() if key not in ("text", "vision")}
    config = HFConfig(
        text_config=TEXT | case.get("text", {}),
        vision_config=VISION | case.get("vision", {}),
        image_token_index=IMAGE_ID,
        **top,
    )
    model = HFModel(config).eval()
    written.draw(model)
    model.save_pretrained(folder, **options)
    images = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = HFProcessor(
        images, WORDS, patch_size=7, num_additional_image_tokens=1, chat_template=TEMPLATE,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
    )  # fmt: skip
    processor.save_pretrained(folder)
    return Saved(model, processor, folder)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_theirs(tmp_path_factory.mktemp("llava") / "theirs", request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    return save_theirs(tmp_path_factory.mktemp("llava") / "theirs", {})


QUESTION = "What animal is this?"
TURNS = [
    ("system", [written.TEXTS[1]]),
    ("user", [noise(28, 30), written.TEXTS[0]]),
    ("assistant", [written.TEXTS[2]]),
    ("user", ["and", noise(40, 28), "now?"]),
]


def given(saved: Saved, *pictures: Any) -> dict[str, Any]:
    """Their inputs for a question about pictures."""
    return written.given(saved.processor, [("user", [*pictures, QUESTION])])


@torch.inference_mode()
def test_what_they_save_computes_the_same_here(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    inputs = given(saved, noise(28, 30), noise(50, 28))
    ours, theirs = loaded.model(**inputs), saved.model(**inputs, output_hidden_states=True)
    close(ours.logits, theirs.logits)
    features = saved.model.get_image_features(inputs["pixel_values"], return_dict=True).pooler_output
    close(ours.image_hidden_states, torch.cat(list(features)))
    tokens = loaded.processor.picture_tokens
    hidden = loaded.model.language_model.model.read(loaded.model.embed_tokens(torch.tensor([[5, 6, 7]])))
    plain_text = saved.model(input_ids=torch.tensor([[5, 6, 7]]), output_hidden_states=True)
    close(hidden, plain_text.hidden_states[-1])
    # The pictures are told apart.
    assert ours.image_hidden_states[:tokens].sub(ours.image_hidden_states[tokens:]).abs().max() > 0.1
    assert loaded.report.newly_initialized == loaded.report.ignored == ()
    assert loaded.info.media_tokens == {"image": {"picture": tokens}}
    assert (loaded.info.family, loaded.info.tasks, loaded.info.context_length) == ("llava", ("ask",), 512)


@torch.inference_mode()
def test_greedy_answers_are_the_same(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    asked = [[("user", [QUESTION])], TURNS]
    expected = [written.their_greedy(saved.model, written.given(saved.processor, turns)) for turns in asked]
    assert written.greedy(loaded.model, [written.prepared(loaded.processor, turns) for turns in asked]) == expected


@torch.inference_mode()
def test_what_we_save_computes_the_same_there(saved: Saved, tmp_path: Path) -> None:
    loaded = checkpoints.load(saved.folder)
    config = json.loads((saved.folder / "config.json").read_text())
    files = written.files_beside(saved.folder)
    checkpoints.save(loaded.model, tmp_path / "ours", config, files, max_shard_bytes=50_000)
    theirs, info = HFModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    inputs = given(saved, noise(28, 30))
    # Equal to the bit: the same code on what must be the same weights.
    assert torch.equal(theirs.eval()(**inputs).logits, saved.model(**inputs).logits)
    names = {name for name in loaded.model.state_dict() if name.startswith("vision_tower")}
    assert all(name.startswith("vision_tower.vision_model.") for name in names)


LAYOUTS = {
    "published": {"vision_tower.": "vision_tower.vision_model."},
    "transformers 4.52": {
        "language_model.model.": "model.language_model.",
        "language_model.lm_head.": "lm_head.",
        "vision_tower.": "model.vision_tower.vision_model.",
        "multi_modal_projector.": "model.multi_modal_projector.",
    },
    "transformers 5": {},
}


@torch.inference_mode()
@pytest.mark.parametrize("renames", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_of_names_is_read(plain: Saved, tmp_path: Path, renames: dict[str, str]) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "renamed")
    weights = load_file(folder / "model.safetensors")
    for old, new in renames.items():
        weights = {new + name.removeprefix(old) if name.startswith(old) else name: w for name, w in weights.items()}
    if renames is LAYOUTS["published"]:
        weights["vision_tower.vision_model.embeddings.position_ids"] = torch.arange(17)[None]
        weights["language_model.model.layers.1.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    loaded = checkpoints.load(folder)
    inputs = given(plain, noise(28, 30))
    close(loaded.model(**inputs).logits, plain.model(**inputs).logits)
    assert len(loaded.report.ignored) == 2 * (renames is LAYOUTS["published"])


def test_a_weight_under_two_names_is_refused(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "twice")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["language_model.lm_head.weight"].clone()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"has language_model.lm_head.weight twice, as .*weight and as .*weight"):
        checkpoints.load(folder)


@torch.inference_mode()
def test_shards_and_half_precision_are_read(tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "shards", {}, max_shard_size="50KB")
    assert len(list(saved.folder.glob("model-*.safetensors"))) > 2
    inputs = given(saved, noise(28, 30))
    close(checkpoints.load(saved.folder).model(**inputs).logits, saved.model(**inputs).logits)
    half = checkpoints.load(saved.folder, dtype="bfloat16")
    processor = half.processor
    prompt = processor.prompt([("user", [processor.picture(noise(28, 30)), QUESTION])])
    assert len(written.greedy(half.model, [prompt], 3)[0]) == 3


# Preprocessing.


@pytest.mark.parametrize("kind", [name for name, _, _ in written.odd_pictures()])
def test_pictures_and_tokens_are_the_same(plain: Saved, kind: str) -> None:
    _, pixels, picture = next(item for item in written.odd_pictures() if item[0] == kind)
    processor = checkpoints.load(plain.folder).processor
    expected = given(plain, picture)
    made = processor.picture(pixels)
    np.testing.assert_allclose(made.arrays["pixel_values"], expected["pixel_values"][0], atol=1 / 255)
    prompt = processor.prompt([("user", [made, QUESTION])])
    assert prompt.input_ids.tolist() == expected["input_ids"][0].tolist()
    (start,) = prompt.starts
    assert (prompt.input_ids[start : start + made.tokens] == IMAGE_ID).all()


def test_conversations_are_written_as_theirs(plain: Saved) -> None:
    prompt = written.prepared(checkpoints.load(plain.folder).processor, TURNS)
    assert prompt.input_ids.tolist() == written.given(plain.processor, TURNS)["input_ids"][0].tolist()
    assert len(prompt.starts) == 2


def test_placeholders_spelled_out_by_a_user_are_words(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    made = processor.picture(noise(28, 30))
    prompt = processor.prompt([("user", [made, "an <image> and </s>"])])
    assert (prompt.input_ids == IMAGE_ID).sum() == made.tokens
    assert 2 not in prompt.input_ids
    said = processor.decode([int(i) for i in prompt.input_ids if i != IMAGE_ID])
    assert said.split()[1:5] == ["an", "<image>", "and", "</s>"]


def test_without_a_template_pictures_come_as_they_are_given(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "bare")
    (folder / "chat_template.jinja").unlink()
    processor = checkpoints.load(folder).processor
    prompt = processor.prompt([("user", [processor.picture(noise(28, 30)), "a"])])
    expected = plain.processor(text="<image>\na", images=noise(28, 30), return_tensors="np")["input_ids"][0]
    assert prompt.input_ids.tolist() == expected.tolist()
    with pytest.raises(UnsupportedTask, match="This checkpoint has no chat template"):
        processor.prompt([("user", ["a"]), ("assistant", ["b"]), ("user", ["c"])])


def test_a_template_without_places_is_refused(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "text")
    (folder / "chat_template.jinja").write_text("{{ messages[0].content[1].text }}")
    processor = checkpoints.load(folder).processor
    with pytest.raises(InputError, match="The chat template has places for 0 of 1 images"):
        processor.prompt([("user", [processor.picture(noise(28, 30)), "a"])])


# Strictness.


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"mm_hidden_size": 3}, UnsupportedConfig, "The llava configuration has the unknown key 'mm_hidden_size'"),
        ({"vision_feature_layer": -5}, UnsupportedConfig, "vision_feature_layer is -5; expected -4 to 3"),
        ({"vision_feature_layer": []}, UnsupportedConfig, r"vision_feature_layer is \(\); expected"),
        ({"vision_feature_select_strategy": "cls"}, UnsupportedConfig, "expected default or full"),
        ({"projector_hidden_act": "mish"}, UnsupportedConfig, "projector_hidden_act is 'mish'; computed are gelu"),
        ({"image_token_index": None}, UnsupportedConfig, "image_token_index is None; expected a token id"),
        ({"image_token_index": 9999}, InputError, "The tokenizer has no token of id 9999"),
        ({"text_config": {"model_type": "gemma"}}, UnsupportedConfig, "text_config is of model_type 'gemma'; known"),
        ({"text_config": {"qkv": 1}}, UnsupportedConfig, "The llama configuration has the unknown key 'qkv'"),
        ({"vision_config": {"model_type": "pixtral"}}, UnsupportedConfig, "sees through 'clip_vision_model' only"),
        ({"vision_config": {**VISION, "eyes": 2}}, UnsupportedConfig, "vision_config has the unknown key 'eyes'"),
        ({"vision_config": {**VISION, "image_size": 29}}, UnsupportedConfig, "do not make pictures of 29 x 29"),
        ({"vision_config": {**VISION, "num_hidden_layers": 4}}, MissingWeights, "lacks 16 weights of the model"),
    ],
)
def test_what_is_not_computed_is_refused(
    plain: Saved, tmp_path: Path, change: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "changed")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(error, match=sentence):
        checkpoints.load(folder)
