"""Six modalities in one space, and arithmetic in it, with an ImageBind checkpoint made on the spot.

Its weights are drawn, not trained, so the numbers mean nothing; with the published checkpoint (`tutti convert`) the
same lines find what looks, sounds or feels alike.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

import tutti
from tutti.models.imagebind.config import ImageBindConfig
from tutti.models.imagebind.model import ImageBindModel

MEDIA = Path(__file__).parent / "media"
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
CONFIG = {f"{trunk}_config": SMALL for trunk in ("vision", "text", "audio", "depth", "thermal", "imu")}
CONFIG = {"model_type": "imagebind", "projection_dim": 64, **CONFIG, "text_config": {**SMALL, "vocab_size": 5}}
SETTINGS = {name: {} for name in ("video", "audio", "depth", "thermal", "motion")}
SETTINGS["image"] = {"size": {"shortest_edge": 224}, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}


def save_checkpoint(folder: Path) -> Path:
    """Every file that a checkpoint of this family has."""
    words = tokenizers.Tokenizer(models.WordLevel({"a": 0, "dog": 1, "barking": 2, "<s>": 3, "</s>": 4}, "<s>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(["<s>", "</s>"])
    words.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 3), ("</s>", 4)])
    torch.manual_seed(0)
    model = ImageBindModel(ImageBindConfig.from_hf(CONFIG))
    files = {"tokenizer.json": words.to_str(), "preprocessor_config.json": json.dumps(SETTINGS)}
    tutti.checkpoints.save(model, folder, CONFIG, files)
    return folder


with tempfile.TemporaryDirectory() as place:
    model = tutti.load(save_checkpoint(Path(place) / "imagebind"))
    random = np.random.default_rng(0)
    senses = {
        "picture": tutti.Image(MEDIA / "picture.png"),
        "video": tutti.Video(MEDIA / "video.mp4"),
        "sound": tutti.Audio(MEDIA / "recording.ogg"),
        "depth": tutti.Depth(random.uniform(0.5, 5, (48, 64)).astype(np.float32)),  # metres
        "heat": tutti.Thermal(random.uniform(280, 310, (48, 64)).astype(np.float32)),  # kelvin
        "motion": tutti.Motion(random.normal(size=(1000, 6)).astype(np.float32), sample_rate_hz=200),
    }
    vectors = dict(zip(["words", *senses], model.embed(["a dog barking", *senses.values()]), strict=True))
    scores = model.classify(senses["depth"], ["a dog", "barking"])

wanted = vectors["picture"] + vectors["sound"]  # what looks like this and sounds like that
for name, vector in vectors.items():
    print(f"{name:<8} {float(wanted @ vector / np.linalg.norm(wanted)):.2f}")
print("depth is", max(scores, key=scores.get))
