"""`config.json` of published vision-language checkpoints: their keys and sizes, without the paths of training.

Held beside public copies of the files: LLaVA-1.5 7B, LLaVA-1.6 Mistral, SmolVLM and SmolVLM2 of all sizes, Idefics3 (as
of August 2024, to its middle), TinyLlama and Llama-3.2 1B. Beside the scripts that wrote them: the other LLaVA-1.6.
Of LLaVA-1.5 13B, BakLLaVA, Mistral and Qwen2.5 no copy was at hand.
"""

from __future__ import annotations

from typing import Any

_CLIP_L_336 = {
    "hidden_size": 1024, "image_size": 336, "intermediate_size": 4096, "model_type": "clip_vision_model",
    "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768, "vocab_size": 32000,
}  # fmt: skip
_VICUNA_7B = {
    "_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096,
    "model_type": "llama", "rms_norm_eps": 1e-05, "torch_dtype": "float16", "vocab_size": 32064,
}  # fmt: skip
_VICUNA_13B = {
    **_VICUNA_7B, "_name_or_path": "lmsys/vicuna-13b-v1.5", "hidden_size": 5120, "intermediate_size": 13824,
    "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 40,
}  # fmt: skip
_MISTRAL_7B = {
    "_name_or_path": "mistralai/Mistral-7B-Instruct-v0.2", "architectures": ["MistralForCausalLM"],
    "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral", "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "sliding_window": None, "torch_dtype": "bfloat16",
    "vocab_size": 32064,
}  # fmt: skip
_YI_34B = {
    "_name_or_path": "NousResearch/Nous-Hermes-2-Yi-34B", "architectures": ["LlamaForCausalLM"], "eos_token_id": 7,
    "hidden_size": 7168, "intermediate_size": 20480, "max_position_embeddings": 4096, "model_type": "llama",
    "num_attention_heads": 56, "num_hidden_layers": 60, "num_key_value_heads": 8, "pad_token_id": 0,
    "rms_norm_eps": 1e-05, "rope_theta": 5000000.0, "torch_dtype": "bfloat16", "use_cache": False, "vocab_size": 64064,
}  # fmt: skip
_LLAVA = {
    "architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": 32000,
    "model_type": "llava", "pad_token_id": 32001, "projector_hidden_act": "gelu", "tie_word_embeddings": False,
    "torch_dtype": "float16", "transformers_version": "4.36.0.dev0", "vision_config": _CLIP_L_336,
    "vision_feature_layer": -2, "vision_feature_select_strategy": "default", "vocab_size": 32064,
}  # fmt: skip
_NEXT = {
    **_LLAVA, "architectures": ["LlavaNextForConditionalGeneration"], "model_type": "llava_next",
    "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
    "transformers_version": "4.39.0.dev0", "use_image_newline_parameter": True,
}  # fmt: skip
_IDEFICS_TEXT = {
    "_flash_attn_2_enabled": True, "architectures": ["VLlama3ForCausalLM"], "is_llama_config": True,
    "model_type": "llama", "neftune_noise_alpha": 0.0, "pad_token_id": 2, "qk_layer_norms": False,
    "rms_norm_eps": 1e-05, "torch_dtype": "bfloat16", "use_resampler": False,
    "perceiver_config": {"model_type": "vllama3", "resampler_depth": 6, "resampler_n_latents": 64},
}  # fmt: skip
_SMOL_TOP = {
    "model_type": "idefics3", "pad_token_id": 128002, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    "transformers_version": "4.46.0", "use_cache": True, "use_reentrant_checkpointing": False,
}  # fmt: skip
_SIGLIP_B_512 = {
    "hidden_size": 768, "image_size": 512, "max_image_size": {"longest_edge": 512}, "model_type": "idefics3_vision",
    "num_attention_heads": 12, "patch_size": 16, "size": {"longest_edge": 2048}, "tie_word_embeddings": False,
    "use_base_siglip": True,
}  # fmt: skip
_SIGLIP_SO = {
    "hidden_size": 1152, "image_size": 384, "intermediate_size": 4304, "max_image_size": {"longest_edge": 384},
    "model_type": "idefics3", "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14,
    "size": {"longest_edge": 1920}, "tie_word_embeddings": False, "use_base_siglip": False,
}  # fmt: skip
_SMOL_SIZES = {"head_dim": 64, "max_position_embeddings": 8192, "mlp_bias": False, "rope_interleaved": False}
_SMOL_256M = {
    **_IDEFICS_TEXT, **_SMOL_SIZES, "hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9,
    "num_hidden_layers": 30, "num_key_value_heads": 3, "pixel_shuffle_factor": 4, "rope_theta": 100000,
    "transformers.js_config": {"kv_cache_dtype": {"fp16": "float16"}}, "vocab_size": 49280,
}  # fmt: skip
_SMOL_500M = {
    **_SMOL_256M, "hidden_size": 960, "intermediate_size": 2560, "num_attention_heads": 15, "num_hidden_layers": 32,
    "num_key_value_heads": 5,
}  # fmt: skip
_SMOL_2B = {  # SmolVLM2 leaves out how many heads there are
    **_IDEFICS_TEXT, **_SMOL_SIZES, "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 16384,
    "num_hidden_layers": 24, "num_key_value_heads": 32, "rope_theta": 273768.0, "vocab_size": 49155,
}  # fmt: skip

