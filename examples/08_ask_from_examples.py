"""Ask from examples: pictures with their answers first, then the question, on a Flamingo-type checkpoint made here.

Its weights are random, so its words mean nothing. `tutti.load("HuggingFaceM4/idefics-9b-instruct")` is asked alike.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

import tutti
from tutti.models.idefics.config import IdeficsConfig
from tutti.models.idefics.model import IdeficsForVisionText2Text

WORDS = ["<unk>", *"User Assistant : And this ? It stands climbs lies swims flies sleeps .".split()]
MARKS = ["<s>", "</s>", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
CONFIG = {
    "model_type": "idefics", "vocab_size": len(WORDS) + 2, "additional_vocab_size": 3, "hidden_size": 32,
    "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "cross_layer_interval": 2,
    "use_resampler": True,
    "perceiver_config": {"resampler_n_latents": 8, "resampler_depth": 1, "resampler_n_heads": 2},
    "vision_config": {"embed_dim": 32, "patch_size": 56, "num_hidden_layers": 2, "num_attention_heads": 2},
}  # fmt: skip

words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, "<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
words.add_special_tokens(MARKS)
files = {
    "tokenizer.json": words.to_str(),
    "tokenizer_config.json": json.dumps({"bos_token": "<s>", "eos_token": "</s>"}),
    "preprocessor_config.json": json.dumps({"image_size": 224, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}),
}
torch.manual_seed(3)
with tempfile.TemporaryDirectory() as folder:
    tiny = IdeficsForVisionText2Text(IdeficsConfig.from_hf(CONFIG))
    for weights in tiny.parameters():
        if weights.ndim > 1 or len(weights) == 1:  # all but norms and biases; gates are closed otherwise
            torch.nn.init.normal_(weights)
    tutti.checkpoints.save(tiny, Path(folder, "tiny"), CONFIG, files)
    model = tutti.load(Path(folder, "tiny"))

dog = Image.open(Path(__file__).parent / "media" / "picture.png").convert("RGB")
pictures = [tutti.Image(np.asarray(dog.rotate(angle))) for angle in (0, 90, 180)]
examples = []
for picture, answer in zip(pictures, ("It stands.", "It climbs."), strict=False):
    examples += [tutti.Message.user(picture, "And this?"), tutti.Message("assistant", (tutti.Text(answer),))]
for shown in (0, 1, 2):
    answer = model.ask([*examples[: 2 * shown], tutti.Message.user(pictures[2], "And this?")], max_tokens=6)
    usage = answer.usage
    print(f"{shown} examples, {usage.prompt_tokens} tokens, {usage.media_tokens} of them for pictures: {answer.text!r}")
