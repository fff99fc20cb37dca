"""Small tokenizers of the three kinds that checkpoints bring."""

from __future__ import annotations

import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tutti.processing.tokenizer import Tokenizer

WORDS = "the dog barks it is a t shirt isn don s re play ##ing ##s 3 5 10 30 ' - . , ? ! : ( ) [ ] user sep".split()
TEXT = ["The dog barks at the café 🐶🐶, doesn't it?", "Ein Hund bellt — naïve 日本語 text.", "3.5 of 10:30"]


@pytest.fixture(scope="session")
def word_pieces() -> Tokenizer:
    """Uncased word pieces, as BERT's, with padding and truncation that must not be used."""
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=32)
    tokenizer.enable_truncation(max_length=8)
    return Tokenizer.from_bytes(tokenizer.to_str().encode())


@pytest.fixture(scope="session")
def byte_pairs() -> Tokenizer:
    """Byte-level byte pairs, as Llama 3's."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|eot|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return Tokenizer(tokenizer)


@pytest.fixture(scope="session")
def sentence_pieces() -> Tokenizer:
    """Byte pairs with a sign for the space and single bytes for what is unknown, as Llama 2's."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁the", "▁dog", "s", "é", "日"]
    tokenizer = tokenizers.Tokenizer(
        models.BPE({piece: index for index, piece in enumerate(pieces)}, [], byte_fallback=True, unk_token="<unk>")
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return Tokenizer(tokenizer)
