"""Checkpoints in the shape of a LLaVA-1.5, with random weights; written shard by shard, so that 7B fit any memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

from tutti.checkpoints.families import FAMILIES

IMAGE_TOKEN = 32000
TEMPLATE = """
{%- for message in messages %}{{ message['role'].upper() + ': ' }}
    {%- for item in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}
    {%- for item in message['content'] | selectattr('type', 'equalto', 'text') %}{{ item['text'] + ' ' }}{% endfor %}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"""


def text(width: int, inner: int, layers: int, heads: int) -> dict[str, Any]:
    """Configuration of a LLaMA."""
    return {
        "model_type": "llama", "vocab_size": 32064, "hidden_size": width, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": heads,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
    }  # fmt: skip


def tower(width: int, inner: int, layers: int, heads: int, side: int, patch: int) -> dict[str, Any]:
    """Configuration of a CLIP tower."""
    return {
        "model_type": "clip_vision_model", "hidden_size": width, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads,
        "image_size": side, "patch_size": patch, "projection_dim": 768,
    }  # fmt: skip


LARGE = tower(1024, 4096, 24, 16, 336, 14)
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "7b": (text(4096, 11008, 32, 32), LARGE),
    "13b": (text(5120, 13824, 40, 40), LARGE),
    "small": (text(1024, 2816, 12, 16), tower(768, 3072, 12, 12, 224, 16)),
}
"""Name → decoder and tower; "small" has a ViT-B/16-224 and a decoder of 187 M parameters."""


def write(
    folder: Path,
    shape: str,
    dtype: torch.dtype = torch.float16,
    shard_bytes: int = 2_000_000_000,
    constant: bool = False,
) -> None:
    """Write a checkpoint with its tokenizer, template and settings.

    With `constant`, large weights repeat the same million random numbers: drawing 13 billion takes minutes.
    """
    decoder, vision = SHAPES[shape]
    config = {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "image_token_index": IMAGE_TOKEN,
        "text_config": decoder, "vision_config": vision, "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default", "projector_hidden_act": "gelu", "tie_word_embeddings": False,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    _write_words(folder, config)
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(_shards(config, dtype, shard_bytes, constant), 1):
        name = f"model-{number:05}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(shard, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def _shards(
    config: dict[str, Any], dtype: torch.dtype, shard_bytes: int, constant: bool = False
) -> Iterator[dict[str, torch.Tensor]]:
    family = FAMILIES["llava"]
    with torch.device("meta"):
        model = family.model(family.config(config))
    random = torch.Generator().manual_seed(0)
    # As many that no period fits a width.
    some = torch.empty(1_000_003 if constant else 0, dtype=dtype).normal_(std=0.02, generator=random)
    shard: dict[str, torch.Tensor] = {}
    size = 0
    for name, weight in model.state_dict().items():
        if "norm" in name:
            values = torch.full(weight.shape, float(name.endswith("weight")), dtype=dtype)
        elif constant and weight.numel() > len(some):
            values = some.repeat(-(-weight.numel() // len(some)))[: weight.numel()].view(weight.shape).clone()
        else:
            values = torch.empty(weight.shape, dtype=dtype).normal_(std=0.02, generator=random)
        if size + values.nbytes > shard_bytes and shard:
            yield shard
            shard, size = {}, 0
        shard[name] = values
        size += values.nbytes
    yield shard


def _write_words(folder: Path, config: dict[str, Any]) -> None:
    """Single bytes and letters, and pieces without a meaning up to the vocabulary of LLaMA."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz"]
    pieces += [f"▁w{number}" for number in range(IMAGE_TOKEN - len(pieces))]
    words = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(pieces)}, [], byte_fallback=True, unk_token="<unk>")
    )
    words.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    words.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    words.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in ("<unk>", "<s>", "</s>")])
    words.add_special_tokens([AddedToken("<image>", normalized=False, special=True)])
    words.add_tokens([AddedToken(f"<pad{number}>", normalized=False) for number in range(63)])
    words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    words.save(str(folder / "tokenizer.json"))
    side, patch = config["vision_config"]["image_size"], config["vision_config"]["patch_size"]
    images = {
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": side},
        "crop_size": {"height": side, "width": side}, "do_resize": True, "do_center_crop": True, "do_rescale": True,
        "do_normalize": True, "do_convert_rgb": True, "resample": 3, "rescale_factor": 1 / 255,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    }  # fmt: skip
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    for name, values in {
        "config.json": config,
        "preprocessor_config.json": images,
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", **marks},
        "processor_config.json": {
            "processor_class": "LlavaProcessor", "patch_size": patch, "image_token": "<image>",
            "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default",
        },
    }.items():  # fmt: skip
        (folder / name).write_text(json.dumps(values, indent=1))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
