"""CLIP against `transformers`: a tiny random model and its processor, saved by one and read by the other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor
from transformers import CLIPConfig as HFConfig
from transformers import CLIPModel as HFModel
from transformers import CLIPProcessor as HFProcessor
from transformers import CLIPTokenizer as HFTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.parity import written
from tutti import checkpoints
from tutti.errors import (
    CapacityError,
    CheckpointError,
    InputError,
    MissingWeights,
    ShapeMismatch,
    UnexpectedWeights,
    UnsupportedConfig,
)

MERGES = ["d o", "c a", "do g</w>", "ca t</w>", "t h", "th e</w>", "o f</w>", "a</w> b"]
TEXTS = [
    "a photo of the dog",
    "A  Photo\n of the CAT!!",
    "it's 2 o'clock — we'll see",
    "naïve Straße 東京 🦊",
    "",
    "dog",
]
VARIANTS: dict[str, dict[str, Any]] = {
    "quick gelu": {},
    "gelu": {"both": {"hidden_act": "gelu"}},
    "patches that leave a margin": {"vision": {"image_size": 31, "patch_size": 7}},
    "many small patches": {"vision": {"image_size": 48, "patch_size": 2, "hidden_size": 32, "num_attention_heads": 1}},
    "one patch": {"vision": {"image_size": 16, "patch_size": 16}},
    "other norms and widths": {"both": {"layer_norm_eps": 1e-2}, "projection_dim": 40},
    "highest token": {"text": {"eos_token_id": 2}},
}


class Saved(NamedTuple):
    """What `transformers` saved, and where."""

    model: HFModel
    processor: HFProcessor
    folder: Path


def tokenizer() -> HFTokenizer:
    """Byte pairs as CLIP has them: bytes, bytes that end a word, merges, the start and, highest, the end."""
    alphabet = sorted(ByteLevel.alphabet())
    words = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *(merge.replace(" ", "") for merge in MERGES)]
    vocabulary = {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    return HFTokenizer(vocab=vocabulary, merges=[tuple(merge.split()) for merge in MERGES])


def build(variant: dict[str, Any]) -> tuple[HFModel, HFProcessor]:
    words = tokenizer()
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 40,
        "eos_token_id": words.eos_token_id,
    }
    vision = {
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 30,
        "patch_size": 10,
    }
    both = variant.get("both", {})
    vision |= both | variant.get("vision", {})
    config = HFConfig(
        text_config=text | both | variant.get("text", {}),
        vision_config=vision,
        projection_dim=variant.get("projection_dim", 24),
    )
    torch.manual_seed(0)
    model = HFModel(config).eval()
    for name, parameter in model.named_parameters():
        # Large enough that every weight matters: the reference's own first values hardly do.
        if name != "logit_scale":
            torch.nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")), std=0.2)
    side = vision["image_size"]
    images = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    return model, HFProcessor(images, words)


def save_theirs(folder: Path, variant: dict[str, Any], **options: Any) -> Saved:
    model, processor = build(variant)
    model.save_pretrained(folder, **options)
    processor.save_pretrained(folder)
    return Saved(model, processor, folder)


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Saved:
    return save_theirs(tmp_path / "theirs", request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One checkpoint for all tests that leave it as it is."""
    return save_theirs(tmp_path_factory.mktemp("clip") / "theirs", {})


def pictures(*sizes: tuple[int, int]) -> list[Image.Image]:
    """Noise in several shades, so that they differ on the whole, too."""
    random = np.random.default_rng(1)
    shades = random.integers(20, 256, (len(sizes), 3))
    return [
        Image.fromarray(random.integers(0, shade, (height, width, 3), np.uint8))
        for (height, width), shade in zip(sizes, shades, strict=True)
    ]


def inputs(saved: Saved) -> dict[str, Tensor]:
    made = saved.processor(text=TEXTS, images=pictures((40, 30), (33, 57), (30, 30)), return_tensors="pt", padding=True)
    return dict(made)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_what_they_save_computes_the_same_here(saved: Saved) -> None:
    loaded = checkpoints.load(saved.folder)
    given = inputs(saved)
    ours, theirs = loaded.model(**given), saved.model(**given)
    for name in ours._fields:
        close(getattr(ours, name), getattr(theirs, name))
    # The pictures are told apart, and so are the texts.
    assert min(ours.logits_per_image.std(dim).max() for dim in (0, 1)) > 0.1
    assert loaded.report.loaded == len(saved.model.state_dict())
    assert loaded.report.newly_initialized == ()
    assert (loaded.info.family, loaded.info.tasks, loaded.info.context_length) == ("clip", ("embed", "classify"), 40)
    assert loaded.info.media_tokens == {"image": {"picture": saved.model.vision_model.embeddings.num_positions}}


