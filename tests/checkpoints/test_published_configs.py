"""What published checkpoints say of themselves is read; their weights are not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.checkpoints.published import DECODERS, PUBLISHED, SETTINGS, one_of_each_kind
from tests.parity.provenance import config_defaults
from tests.parity.written import tokenizer
from tutti.checkpoints.families import FAMILIES, find_family
from tutti.errors import UnsupportedConfig


@pytest.mark.parametrize(("values", "billions", "tokens", "context"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_a_published_configuration_is_read(values: dict[str, Any], billions: float, tokens: int, context: int) -> None:
    config = find_family(values).config(values)
    assert config.parameters() / 1e9 == pytest.approx(billions, abs=0.0006)
    assert config.text.max_position_embeddings == context
    assert tokens in (getattr(config, name, None) for name in ("tile_tokens", "tower_tokens")) or (
        config.most_picture_tokens() == tokens
    )


@pytest.mark.parametrize(("values", "billions", "context"), DECODERS.values(), ids=DECODERS.keys())
def test_a_published_decoder_is_read(values: dict[str, Any], billions: float, context: int) -> None:
    config = find_family(values).config(values)
    assert config.parameters() / 1e9 == pytest.approx(billions, abs=0.0006)
    assert config.max_position_embeddings == context


@pytest.mark.parametrize(
    "name", ["llava-hf/llava-1.5-7b-hf", "llava-hf/llava-v1.6-34b-hf", "HuggingFaceTB/SmolVLM-Instruct"]
)
def test_parameters_are_those_of_the_model(name: str) -> None:
    values = PUBLISHED[name][0]
    family = FAMILIES[values["model_type"]]
    config = family.config(values)
    with torch.device("meta"):
        model = family.model(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == config.parameters()


@pytest.mark.parametrize("name", ["llava-hf/llava-1.5-7b-hf", "HuggingFaceM4/Idefics3-8B-Llama3"])
@torch.inference_mode()
def test_flops_of_a_picture_are_those_of_its_products(name: str) -> None:
    values = PUBLISHED[name][0]
    small = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2}
    values = {**values, "text_config": {**values["text_config"], **small}}
    tower = {key: small[key] for key in small if key != "num_key_value_heads"}
    values["vision_config"] = {**values["vision_config"], **tower, "image_size": 112, "patch_size": 14}
    family = FAMILIES[values["model_type"]]
    config = family.config(values)
    model: Any = family.model(config)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.see(torch.zeros(1, 3, 112, 112))
    stated = config.tower_flops() if values["model_type"] == "llava" else config.tile_flops()
    assert stated == counter.get_total_flops()


@pytest.mark.parametrize(("name", "settings", "tiles", "side"), SETTINGS)
def test_published_settings_of_pictures_are_read(
    tmp_path: Path, name: str, settings: dict[str, Any], tiles: int, side: int
) -> None:
    values = dict(PUBLISHED[name][0])
    words = tokenizer(["<image>"])
    key = "image_token_id" if "image_token_id" in values else "image_token_index"
    values[key] = words.convert_tokens_to_ids("<image>")
    (tmp_path / "tokenizer.json").write_text(words.backend_tokenizer.to_str())
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    family = find_family(values)
    config = family.config(values)
    processor: Any = family.processor(config, tmp_path)
    made = processor.picture(np.zeros((480, 640, 3), np.uint8))
    assert made.arrays["pixel_values"].shape == ((tiles, 3, side, side) if tiles else (3, side, side))
    facts = family.facts(config, tmp_path)
    assert made.tokens <= facts.media_tokens["image"]["picture"]
    assert ("video" in facts.media_tokens) == ("video" in processor.decodings) == ("video_sampling" in settings)
    if "video_sampling" in settings:  # one frame a second, each of one tile
        assert facts.media_tokens["video"] == dict.fromkeys(("frame", "second"), config.tile_tokens)


def test_an_outer_size_and_the_towers_plain_name_change_nothing() -> None:
    """Copies of SmolVLM-256M's file carry both; the reference reads neither."""
    values = PUBLISHED["HuggingFaceTB/SmolVLM-256M-Instruct"][0]
    tower = {**values["vision_config"], "model_type": "siglip_vision_model"}
    for family in ("idefics3", "smolvlm"):
        varied = {**values, "model_type": family, "hidden_size": 1, "vision_config": tower}
        assert find_family(varied).config(varied) == find_family(values).config(values)
        theirs = config_defaults.find(family, config_defaults.CLASSES[family][0]).from_dict(varied)
        assert type(theirs.vision_config) is config_defaults.find(family, config_defaults.CLASSES[family][1])
        assert theirs.text_config.hidden_size == 576


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("wav2vec2", ["Wav2Vec2ForSequenceClassification", "Wav2Vec2ForXVector", "Wav2Vec2ForPreTraining"]),
        ("whisper", ["WhisperForAudioClassification", "WhisperForCausalLM"]),
        ("clip", ["CLIPForImageClassification"]),
        ("llava", ["LlavaForSequenceClassification"]),
    ],
)
def test_models_with_another_head_are_refused_by_name(family: str, names: list[str]) -> None:
    for name in names:
        with pytest.raises(UnsupportedConfig, match=rf"config\.json is of {name}; of model_type '{family}' models"):
            find_family({"model_type": family, "architectures": [name]})


@pytest.mark.parametrize("values", one_of_each_kind().values(), ids=one_of_each_kind())
def test_published_heads_are_read(values: dict[str, Any]) -> None:
    assert find_family(values) is FAMILIES[values["model_type"]]


def test_an_unknown_key_is_refused_wherever_it_stands() -> None:
    values = PUBLISHED["llava-hf/llava-1.5-7b-hf"][0]
    for where in ("text_config", "vision_config", None):
        changed = {**values, where: {**values[where], "new": 1}} if where else {**values, "new": 1}
        with pytest.raises(UnsupportedConfig, match="has the unknown key 'new'"):
            find_family(changed).config(changed)


def test_a_quantized_checkpoint_of_another_kind_is_refused_by_name() -> None:
    values = {**PUBLISHED["llava-hf/llava-1.5-7b-hf"][0], "quantization_config": {"quant_method": "awq"}}
    with pytest.raises(UnsupportedConfig, match="has the unknown key 'quantization_config'"):
        find_family(values).config(values)
