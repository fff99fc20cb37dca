"""The configurations of published Whisper and Wav2Vec2 checkpoints: read, of the right size, and strict."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tutti.errors import UnsupportedConfig
from tutti.models.wav2vec2.config import Wav2Vec2Config
from tutti.models.wav2vec2.model import Wav2Vec2ForCTC
from tutti.models.whisper.config import WhisperConfig
from tutti.models.whisper.model import WhisperForConditionalGeneration

WHISPER = {
    "_name_or_path": "openai/whisper-tiny",
    "activation_dropout": 0.0,
    "activation_function": "gelu",
    "apply_spec_augment": False,
    "architectures": ["WhisperForConditionalGeneration"],
    "attention_dropout": 0.0,
    "begin_suppress_tokens": [220, 50257],
    "bos_token_id": 50257,
    "classifier_proj_size": 256,
    "decoder_layerdrop": 0.0,
    "decoder_start_token_id": 50258,
    "dropout": 0.0,
    "encoder_layerdrop": 0.0,
    "eos_token_id": 50257,
    "forced_decoder_ids": [[1, 50259], [2, 50359], [3, 50363]],
    "init_std": 0.02,
    "is_encoder_decoder": True,
    "mask_feature_length": 10,
    "mask_feature_min_masks": 0,
    "mask_feature_prob": 0.0,
    "mask_time_length": 10,
    "mask_time_min_masks": 2,
    "mask_time_prob": 0.05,
    "max_length": 448,
    "max_source_positions": 1500,
    "max_target_positions": 448,
    "median_filter_width": 7,
    "model_type": "whisper",
    "num_mel_bins": 80,
    "pad_token_id": 50257,
    "scale_embedding": False,
    "suppress_tokens": [1, 2, 7],
    "torch_dtype": "float32",
    "transformers_version": "4.27.0.dev0",
    "use_cache": True,
    "use_weighted_layer_sum": False,
    "vocab_size": 51865,
}
"""Every key that openai/whisper-* have, in the values they share."""


def whisper(width: int, layers: int, heads: int, decoder_layers: int | None = None, **more: Any) -> dict[str, Any]:
    sizes = {"d_model": width, "num_hidden_layers": layers, "encoder_layers": layers}
    sizes |= {"decoder_layers": decoder_layers or layers, "encoder_ffn_dim": 4 * width, "decoder_ffn_dim": 4 * width}
    return {**WHISPER, **sizes, "encoder_attention_heads": heads, "decoder_attention_heads": heads, **more}


V3 = {"num_mel_bins": 128, "vocab_size": 51866, "torch_dtype": "float16"}
WHISPERS = {
    "openai/whisper-tiny": (whisper(384, 4, 6), 37_760_640),
    "openai/whisper-tiny.en": (whisper(384, 4, 6, vocab_size=51864), 37_760_256),
    "openai/whisper-base": (whisper(512, 6, 8), 72_593_920),
    "openai/whisper-base.en": (whisper(512, 6, 8, vocab_size=51864), 72_593_408),
    "openai/whisper-small": (whisper(768, 12, 12), 241_734_912),
    "openai/whisper-small.en": (whisper(768, 12, 12, vocab_size=51864), 241_734_144),
    "openai/whisper-medium": (whisper(1024, 24, 16), 763_857_920),
    "openai/whisper-medium.en": (whisper(1024, 24, 16, vocab_size=51864), 763_856_896),
    "openai/whisper-large": (whisper(1280, 32, 20), 1_543_304_960),
    "openai/whisper-large-v2": (whisper(1280, 32, 20), 1_543_304_960),
    "openai/whisper-large-v3": (whisper(1280, 32, 20, **V3), 1_543_490_560),
    "openai/whisper-large-v3-turbo": (whisper(1280, 32, 20, 4, **V3), 808_878_080),
    "distil-whisper/distil-large-v3": (whisper(1280, 32, 20, 2, **V3), 756_405_760),
}
"""Checkpoint → its configuration and its number of parameters."""

WAV2VEC2 = {
    "_name_or_path": "facebook/wav2vec2-base-960h",
    "activation_dropout": 0.1,
    "apply_spec_augment": True,
    "architectures": ["Wav2Vec2ForCTC"],
    "attention_dropout": 0.1,
    "bos_token_id": 1,
    "codevector_dim": 256,
    "contrastive_logits_temperature": 0.1,
    "conv_bias": False,
    "conv_dim": [512] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "ctc_loss_reduction": "sum",
    "ctc_zero_infinity": False,
    "diversity_loss_weight": 0.1,
    "do_stable_layer_norm": False,
    "eos_token_id": 2,
    "feat_extract_activation": "gelu",
    "feat_extract_dropout": 0.0,
    "feat_extract_norm": "group",
    "feat_proj_dropout": 0.1,
    "feat_quantizer_dropout": 0.0,
    "final_dropout": 0.1,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout": 0.1,
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "layerdrop": 0.1,
    "mask_feature_length": 10,
    "mask_feature_prob": 0.0,
    "mask_time_length": 10,
    "mask_time_prob": 0.05,
    "model_type": "wav2vec2",
    "num_attention_heads": 12,
    "num_codevector_groups": 2,
    "num_codevectors_per_group": 320,
    "num_conv_pos_embedding_groups": 16,
    "num_conv_pos_embeddings": 128,
    "num_feat_extract_layers": 7,
    "num_hidden_layers": 12,
    "num_negatives": 100,
    "pad_token_id": 0,
    "proj_codevector_dim": 256,
    "transformers_version": "4.7.0.dev0",
    "vocab_size": 32,
}
LARGE = {**WAV2VEC2, "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}
STABLE = {**LARGE, "conv_bias": True, "do_stable_layer_norm": True, "feat_extract_norm": "layer"}
XLSR = {
    **STABLE,
    "mask_channel_length": 10,
    "mask_channel_min_space": 1,
    "mask_channel_other": 0.0,
    "mask_channel_prob": 0.0,
    "mask_channel_selection": "static",
    "mask_time_min_space": 1,
    "mask_time_other": 0.0,
    "mask_time_selection": "static",
    "vocab_size": 33,
}
WAV2VEC2S = {
    "facebook/wav2vec2-base-960h": (WAV2VEC2, 94_395_552),
    "facebook/wav2vec2-large-960h": (LARGE, 315_460_768),
    "facebook/wav2vec2-large-960h-lv60-self": (STABLE, 315_470_496),
    "jonatasgrosman/wav2vec2-large-xlsr-53-english": (XLSR, 315_471_521),
}
"""Checkpoint → its configuration and its number of parameters, the vector for training left out."""


@pytest.mark.parametrize("name", WHISPERS)
def test_published_whispers_are_read(name: str) -> None:
    values, parameters = WHISPERS[name]
    config = WhisperConfig.from_hf(values)
    assert config.parameters() == parameters
    assert config.window_frames == 3000


@pytest.mark.parametrize("name", WAV2VEC2S)
def test_published_wav2vec2s_are_read(name: str) -> None:
    values, parameters = WAV2VEC2S[name]
    config = Wav2Vec2Config.from_hf(values)
    assert config.parameters() == parameters
    assert (config.samples_per_frame, config.samples_of_frame) == (320, 400)
    assert config.frames(16_000) == 49


def test_the_counts_are_those_of_the_models() -> None:
    with torch.device("meta"):
        whisper = WhisperForConditionalGeneration(WhisperConfig.from_hf(WHISPERS["openai/whisper-tiny"][0]))
        spellers = [
            Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(values)) for values in (WAV2VEC2, {**STABLE, "num_hidden_layers": 1})
        ]
    for model in (whisper, *spellers):
        assert sum(weight.numel() for weight in model.parameters()) == model.config.parameters()


def test_costs_are_those_of_the_papers() -> None:
    tiny = WhisperConfig.from_hf(WHISPERS["openai/whisper-tiny"][0])
    # 4 blocks, keys and values, 384 wide, four bytes each; and 1500 positions of them for a window.
    assert tiny.kv_bytes_per_token() == 2 * 4 * 384 * 4
    assert tiny.window_bytes() == 1500 * tiny.kv_bytes_per_token()
    # Two operations a weight and position, with attention on top.
    blocks = 4 * 12 * 384**2 * 1500 * 2
    assert blocks < tiny.encoder_flops() < 2.2 * blocks
    assert tiny.decoder_flops(2) > 2 * tiny.decoder_flops(1)
    base = Wav2Vec2Config.from_hf(WAV2VEC2)
    assert 2 * 49 * 12 * 12 * 768**2 < base.flops(16_000) < 6 * 49 * 12 * 12 * 768**2


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rhythm": 1}, "The whisper configuration has the unknown key 'rhythm'"),
        ({"use_weighted_layer_sum": True}, "use_weighted_layer_sum is True; this model computes False only"),
        ({"activation_function": "swish"}, "activation_function is 'swish'; this model computes 'gelu' only"),
        ({"decoder_attention_heads": 5}, "d_model is 384 and decoder_attention_heads is 5"),
        ({"num_mel_bins": 80.0}, "num_mel_bins is 80.0; expected a whole number from 1 on"),
    ],
)
def test_other_whispers_are_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig, match=sentence):
        WhisperConfig.from_hf({**WHISPERS["openai/whisper-tiny"][0], **values})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rhythm": 1}, "The wav2vec2 configuration has the unknown key 'rhythm'"),
        ({"adapter_attn_dim": 16}, "adapter_attn_dim is 16; this model computes None only"),
        ({"add_adapter": True}, "add_adapter is True; this model computes False only"),
        ({"feat_extract_norm": "batch"}, "feat_extract_norm is 'batch'; computed are group and layer"),
        ({"conv_dim": [512]}, "name 1, 7 and 7 convolutions; expected as many each"),
        ({"conv_stride": [0] * 7}, "expected whole numbers from 1 on"),
        ({"num_attention_heads": 7}, "hidden_size is 768 and num_attention_heads is 7"),
        ({"conv_bias": 1}, "conv_bias is 1; expected true or false"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps is 'small'; expected a number"),
    ],
)
def test_other_wav2vec2s_are_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig, match=sentence):
        Wav2Vec2Config.from_hf({**WAV2VEC2, **values})