@torch.inference_mode()
def test_hidden_states_are_the_same(saved: Saved) -> None:
    ours, given = checkpoints.load(saved.folder).model, inputs(saved)
    theirs = saved.model.vision_model(given["pixel_values"], output_hidden_states=True)
    states = list(ours.vision_model.states(given["pixel_values"]))
    assert len(states) == len(theirs.hidden_states)
    for mine, its in zip(states, theirs.hidden_states, strict=True):
        close(mine, its)
    close(ours.vision_model(given["pixel_values"]).pooler_output, theirs.pooler_output)
    words = {name: given[name] for name in ("input_ids", "attention_mask")}
    read, expected = ours.text_model(**words), saved.model.text_model(**words)
    real = words["attention_mask"].bool()
    close(read.last_hidden_state[real], expected.last_hidden_state[real])
    close(read.pooler_output, expected.pooler_output)


@torch.inference_mode()
def test_what_we_save_computes_the_same_there(saved: Saved, tmp_path: Path) -> None:
    loaded = checkpoints.load(saved.folder)
    config = json.loads((saved.folder / "config.json").read_text())
    checkpoints.save(loaded.model, tmp_path / "ours", config, {}, max_shard_bytes=20_000)
    theirs, info = HFModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    given = inputs(saved)
    # Equal to the bit: the same code on what must be the same weights.
    assert torch.equal(theirs.eval()(**given).logits_per_text, saved.model(**given).logits_per_text)


@torch.inference_mode()
def test_positions_and_masks_are_the_same(plain: Saved) -> None:
    ours, given = checkpoints.load(plain.folder).model, inputs(plain)
    left = {
        "input_ids": given["input_ids"].flip(1)[:, :-1],
        "attention_mask": given["attention_mask"].flip(1)[:, :-1],
        "pixel_values": given["pixel_values"],
    }
    end = plain.model.config.text_config.eos_token_id
    left["input_ids"] = torch.cat((left["input_ids"], torch.full((len(TEXTS), 1), end)), dim=1)
    left["attention_mask"] = torch.cat((left["attention_mask"], torch.ones(len(TEXTS), 1, dtype=torch.int64)), dim=1)
    left["input_ids"][:, :-1].masked_fill_(left["input_ids"][:, :-1] == end, 3)
    places = torch.arange(left["input_ids"].shape[1]).flip(0).expand_as(left["input_ids"])
    close(ours(**left, position_ids=places).text_embeds, plain.model(**left, position_ids=places).text_embeds)


@torch.inference_mode()
def test_shards_and_half_precision_are_read(tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "shards", {}, max_shard_size="50KB")
    assert len(list(saved.folder.glob("model-*.safetensors"))) > 2
    given = inputs(saved)
    close(checkpoints.load(saved.folder).model(**given).logits_per_text, saved.model(**given).logits_per_text)
    saved.model.half().save_pretrained(tmp_path / "half")
    for file in ("tokenizer.json", "processor_config.json"):
        shutil.copy(saved.folder / file, tmp_path / "half")
    loaded = checkpoints.load(tmp_path / "half")
    assert loaded.report.cast == {"float16 → float32": len(saved.model.state_dict())}
    close(loaded.model(**given).logits_per_text, saved.model.float()(**given).logits_per_text)


@torch.inference_mode()
def test_the_older_form_of_a_configuration_means_the_same(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "older")
    config = json.loads((folder / "config.json").read_text())
    for tower in ("text_config", "vision_config"):
        config[f"{tower}_dict"] = config[tower]
        config[tower] = {"hidden_size": 8, "torch_dtype": None, "top_k": 50}
    (folder / "config.json").write_text(json.dumps(config))
    given = inputs(plain)
    expected = HFModel.from_pretrained(folder).eval()(**given).logits_per_image
    close(checkpoints.load(folder).model(**given).logits_per_image, expected)


@torch.inference_mode()
def test_the_positions_that_older_checkpoints_hold_are_not_needed(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "older")
    weights = load_file(folder / "model.safetensors")
    positions = {
        "text_model.embeddings.position_ids": torch.arange(40)[None],
        # Some files were cast to half precision as a whole.
        "vision_model.embeddings.position_ids": torch.arange(10)[None].half(),
    }
    save_file(weights | positions, folder / "model.safetensors", {"format": "pt"})
    loaded = checkpoints.load(folder)
    assert set(loaded.report.ignored) == set(positions)
    assert loaded.report.loaded == len(weights)
    given = inputs(plain)
    close(loaded.model(**given).logits_per_text, plain.model(**given).logits_per_text)


