"""A CLIP checkpoint behind the face of all models: it embeds and classifies, and says what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from numpy.typing import NDArray
from PIL import Image as pillow
from tokenizers import models, pre_tokenizers, processors

from tutti import checkpoints, media
from tutti.content import Audio, Image
from tutti.errors import UnsupportedTask
from tutti.media import Limits
from tutti.model import Model, load
from tutti.models.clip.config import CLIPConfig
from tutti.models.clip.model import CLIPModel

WORDS = ("a", "dog", "car", "photo", "<start>", "<end>")
TOWER = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
CONFIG = {
    "model_type": "clip",
    "projection_dim": 8,
    "text_config": {**TOWER, "vocab_size": 6, "max_position_embeddings": 8, "eos_token_id": 5},
    "vision_config": {**TOWER, "image_size": 16, "patch_size": 8},
}
PREPROCESSOR = {
    "size": {"shortest_edge": 16},
    "do_center_crop": True,
    "crop_size": {"height": 16, "width": 16},
    "image_mean": [0.48, 0.46, 0.41],
    "image_std": [0.27, 0.26, 0.28],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = tokenizers.Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<start>")
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(["<start>", "<end>"])
    words.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 4), ("<end>", 5)]
    )
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig.from_hf(CONFIG))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path_factory.mktemp("clip") / "tiny"
    files = {"tokenizer.json": words.to_str(), "preprocessor_config.json": json.dumps(PREPROCESSOR)}
    checkpoints.save(model, path, CONFIG, files)
    return path


@pytest.fixture(scope="module")
def clip(folder: Path) -> Model:
    return load(folder)


def picture(shade: int) -> Image:
    return Image(np.random.default_rng(shade).integers(0, 256, (20, 31, 3), dtype=np.uint8))


def test_vectors_are_those_of_the_model(clip: Model, folder: Path) -> None:
    vectors = clip.embed(["a dog", picture(1), "a car", picture(2)])
    loaded = checkpoints.load(folder)
    with torch.inference_mode():
        texts = {name: torch.from_numpy(rows) for name, rows in loaded.processor.texts(["a dog", "a car"]).items()}
        words = loaded.model.embed_text(**texts).numpy()
        pixels = [loaded.processor.picture(picture(shade).source).arrays["pixel_values"] for shade in (1, 2)]
        seen = loaded.model.embed_media("image", {"pixel_values": torch.from_numpy(np.stack(pixels))}).numpy()
    np.testing.assert_allclose(vectors, np.stack([words[0], seen[0], words[1], seen[1]]), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_jpeg_is_decoded_no_larger_than_the_model_takes(
    clip: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, decode, shapes = tmp_path / "large.jpg", media.decode_image, []
    shades = np.linspace(0, 255, 200 * 160 * 3).astype(np.uint8).reshape(160, 200, 3)
    pillow.fromarray(shades).save(path, quality=95)
    whole = clip.embed([Image(decode(Image(path), Limits()))])

    def seen(*arguments: Any) -> NDArray[np.uint8]:
        pixels = decode(*arguments)
        shapes.append(pixels.shape)
        return pixels

    monkeypatch.setattr("tutti.media.images.decode_image", seen)
    np.testing.assert_allclose(clip.embed([Image(path)]), whole, atol=0.02)
    assert shapes == [(20, 25, 3)]  # an eighth: a quarter would be more than the 16 pixels that are needed


def test_classify_is_as_sharp_as_the_space_was_trained(clip: Model, folder: Path) -> None:
    scores = clip.classify(picture(3), ["a dog", "a car"])
    vectors = clip.embed([picture(3), "a dog", "a car"])
    scale = float(checkpoints.load(folder).model.logit_scale.detach().exp())
    cosines = vectors[1:] @ vectors[0]
    assert scale == pytest.approx(1 / 0.07, rel=1e-3)
    assert scores["a dog"] == pytest.approx(1 / (1 + np.exp(scale * (cosines[1] - cosines[0]))), rel=1e-3)


def test_what_it_cannot_do_is_said(clip: Model, folder: Path) -> None:
    with pytest.raises(UnsupportedTask, match="does not answer questions; tutti-mini does"):
        clip.ask("What is this?", picture(1))
    silence = Audio(np.zeros(800, np.float32), sample_rate_hz=8000)
    with pytest.raises(UnsupportedTask) as caught:
        clip.embed([silence])
    assert str(caught.value) == f"{folder} takes text and image, and was given audio; tutti-mini embeds audio."
