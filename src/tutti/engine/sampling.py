"""From logits to the next token: greedy, temperature, top-k, top-p, repetition penalty, one generator a sequence.

Sources: top-k: Fan et al. 2018, section 5.4; top-p: Holtzman et al. 2020, section 3.1; repetition penalty: Keskar et
al. 2019, section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutti.content import SamplingOptions
from tutti.errors import InputError

_LARGEST_SEED = 2**63 - 1
MOST_LOGPROBS = 20
"""Most likeliest tokens that are reported beside each token."""


class Constraint(Protocol):
    """What an answer must keep to, token by token. Implementation: `tutti.processing.constraints`."""

    def mask(self) -> NDArray[np.bool_]:
        """(V,) bool: the tokens that may come next, an end token among them where the answer may end."""
        ...

    def take(self, token: int) -> None:
        """Count a token as said."""
        ...

    def decode(self, ids: list[int]) -> str:
        """The text of tokens, as the constraint understands them."""
        ...


def check_options(options: SamplingOptions) -> None:
    """Refuse options that mean nothing.

    Raises:
        InputError: One of them is outside its range; the message names it.
    """
    if options.max_tokens < 1:
        raise InputError(f"max_tokens is {options.max_tokens}; expected 1 or more.")
    if not (options.temperature >= 0 and math.isfinite(options.temperature)):
        raise InputError(f"temperature is {options.temperature}; expected 0 (greedy) or a finite number above it.")
    if options.top_k < 0:
        raise InputError(f"top_k is {options.top_k}; expected 0 (keep all tokens) or more.")
    if not 0 < options.top_p <= 1:
        raise InputError(f"top_p is {options.top_p}; expected a number above 0 and at most 1.")
    if not (options.repetition_penalty > 0 and math.isfinite(options.repetition_penalty)):
        raise InputError(
            f"repetition_penalty is {options.repetition_penalty}; expected a finite number above 0 (1 is no penalty)."
        )
    if not 0 <= options.seed <= _LARGEST_SEED:
        raise InputError(f"seed is {options.seed}; expected a whole number from 0 to {_LARGEST_SEED}.")
    if options.logprobs is not None and not 0 <= options.logprobs <= MOST_LOGPROBS:
        raise InputError(f"logprobs is {options.logprobs}; expected 0 to {MOST_LOGPROBS}.")
    if any(not text for text in options.stop):
        raise InputError("stop holds an empty string, which would end every answer; expected non-empty strings.")


class Sampler:
    """Draws the tokens of one sequence, from its own stream of random numbers.

    Because the stream belongs to the sequence, the same seed gives the same tokens whatever else is in the batch.

    Args:
        options: Checked here.
        present: Token ids of the prompt, which the repetition penalty counts as said already.
        constraint: What the answer must keep to, if anything.

    Raises:
        InputError: As in `check_options`.
    """

    def __init__(
        self, options: SamplingOptions, present: Iterable[int] = (), constraint: Constraint | None = None
    ) -> None:
        check_options(options)
        self.options = options
        self._constraint = constraint
        plain = options.temperature == 0 and options.repetition_penalty == 1
        self.greedy = plain and constraint is None and options.logprobs is None
        """Whether the likeliest token is taken as it is, so that a batch of such sequences needs one argmax."""
        # On the CPU whatever the model's device, so that a seed means the same everywhere.
        self._generator = None if options.temperature == 0 else torch.Generator(device="cpu").manual_seed(options.seed)
        self._present = set(present) if options.repetition_penalty != 1 else None

    def draw(self, logits: Tensor) -> int:
        """Choose the next token.

        Shapes: logits (V,) → a token id.

        Raises:
            InputError: No token keeps to the constraint.
        """
        if self._present is not None:
            logits = self._penalized(logits)
        if self._constraint is not None:
            logits = _allowed(logits, self._constraint.mask())
        if self._generator is None:
            token = int(logits.argmax())
        else:
            uniform = float(torch.rand((), generator=self._generator, dtype=torch.float64, device="cpu"))
            token = _invert(self._probabilities(logits), uniform)
        if self._present is not None:
            self._present.add(token)
        if self._constraint is not None:
            self._constraint.take(token)
        return token

    def _penalized(self, logits: Tensor) -> Tensor:
        known = [token for token in self._present or () if 0 <= token < logits.shape[0]]
        ids = torch.tensor(known, dtype=torch.int64, device=logits.device)
        said = logits[ids]
        penalty = self.options.repetition_penalty
        return logits.index_put((ids,), torch.where(said > 0, said / penalty, said * penalty))

    def _probabilities(self, logits: Tensor) -> Tensor:
        logits = logits.double() / self.options.temperature
        if 0 < self.options.top_k < logits.shape[0]:
            least = logits.topk(self.options.top_k).values[-1]
            logits = logits.masked_fill(logits < least, -math.inf)
        probabilities = logits.softmax(dim=0)
        if self.options.top_p < 1:
            ordered, order = probabilities.sort(descending=True, stable=True)
            # A token stays while those before it have not reached top_p: the likeliest one therefore always stays.
            dropped = ordered.cumsum(dim=0) - ordered >= self.options.top_p
            probabilities = probabilities.index_fill(0, order[dropped], 0.0)
        return probabilities


def _allowed(logits: Tensor, mask: NDArray[np.bool_]) -> Tensor:
    """Logits (V,) of the tokens that a mask allows; V of the model may be padded beyond the tokenizer's."""
    if not mask.any():
        raise InputError(
            "No token of the model's vocabulary keeps to the JSON schema here: it asks for letters that the model "
            "cannot write; use another schema or another model."
        )
    refused = torch.ones(logits.shape[0], dtype=torch.bool, device="cpu")
    refused[: mask.shape[0]] = torch.from_numpy(~mask)[: logits.shape[0]]
    return logits.masked_fill(refused.to(logits.device), -math.inf)


def likeliest(logits: Tensor, token: int, count: int) -> tuple[float, list[tuple[int, float]]]:
    """How likely a token was, and which were the likeliest.

    Args:
        logits: (V,) as the model gave them.
        token: The one that was drawn.
        count: How many of the likeliest to tell.

    Returns:
        The logarithm of the token's probability; token ids with theirs, most likely first.
    """
    logarithms = logits.double().log_softmax(dim=0)
    top = logarithms.topk(min(count, logits.shape[0]))
    return float(logarithms[token]), list(zip(top.indices.tolist(), top.values.tolist(), strict=True))


def _invert(probabilities: Tensor, uniform: float) -> int:
    """The token in whose slice of the (unnormalized) distribution the uniform number falls: one number a token."""
    cumulative = probabilities.cumsum(dim=0)
    return int((cumulative <= uniform * cumulative[-1]).sum())
