"""The vocabulary in a GGUF file's entries to a tokenizer that splits text the same way.

Source: `docs/gguf.md` of ggml, and llama.cpp, `src/llama-vocab.cpp`, for what `tokenizer.ggml.pre` stands for. Two
kinds are read: "gpt2" (byte-level pairs, as GPT-2, Llama 3 and Qwen2 have them) and "llama" (SentencePiece's pairs with
scores, as Llama 2 and Mistral have them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

from tutti.errors import CheckpointError, UnsupportedConfig
from tutti.processing.sentencepiece import SentencePiece, tokenizer_of_pieces
from tutti.processing.tokenizer import Tokenizer

_CONTROL, _USER, _UNUSED = 3, 4, 5
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLITS: Mapping[str, str | None] = {
    "qwen2": rf"{_LETTERS}|\p{{N}}|{_REST}",
    "llama-bpe": rf"{_LETTERS}|\p{{N}}{{1,3}}|{_REST}",
    "tekken": _TEKKEN,
    "gpt-2": None,
}
"""`tokenizer.ggml.pre` → where text is parted before pairs are merged; None is as the byte level does it by itself."""
_WHOLE = ("llama-bpe", "tekken")
"""Those in which a word that is a token is taken as it is, whatever the merges say."""
_BEGUN = ("llama-bpe", "tekken")
"""Those that put the token of the beginning before a text, where the file does not say."""


def tokenizer_of_gguf(metadata: Mapping[str, Any], name: str = "The GGUF file") -> Tokenizer:
    """The tokenizer that the entries describe.

    Args:
        metadata: Entries of the file.
        name: What errors call it.

    Raises:
        CheckpointError: Entries are missing, or contradict one another.
        UnsupportedConfig: The vocabulary is of a kind that is not read.
    """
    kind = metadata.get("tokenizer.ggml.model")
    tokens, kinds = _column(metadata, "tokens", str, name), _column(metadata, "token_type", int, name)
    if len(kinds) != len(tokens) or not tokens:
        raise CheckpointError(f"{name} has {len(tokens)} tokens and {len(kinds)} of their types; it is damaged.")
    if len(set(tokens)) != len(tokens):
        raise CheckpointError(f"{name} has a token twice; it is damaged: fetch it again.")
    if kind == "gpt2":
        return Tokenizer(_byte_level(metadata, tokens, kinds, name))
    if kind == "llama":
        return Tokenizer(_scored(metadata, tokens, kinds, name))
    raise UnsupportedConfig(
        f"{name} has a vocabulary of kind {kind!r}; expected 'gpt2' or 'llama': give the model's tokenizer.json with "
        "--vocabulary."
    )


def special_tokens(metadata: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, str]:
    """Names such as `bos_token` → the token, as `tokenizer_config.json` has them."""
    found: dict[str, str] = {}
    for key in ("bos", "eos", "unknown", "padding"):
        number = metadata.get(f"tokenizer.ggml.{key}_token_id")
        if type(number) is int and 0 <= number < len(tokens):
            found[{"unknown": "unk", "padding": "pad"}.get(key, key) + "_token"] = tokens[number]
    return found


def _byte_level(metadata: Mapping[str, Any], tokens: list[str], kinds: list[int], name: str) -> tokenizers.Tokenizer:
    pre = metadata.get("tokenizer.ggml.pre", "gpt-2")
    pre = {"llama3": "llama-bpe", "llama-v3": "llama-bpe", "default": "gpt-2"}.get(pre, pre)
    if pre not in _SPLITS:
        raise UnsupportedConfig(
            f"{name} parts words as {pre!r} does; known are {', '.join(_SPLITS)}: give the model's tokenizer.json with "
            "--vocabulary."
        )
    merges: list[tuple[str, str]] = []
    vocabulary = {
        token: place for place, (token, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind != _UNUSED
    }
    for pair in _column(metadata, "merges", str, name):
        left, _, right = pair.partition(" ")
        if any(part not in vocabulary for part in (left, right, left + right)):
            raise CheckpointError(f"{name} merges {pair[:40]!r}, which are no tokens; it is damaged.")
        merges.append((left, right))
    made = tokenizers.Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre in _WHOLE))
    split = _SPLITS[pre]
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    if split is None:
        made.pre_tokenizer = level
    else:
        made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(split), "isolated"), level])
    if pre == "qwen2":
        made.normalizer = normalizers.NFC()
    made.decoder = decoders.ByteLevel()
    _add(made, tokens, kinds)
    begins = metadata.get("tokenizer.ggml.add_bos_token", pre in _BEGUN)
    if begins and (bos := special_tokens(metadata, tokens).get("bos_token")):
        made.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, vocabulary[bos])]
        )
    return made


def _scored(metadata: Mapping[str, Any], tokens: list[str], kinds: list[int], name: str) -> tokenizers.Tokenizer:
    scores = _column(metadata, "scores", float, name)
    if len(scores) != len(tokens):
        raise CheckpointError(f"{name} has {len(tokens)} tokens and {len(scores)} scores; it is damaged.")
    pieces = list(zip(tokens, scores, kinds, strict=True))
    space = bool(metadata.get("tokenizer.ggml.add_space_prefix", True))
    begins = bool(metadata.get("tokenizer.ggml.add_bos_token", True))
    return tokenizer_of_pieces(SentencePiece(pieces, space_before=space), name, begins=begins)


def _add(made: tokenizers.Tokenizer, tokens: list[str], kinds: list[int]) -> None:
    """Declare the tokens that stand for themselves wherever they are spelled out."""
    paired = list(zip(tokens, kinds, strict=True))
    made.add_special_tokens(
        [AddedToken(one, normalized=False, special=True) for one, kind in paired if kind == _CONTROL]
    )
    made.add_tokens([AddedToken(one, normalized=False) for one, kind in paired if kind == _USER])


def _column(metadata: Mapping[str, Any], key: str, kind: type, name: str) -> list[Any]:
    found = metadata.get(f"tokenizer.ggml.{key}")
    if not isinstance(found, list) or not all(type(one) is kind for one in found):
        raise CheckpointError(f"{name} has no tokenizer.ggml.{key} as a list of {kind.__name__}; it has no vocabulary.")
    return found