PUBLISHED: dict[str, tuple[dict[str, Any], float, int, int]] = {
    "llava-hf/llava-1.5-7b-hf": (_LLAVA | {"text_config": _VICUNA_7B}, 7.063, 576, 4096),
    "llava-hf/llava-1.5-13b-hf": (_LLAVA | {"text_config": _VICUNA_13B}, 13.351, 576, 4096),
    "llava-hf/bakLlava-v1-hf": (
        _LLAVA | {"text_config": {**_MISTRAL_7B, "rope_theta": 10000.0, "sliding_window": 4096}}, 7.567, 576, 32768,
    ),
    "llava-hf/llava-v1.6-vicuna-7b-hf": (_NEXT | {"text_config": _VICUNA_7B}, 7.063, 2928, 4096),
    "llava-hf/llava-v1.6-vicuna-13b-hf": (_NEXT | {"text_config": _VICUNA_13B}, 13.351, 2928, 4096),
    "llava-hf/llava-v1.6-mistral-7b-hf": (_NEXT | {"text_config": _MISTRAL_7B}, 7.567, 2928, 32768),
    "llava-hf/llava-v1.6-34b-hf": (
        _NEXT | {"text_config": _YI_34B, "image_token_index": 64000, "pad_token_id": 64001}, 34.752, 2928, 4096,
    ),
    "HuggingFaceTB/SmolVLM-256M-Instruct": (
        _SMOL_TOP | {
            "image_seq_len": 64, "image_token_id": 49190, "scale_factor": 4, "text_config": _SMOL_256M,
            "vision_config": _SIGLIP_B_512, "vocab_size": 49280,
        }, 0.256, 64, 8192,
    ),
    "HuggingFaceTB/SmolVLM-500M-Instruct": (
        _SMOL_TOP | {
            "image_token_id": 49190, "scale_factor": 4, "text_config": _SMOL_500M, "vision_config": _SIGLIP_B_512,
        }, 0.507, 64, 8192,
    ),
    "HuggingFaceTB/SmolVLM-Instruct": (
        _SMOL_TOP | {
            "image_seq_len": 81, "image_token_id": 49153, "scale_factor": 3,
            "text_config": {**_SMOL_2B, "num_attention_heads": 32},
            "vision_config": _SIGLIP_SO, "vocab_size": 49155,
        }, 2.246, 81, 16384,
    ),
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": (
        _SMOL_TOP | {
            "model_type": "smolvlm", "image_token_id": 49190, "scale_factor": 4, "text_config": _SMOL_256M,
            "vision_config": {**_SIGLIP_B_512, "model_type": "smolvlm_vision", "use_base_siglip": False},
        }, 0.256, 64, 8192,
    ),
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": (
        _SMOL_TOP | {
            "model_type": "smolvlm", "image_token_id": 49190, "scale_factor": 4, "text_config": _SMOL_500M,
            "vision_config": {**_SIGLIP_B_512, "model_type": "smolvlm_vision", "use_base_siglip": False},
        }, 0.507, 64, 8192,
    ),
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": (
        _SMOL_TOP | {
            "model_type": "smolvlm", "image_token_id": 49190, "scale_factor": 3,
            "text_config": {**_SMOL_2B, "max_position_embeddings": 8192, "rope_theta": 130000, "vocab_size": 49280},
            "vision_config": {**_SIGLIP_SO, "model_type": "smolvlm_vision"},
        }, 2.247, 81, 8192,
    ),
    "HuggingFaceM4/Idefics3-8B-Llama3": (
        _SMOL_TOP | {
            "image_seq_len": 169, "image_token_id": 128257, "scale_factor": 2,
            "text_config": {
                **_IDEFICS_TEXT, "architectures": ["Idefics3ForVisionText2Text"], "attention_bias": False,
                "auto_map": {"AutoConfig": "configuration_idefics3.Idefics3Config"},
                "eos_token_id": [128001, 128008, 128009], "hidden_act": "silu", "id2label": {"0": "LABEL_0"},
                "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072,
                "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "pad_token_id": 128002,
                "rope_theta": 500000.0, "vocab_size": 128259,
            },
            "vision_config": {**_SIGLIP_SO, "image_size": 364},
        }, 8.462, 169, 131072,
    ),
}  # fmt: skip
"""Id → configuration, parameters in thousand millions, tokens of a picture (at most) or of a tile, context length."""

