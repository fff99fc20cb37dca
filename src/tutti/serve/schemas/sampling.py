"""Options that several dialects share, and what clients send beside them by habit."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field, StringConstraints

from tutti.serve.schemas.base import (
    MOST_TOKENS,
    Bookkeeping,
    EmptyList,
    EmptyObject,
    NamedRequest,
    Neutral,
    Off,
    On,
    One,
    RequestBody,
    Unset,
    Zero,
)

MOST_CHOICES = 8
"""Largest `n`."""
_Stop: TypeAlias = Annotated[str, StringConstraints(max_length=256)]


class StreamOptions(RequestBody):
    """What a stream reports besides the answer."""

    include_usage: bool | None = None
    """Report the tokens in an event of their own at the end."""
    include_obfuscation: bool | None = None
    """Accepted and without effect."""
    continuous_usage_stats: bool | None = None
    """Accepted: usage is reported once, at the end."""


class DrawnRequest(NamedRequest):
    """How an answer is drawn."""

    stream: bool | None = None
    """Send the answer in pieces, as server-sent events."""
    stream_options: StreamOptions | None = None
    """What a stream has beside the answer."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """0, and left out, is the likeliest answer; above, answers vary."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Keep the likeliest tokens that together reach this probability."""
    top_k: int | None = Field(default=None, ge=-1, le=MOST_TOKENS)
    """Keep so many of the likeliest tokens; 0 and -1 keep all."""
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    """Above 1, what is there already becomes less likely."""
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    """Most tokens of the answer."""
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    """Strings that end the answer; none of them is part of it."""
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    """The same seed draws the same answer."""
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    """How many answers."""
    presence_penalty: Zero = None
    frequency_penalty: Zero = None
    logit_bias: EmptyObject = None
    # Of vLLM's dialect.
    min_p: Zero = None
    min_tokens: Zero = None
    ignore_eos: Off = None
    best_of: One = None
    use_beam_search: Off = None
    length_penalty: One = None
    stop_token_ids: EmptyList = None
    bad_words: EmptyList = None
    allowed_token_ids: Unset = None
    include_stop_str_in_output: Off = None
    skip_special_tokens: On = None
    spaces_between_special_tokens: Annotated[Any, Neutral(True, False)] = None
    truncate_prompt_tokens: Unset = None
    prompt_logprobs: Unset = None
    return_tokens_as_token_ids: Off = None
    return_token_ids: Off = None
    guided_json: Unset = None
    guided_regex: Unset = None
    guided_choice: Unset = None
    guided_grammar: Unset = None
    structured_outputs: Unset = None
    mm_processor_kwargs: EmptyObject = None
    priority: Zero = None
    request_id: Bookkeeping = None
    cache_salt: Bookkeeping = None
    # Of llama.cpp's.
    cache_prompt: Bookkeeping = None
    id_slot: Bookkeeping = None
    typical_p: One = None
    mirostat: Zero = None
    dynatemp_range: Zero = None
    xtc_probability: Zero = None
    dry_multiplier: Zero = None
    n_probs: Zero = None
    grammar: Annotated[Any, Neutral("")] = None
    timings_per_token: Off = None