# Preprocessing.


def test_tokens_are_the_same(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    expected = plain.processor.tokenizer(TEXTS, padding=True, return_tensors="np")
    made = processor.texts(TEXTS)
    for name in ("input_ids", "attention_mask"):
        np.testing.assert_array_equal(made[name], expected[name])
        assert made[name].dtype == np.int64


def test_an_end_token_in_a_text_stays_text(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    (row,) = processor.texts(["the<|endoftext|>dog"])["input_ids"].tolist()
    assert row.count(row[-1]) == 1


def test_the_longest_text_is_read_and_a_longer_one_refused(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    assert processor.texts(["dog " * 38])["input_ids"].shape == (1, 40)
    with pytest.raises(CapacityError, match=r"39 tokens; .* at most 38"):
        processor.texts(["dog", "dog " * 39])
    with pytest.raises(InputError, match="No text was given"):
        processor.texts([])


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (31, 30), (30, 31), (29, 37), (97, 64)])
def test_pixels_are_the_same(plain: Saved, size: tuple[int, int]) -> None:
    processor = checkpoints.load(plain.folder).processor
    (picture,) = pictures(size)
    made = processor.picture(np.asarray(picture))
    expected = plain.processor.image_processor(picture, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(made.arrays["pixel_values"], expected, atol=1e-5)
    assert (made.modality, made.tokens, made.arrays["pixel_values"].dtype) == ("image", 10, np.float32)


def test_other_pictures_are_seen_the_same(plain: Saved) -> None:
    processor = checkpoints.load(plain.folder).processor
    for name, pixels, picture in written.odd_pictures():
        expected = plain.processor.image_processor(picture, return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(processor.picture(pixels).arrays["pixel_values"], expected, atol=1e-5, err_msg=name)


def test_the_settings_of_published_files_are_read(plain: Saved, tmp_path: Path) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "older")
    (folder / "processor_config.json").unlink()
    published = {
        "crop_size": 30,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": 30,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(published))
    assert checkpoints.load(folder).processor.images == checkpoints.load(plain.folder).processor.images


# Strictness.


def change_weights(change: Callable[[dict[str, Tensor]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return apply


def change_json(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        values = json.loads((folder / name).read_text())
        change(values)
        (folder / name).write_text(json.dumps(values))

    return apply


@pytest.mark.parametrize(
    ("spoil", "error", "sentence"),
    [
        (
            change_weights(lambda weights: weights.pop("visual_projection.weight")),
            MissingWeights,
            r"lacks 1 weight of the model \(visual_projection.weight\)",
        ),
        (
            change_weights(lambda weights: weights.update({"text_model.more": torch.zeros(2)})),
            UnexpectedWeights,
            r"has 1 weight that the model lacks \(text_model.more\)",
        ),
        (
            change_json("config.json", lambda config: config.update(projection_dim=23)),
            ShapeMismatch,
            r"2 weights of another shape than the model \(.*visual_projection.weight \[24, 48\] for \[23, 48\]",
        ),
        (
            change_json("config.json", lambda config: config.update(use_bias=False)),
            UnsupportedConfig,
            "The clip configuration has the unknown key 'use_bias'",
        ),
        (
            change_json("config.json", lambda config: config["text_config"].update(rope_theta=1e4)),
            UnsupportedConfig,
            "text_config has the unknown key 'rope_theta'",
        ),
        (
            change_json("config.json", lambda config: config["text_config"].update(eos_token_id=5)),
            UnsupportedConfig,
            "expects a start token before a text and token 5 after it",
        ),
        (
            change_json("tokenizer.json", lambda tokenizer: tokenizer.update(post_processor=None)),
            UnsupportedConfig,
            "expects a start token before a text",
        ),
        (
            change_json("processor_config.json", lambda values: values["image_processor"].update(crop_size=29)),
            UnsupportedConfig,
            "do not make pictures of 30 x 30 pixels",
        ),
        (
            change_json("processor_config.json", lambda values: values["image_processor"].update(do_center_crop=False)),
            UnsupportedConfig,
            "do not make pictures of 30 x 30 pixels",
        ),
        (
            lambda folder: (folder / "processor_config.json").unlink(),
            CheckpointError,
            "preprocessor_config.json cannot be read",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    plain: Saved, tmp_path: Path, spoil: Callable[[Path], None], error: type[Exception], sentence: str
) -> None:
    folder = shutil.copytree(plain.folder, tmp_path / "spoiled")
    spoil(folder)
    with pytest.raises(error, match=sentence):
        checkpoints.load(folder)