_DECODER = {
    "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
    "initializer_range": 0.02, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None, "use_cache": True,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.35.0",
}  # fmt: skip
_QWEN = {
    "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
    "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
    "max_position_embeddings": 32768, "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": True,
    "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
DECODERS: dict[str, tuple[dict[str, Any], float, int]] = {
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": (
        {
            **_DECODER, "architectures": ["LlamaForCausalLM"], "hidden_size": 2048, "intermediate_size": 5632,
            "max_position_embeddings": 2048, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 22,
            "num_key_value_heads": 4, "rope_theta": 10000.0, "vocab_size": 32000,
        }, 1.100, 2048,
    ),
    "meta-llama/Llama-3.2-1B-Instruct": (
        {
            **_DECODER, "architectures": ["LlamaForCausalLM"], "bos_token_id": 128000,
            "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_size": 2048, "intermediate_size": 8192,
            "max_position_embeddings": 131072, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 32,
            "num_hidden_layers": 16, "num_key_value_heads": 8, "rope_theta": 500000.0, "tie_word_embeddings": True,
            "vocab_size": 128256,
            "rope_scaling": {
                "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                "original_max_position_embeddings": 8192, "rope_type": "llama3",
            },
        }, 1.236, 131072,
    ),
    "mistralai/Mistral-7B-Instruct-v0.2": (
        {
            **_DECODER, "architectures": ["MistralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
            "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 32,
            "num_hidden_layers": 32, "num_key_value_heads": 8, "rope_theta": 1000000.0, "sliding_window": None,
            "vocab_size": 32000,
        }, 7.242, 32768,
    ),
    "Qwen/Qwen2.5-0.5B-Instruct": ({**_QWEN, "max_window_layers": 21}, 0.494, 32768),
    "Qwen/Qwen2.5-Coder-0.5B-Instruct": ({**_QWEN, "max_window_layers": 24}, 0.494, 32768),
    "Qwen/Qwen2.5-7B-Instruct": (
        {
            **_QWEN, "hidden_size": 3584, "intermediate_size": 18944, "max_window_layers": 28,
            "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4, "sliding_window": 131072,
            "tie_word_embeddings": False, "vocab_size": 152064,
        }, 7.616, 32768,
    ),
}  # fmt: skip
"""The same of decoders without a tower: configuration, parameters in thousand millions, context length."""

_LLAMA3 = {
    "factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}  # fmt: skip
FURTHER: dict[str, dict[str, Any]] = {
    "meta-llama/Llama-3.2-11B-Vision-Instruct": {
        "architectures": ["MllamaForConditionalGeneration"], "image_token_index": 128256, "model_type": "mllama",
        "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
        "text_config": {
            "cross_attention_layers": [3, 8, 13, 18, 23, 28, 33, 38], "dropout": 0,
            "eos_token_id": [128001, 128008, 128009], "hidden_act": "silu", "hidden_size": 4096,
            "intermediate_size": 14336, "max_position_embeddings": 131072, "model_type": "mllama_text_model",
            "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
            "rope_scaling": _LLAMA3, "rope_theta": 500000.0, "torch_dtype": "bfloat16", "vocab_size": 128256,
        },
        "vision_config": {
            "attention_heads": 16, "hidden_act": "gelu", "hidden_size": 1280, "image_size": 560,
            "intermediate_layers_indices": [3, 7, 15, 23, 30], "intermediate_size": 5120, "max_num_tiles": 4,
            "model_type": "mllama_vision_model", "norm_eps": 1e-05, "num_channels": 3, "num_global_layers": 8,
            "num_hidden_layers": 32, "patch_size": 14, "vision_output_dim": 7680,
            "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
        },
    },
    "openai/clip-vit-large-patch14": {
        "architectures": ["CLIPModel"], "logit_scale_init_value": 2.6592, "model_type": "clip", "projection_dim": 768,
        "text_config": {
            "hidden_size": 768, "intermediate_size": 3072, "model_type": "clip_text_model", "num_attention_heads": 12,
            "projection_dim": 768,
        },
        "vision_config": {
            "hidden_size": 1024, "intermediate_size": 4096, "model_type": "clip_vision_model",
            "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768,
        },
    },
    "HuggingFaceM4/idefics-9b-instruct": {
        "additional_vocab_size": 2, "architectures": ["IdeficsForVisionText2Text"], "cross_layer_interval": 4,
        "hidden_size": 4096, "intermediate_size": 11008, "model_type": "idefics", "num_attention_heads": 32,
        "num_hidden_layers": 32, "perceiver_config": {"model_type": "idefics", "qk_layer_norms_perceiver": True},
        "qk_layer_norms": True, "rms_norm_eps": 1e-06, "use_resampler": True, "alpha_type": "float",
        "vision_config": {"embed_dim": 1280, "model_type": "idefics", "vision_model_name": "CLIP-ViT-H-14"},
        "vocab_size": 32000,
    },
    "openai/whisper-base": {
        "architectures": ["WhisperForConditionalGeneration"], "d_model": 512, "decoder_attention_heads": 8,
        "decoder_ffn_dim": 2048, "decoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048,
        "encoder_layers": 6, "is_encoder_decoder": True, "model_type": "whisper", "vocab_size": 51865,
    },
    "facebook/wav2vec2-large-960h-lv60-self": {
        "architectures": ["Wav2Vec2ForCTC"], "conv_bias": True, "do_stable_layer_norm": True,
        "feat_extract_norm": "layer", "hidden_size": 1024, "intermediate_size": 4096, "model_type": "wav2vec2",
        "num_attention_heads": 16, "num_hidden_layers": 24, "vocab_size": 32,
    },
}  # fmt: skip
"""Configurations of further families, with the sizes that are published."""


def one_of_each_kind() -> dict[str, dict[str, Any]]:
    """Those that differ in more than their sizes, by their ids."""
    smaller = ("llava-1.5-13b", "v1.6-vicuna", "SmolVLM-500M", "SmolVLM-Instruct", "SmolVLM2-256M", "SmolVLM2-500M")
    published = {name: values for name, (values, *_) in PUBLISHED.items()}
    decoders = {name: values for name, (values, *_) in DECODERS.items()}
    every = published | decoders | FURTHER
    return {name: values for name, values in every.items() if not any(part in name for part in smaller)}


_CLIP_336 = {
    "crop_size": {"height": 336, "width": 336}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
    "do_rescale": True, "do_resize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor", "image_std": [0.26862954, 0.26130258, 0.27577711],
    "processor_class": "LlavaProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 336},
}  # fmt: skip
_TILES = {
    "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
    "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Idefics3ImageProcessor",
    "image_std": [0.5, 0.5, 0.5], "max_image_size": {"longest_edge": 512}, "processor_class": "Idefics3Processor",
    "resample": 1, "rescale_factor": 0.00392156862745098, "size": {"longest_edge": 2048},
}  # fmt: skip
_SMOL_TILES = {**_TILES, "image_processor_type": "SmolVLMImageProcessor", "processor_class": "SmolVLMProcessor"}
SETTINGS: list[tuple[str, dict[str, Any], int, int]] = [
    ("llava-hf/llava-1.5-7b-hf", _CLIP_336, 0, 336),
    (
        "llava-hf/llava-v1.6-mistral-7b-hf",
        {
            **_CLIP_336, "aspect_ratio_setting": "anyres", "do_pad": True,
            "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
            "image_processor_type": "LlavaNextImageProcessor", "processor_class": "LlavaNextProcessor",
        },
        5, 336,
    ),
    ("HuggingFaceTB/SmolVLM-256M-Instruct", _TILES, 13, 512),
    (
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        {**_SMOL_TILES, "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 512}}},
        13, 512,
    ),
    (
        "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        {
            **_SMOL_TILES, "max_image_size": {"longest_edge": 384}, "size": {"longest_edge": 1536},
            "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 384}},
        },
        13, 384,
    ),
    (
        "HuggingFaceM4/Idefics3-8B-Llama3",
        {**_TILES, "max_image_size": {"longest_edge": 364}, "size": {"longest_edge": 1456}}, 13, 364,
    ),
]  # fmt: skip
"""Id, `preprocessor_config.json`, tiles that a picture of 640 x 480 becomes (0: it is one square), their side."""
