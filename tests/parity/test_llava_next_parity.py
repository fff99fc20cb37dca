"""LLaVA-NeXT against `transformers`: what is beside LLaVA-1.5 - tiles, their packing, the ends of lines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaNextConfig as HFConfig
from transformers import LlavaNextForConditionalGeneration as HFModel
from transformers import LlavaNextProcessor as HFProcessor
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

from tests.parity import written
from tests.parity.test_llava_parity import IMAGE_ID, LAYOUTS, MISTRAL, TEMPLATE, TEXT, VISION, WORDS, Saved
from tests.parity.written import close, noise
from tutti import checkpoints
from tutti.errors import UnsupportedConfig

PINPOINTS = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]
CASES: dict[str, dict[str, Any]] = {
    "llava-hf/llava-v1.6-vicuna-7b-hf": {},
    "llava-hf/llava-v1.6-mistral-7b-hf": {"text": {**MISTRAL, "sliding_window": None}},
    "llava-hf/llava-v1.6-34b-hf": {"text": {"num_key_value_heads": 1, "rope_theta": 5e6}},
    "more sizes, several layers": {
        "image_grid_pinpoints": [[28, 28], [84, 56], [56, 112]],
        "vision_feature_layer": [-2, 0],
    },
    "tied": {"text": {"tie_word_embeddings": True}, "tie_word_embeddings": True},
}
SIZES = ((28, 30), (60, 28), (1, 1), (3, 90), (200, 9), (56, 57), (1, 900))
TURNS = [("user", [noise(60, 28), "and", noise(30, 80), "What is this?"])]


def save_theirs(folder: Path, case: dict[str, Any], **options: Any) -> Saved:
    top = {"image_grid_pinpoints": PINPOINTS, **case}
    config = HFConfig(
        text_config={**TEXT, "max_position_embeddings": 1024, **top.pop("text", {})},
        vision_config=VISION,
        image_token_index=IMAGE_ID,
        **top,
    )
    model = HFModel(config).eval()
    written.draw(model)
    model.save_pretrained(folder, **options)
    images = LlavaNextImageProcessorPil(
        size={"shortest_edge": 28},
        crop_size={"height": 28, "width": 28},
        image_grid_pinpoints=top["image_grid_pinpoints"],
    )
    processor = HFProcessor(
        images, WORDS, patch_size=7, num_additional_image_tokens=1, chat_template=TEMPLATE,
        vision_feature_select_strategy="default",
    )  # fmt: skip
    processor.save_pretrained(folder)
    return Saved(model, processor, folder)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_theirs(tmp_path_factory.mktemp("llava_next") / "theirs", request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    return save_theirs(tmp_path_factory.mktemp("llava_next") / "theirs", {})


@torch.inference_mode()
def test_what_they_save_computes_the_same_here(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    inputs = written.given(saved.processor, [("user", [*(noise(*size) for size in SIZES), "What?"])])
    ours, theirs = loaded.model(**inputs), saved.model(**inputs)
    close(ours.logits, theirs.logits)
    features = saved.model.get_image_features(inputs["pixel_values"], inputs["image_sizes"]).pooler_output
    close(ours.image_hidden_states, torch.cat(list(features)))
    tokens = [loaded.processor.picture(noise(*size)).tokens for size in SIZES]
    assert tokens == [len(each) for each in features]
    most = loaded.info.media_tokens["image"]["picture"]
    assert max(tokens) <= most == max(loaded.processor.picture(noise(*size)).tokens for size in _pinpoints(saved))


def _pinpoints(saved: Saved) -> list[list[int]]:
    return saved.model.config.image_grid_pinpoints


@torch.inference_mode()
def test_greedy_answers_are_the_same(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    expected = written.their_greedy(saved.model, written.given(saved.processor, TURNS))
    assert written.greedy(loaded.model, [written.prepared(loaded.processor, TURNS)]) == [expected]


@torch.inference_mode()
def test_what_we_save_computes_the_same_there(saved: Saved, tmp_path: Path) -> None:
    loaded = checkpoints.load(saved.folder)
    config = json.loads((saved.folder / "config.json").read_text())
    checkpoints.save(loaded.model, tmp_path / "ours", config, written.files_beside(saved.folder))
    theirs, info = HFModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    inputs = written.given(saved.processor, TURNS)
    assert torch.equal(theirs.eval()(**inputs).logits, saved.model(**inputs).logits)


@torch.inference_mode()
@pytest.mark.parametrize("renames", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_of_names_is_read(plain: Saved, tmp_path: Path, renames: dict[str, str]) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "renamed")
    weights = load_file(folder / "model.safetensors")
    for old, new in {**renames, **({"image_newline": "model.image_newline"} if len(renames) > 1 else {})}.items():
        weights = {new + name.removeprefix(old) if name.startswith(old) else name: w for name, w in weights.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    inputs = written.given(plain.processor, TURNS)
    close(checkpoints.load(folder).model(**inputs).logits, plain.model(**inputs).logits)


@torch.inference_mode()
def test_shards_are_read(tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "shards", {}, max_shard_size="50KB")
    assert len(list(saved.folder.glob("model-*.safetensors"))) > 2
    inputs = written.given(saved.processor, TURNS)
    close(checkpoints.load(saved.folder).model(**inputs).logits, saved.model(**inputs).logits)


@pytest.mark.parametrize("kind", [name for name, _, _ in written.odd_pictures()])
def test_pictures_and_tokens_are_the_same(plain: Saved, kind: str) -> None:
    _, pixels, picture = next(item for item in written.odd_pictures() if item[0] == kind)
    processor = checkpoints.load(plain.folder).processor
    expected = written.given(plain.processor, [("user", [picture, "What?"])])
    made = processor.picture(pixels)
    np.testing.assert_allclose(made.arrays["pixel_values"], expected["pixel_values"][0], atol=1 / 255)
    assert made.arrays["image_sizes"].tolist() == expected["image_sizes"][0].tolist()
    prompt = processor.prompt([("user", [made, "What?"])])
    assert prompt.input_ids.tolist() == expected["input_ids"][0].tolist()


def test_tiles_are_chosen_as_theirs(plain: Saved) -> None:
    """Over many shapes, since which size is chosen turns on single pixels."""
    layout = checkpoints.load(plain.folder).processor.tiling
    random = np.random.default_rng(0)
    for height, width in random.integers(1, 400, (500, 2)).tolist():
        count = plain.processor._get_number_of_features(height, width, 28, 28) - 1
        assert layout.picture_tokens(height, width) == count, (height, width)


@pytest.mark.parametrize(
    ("file", "change", "error", "sentence"),
    [
        ("config.json", {"vision_feature_select_strategy": "full"}, UnsupportedConfig, "only 'default' allows"),
        ("config.json", {"image_grid_pinpoints": [[28, 30]]}, UnsupportedConfig, r"has \[28, 30\]; expected multiples"),
        ("config.json", {"image_grid_pinpoints": [28]}, UnsupportedConfig, "expected pairs of height and width"),
        ("config.json", {"image_grid_pinpoints": [[28, 84000]]}, UnsupportedConfig, "sides other than 1 to 8192"),
        ("config.json", {"use_image_newline_parameter": False}, UnsupportedConfig, "ends lines with a parameter"),
        ("config.json", {"image_grid_pinpoints": [[28, 28]]}, UnsupportedConfig, "are not those of config.json"),
        (
            "config.json",
            {"mm_patch_merge_type": "flat"},
            UnsupportedConfig,
            "has the unknown key 'mm_patch_merge_type'",
        ),
        ("preprocessor_config.json", {"aspect_ratio_setting": "pad"}, UnsupportedConfig, "cuts pictures as 'anyres'"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 30}}, UnsupportedConfig, "make tiles of 28 x 28"),
    ],
)
def test_what_is_not_computed_is_refused(
    plain: Saved, tmp_path: Path, file: str, change: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "changed")
    settings = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    with pytest.raises(error, match=sentence):
        checkpoints.load(folder)
