"""A LLaVA made on the spot: tiny, its weights random, in the layout of the published ones, and asked like them."""

import json
import tempfile
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

import tutti
from tutti.models.llava.config import LlavaConfig
from tutti.models.llava.model import LlavaForConditionalGeneration

PICTURE = Path(__file__).parent / "media/picture.png"
SPECIAL = ["<s>", "</s>", "<image>"]
TEMPLATE = """{% for message in messages %}{{ message['role'].upper() + ': ' }}{% for item in message['content'] %}
{{- '<image>\n' if item['type'] == 'image' else item['text'] + ' ' }}{% endfor %}{% endfor %}ASSISTANT:"""

letters = sorted(pre_tokenizers.ByteLevel.alphabet())
tokenizer = Tokenizer(models.BPE({piece: index for index, piece in enumerate([*SPECIAL, *letters])}, []))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])

config = {
    "model_type": "llava",
    "image_token_index": SPECIAL.index("<image>"),
    "vision_feature_layer": -2,
    "vision_config": {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2,
        "image_size": 56, "patch_size": 14,
    },
    "text_config": {
        "model_type": "llama", "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512,
    },
}  # fmt: skip
settings = {"size": 56, "crop_size": 56, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
files = {
    "tokenizer.json": tokenizer.to_str(),
    "tokenizer_config.json": json.dumps({"eos_token": "</s>"}),
    "preprocessor_config.json": json.dumps(settings),
    "chat_template.jinja": TEMPLATE,
}

torch.manual_seed(0)
with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch) / "tiny-llava"
    tutti.checkpoints.save(LlavaForConditionalGeneration(LlavaConfig.from_hf(config)), folder, config, files)
    facts = tutti.checkpoints.inspect(folder)
    print(f"{facts.parameters:,} parameters, {facts.media_tokens['image']['picture']} tokens a picture")
    answer = tutti.load(str(folder)).ask("What animal is this?", PICTURE, max_tokens=8)
    print(f"{answer.text!r} after {answer.usage.prompt_tokens} tokens: random weights say random things")
