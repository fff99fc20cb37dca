"""Keys of `config.json` whatever the family: those that change nothing, and what becomes of those that are unknown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tutti.errors import UnsupportedConfig

_GENERATION_KEYS = frozenset(
    {
        "add_cross_attention",
        "bad_words_ids",
        "begin_suppress_tokens",
        "cross_attention_hidden_size",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "exponential_decay_length_penalty",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "is_decoder",
        "is_encoder_decoder",
        "length_penalty",
        "max_length",
        "min_length",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_return_sequences",
        "output_scores",
        "repetition_penalty",
        "return_dict_in_generate",
        "suppress_tokens",
        "temperature",
        "tie_encoder_decoder",
        "top_k",
        "top_p",
        "typical_p",
    }
)
"""How text is drawn from a model, in older files of every family; newer ones have `generation_config.json`."""

IGNORED_KEYS = _GENERATION_KEYS | frozenset(
    {
        "_attn_implementation_autoset",
        "_flash_attn_2_enabled",
        "_name_or_path",
        "architectures",
        "attention_dropout",
        "bos_token_id",
        "chunk_size_feed_forward",
        "dropout",
        "dtype",
        "eos_token_id",
        "finetuning_task",
        "gradient_checkpointing",
        "id2label",
        "initializer_factor",
        "initializer_range",
        "is_llama_config",
        "label2id",
        "model_type",
        "neftune_noise_alpha",
        "output_attentions",
        "output_hidden_states",
        "pad_token_id",
        "prefix",
        "pretraining_tp",
        "problem_type",
        "remove_invalid_values",
        "return_dict",
        "sep_token_id",
        "task_specific_params",
        "tf_legacy_loss",
        "tie_word_embeddings",
        "tokenizer_class",
        "torch_dtype",
        "torchscript",
        "transformers.js_config",
        "transformers_version",
        "use_bfloat16",
        "use_cache",
    }
)
"""Names, training, how outputs are wrapped and how text is drawn. A family's own fields come before this list."""

_NOTHING: tuple[Any, ...] = (None, {}, [], "")
"""Values by which files say that something is not there."""
_NOTES = ("_", "unsloth_")
"""How notes begin that tools leave for themselves: private fields of `transformers`, and what Unsloth writes."""


@dataclass(frozen=True, kw_only=True)
class ReadConfig:
    """A configuration that was read from `config.json`."""

    unread: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Unknown keys that change nothing, with the part that they stand in: "text_config.pruned_heads"."""


def own_fields(kind: type[ReadConfig]) -> set[str]:
    """Fields of a configuration that `config.json` may give."""
    return {field.name for field in fields(kind)} - {"unread"}


def check_keys(values: Mapping[str, Any], known: Collection[str], subject: str, part: str = "") -> tuple[str, ...]:
    """Refuse unknown keys that may change what is computed.

    What an unknown key does cannot be known from its name. It is let pass if it is null or empty, which is how files
    say that something is not there, or if it is a note of a tool.

    Args:
        values: A part of `config.json`.
        known: Keys that are read, or known to change nothing in this family.
        subject: What the part is called in the error.
        part: What it is called in `unread`; nothing for the whole.

    Returns:
        The unknown keys that were let pass.

    Raises:
        UnsupportedConfig: There is another unknown key.
    """
    unknown = sorted(values.keys() - known - IGNORED_KEYS)
    for key in unknown:
        if values[key] not in _NOTHING and not key.startswith(_NOTES):
            raise UnsupportedConfig(f"{subject} has the unknown key {key!r}.")
    return tuple(f"{part}.{key}" if part else key for key in unknown)
