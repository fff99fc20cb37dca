"""Write `sentencepiece/tiny.model` and `sentencepiece/ids.json`: a small vocabulary of Llama's kind, and its ids.

    pip install sentencepiece
    python tests/processing/sentencepiece_golden.py

The vocabulary is learned from this project's own README with the settings of Llama's (byte-pair encoding, fallback to
bytes, no change of the text).
"""

from __future__ import annotations

import json
from pathlib import Path

import sentencepiece

HERE = Path(__file__).parent / "sentencepiece"
README = Path(__file__).parents[2] / "README.md"
TEXTS = [
    "What animal is this?", " two  spaces  ", "naïve Straße 東京 🦊", "a\n\tb", "1234567890", "",
    "The models answer questions.", "aaaaaaaa aaa a", "don't-stop (now)", "\u2581 is a sign", "<s> stays text",
]  # fmt: skip

if __name__ == "__main__":
    sentencepiece.SentencePieceTrainer.train(
        input=str(README), model_prefix=str(HERE / "tiny"), vocab_size=600, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        character_coverage=0.99995, allow_whitespace_only_pieces=True, max_sentence_length=100_000,
    )  # fmt: skip
    (HERE / "tiny.vocab").unlink()
    model = sentencepiece.SentencePieceProcessor(model_file=str(HERE / "tiny.model"))
    ids = {text: model.encode(text) for text in TEXTS}
    (HERE / "ids.json").write_text(json.dumps(ids, indent=0, ensure_ascii=False) + "\n")
