"""What can be chosen when a model is tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tutti.errors import InputError
from tutti.training.tuning_objectives import OBJECTIVES

RATES = {"lora": 2e-4, "parts": 2e-5, "full": 2e-5, "preferences": 5e-5}
"""Peak learning rates where none is given: those of LLaVA's and QLoRA's authors; preferences move by less."""


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """How a model is tuned."""

    objective: str = "answers"
    """`answers`, or of preferences `dpo`, `ipo` or `reward`, or of single verdicts `kto`."""
    beta: float = 0.1
    """How strongly preferences are held to the model before."""
    how: Literal["lora", "parts", "full"] = "lora"
    """An adapter beside the weights, whole parts, or everything."""
    rank: int = 16
    alpha: float | None = None
    """Strength of the adapter; None is twice the rank."""
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    """Layers that get an adapter, as `tuning_parts.target_layers` takes them; none for the family's own."""
    parts: tuple[str, ...] = ()
    """Parts that are trained whole: connector, decoder, trunks."""
    epochs: float = 3.0
    steps: int | None = None
    """Optimizer steps; None counts epochs."""
    batch: int = 8
    """Rows of a micro-batch."""
    micro_batches: int = 1
    """Micro-batches of a step."""
    rate: float | None = None
    """Peak learning rate; None is that of `RATES`."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises."""
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    checkpointing: bool = False
    """Compute blocks again in the backward pass instead of keeping what is within them."""
    precision: Literal["float32", "bfloat16"] = "float32"
    longest: int | None = None
    """Most tokens of a row; None is the model's context."""
    held_out: float = 0.1
    """Share of the rows that are kept for validation where no file is given for it."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            InputError: A choice is not known, or a number is out of range.
        """
        if self.objective not in OBJECTIVES:
            raise InputError(f"The objective is {self.objective!r}; expected {', '.join(OBJECTIVES)}.")
        if self.objective != "answers" and self.how != "lora":
            raise InputError(
                f"{self.objective} needs the model without its adapter, too, and {self.how} makes none; use --lora."
            )
        if (self.how == "parts") != bool(self.parts):
            raise InputError("Parts are trained whole or there is an adapter; expected one of --lora, --parts, --full.")
        if min(self.rank, self.batch, self.micro_batches, self.steps or 1) < 1 or self.epochs <= 0:
            raise InputError("Rank, batch, micro-batches and steps are whole numbers from 1 on, and epochs above 0.")
        if not (0 <= self.dropout < 1 and 0 <= self.warmup <= 1 and 0 <= self.held_out < 1 and self.beta > 0):
            raise InputError("Dropout and the held-out share are from 0 to below 1, warm-up 0 to 1, and beta above 0.")

    @property
    def strength(self) -> float:
        """Alpha."""
        return 2.0 * self.rank if self.alpha is None else self.alpha

    @property
    def peak_rate(self) -> float:
        """Peak learning rate."""
        known = {"answers": self.how, "reward": "lora"}
        return self.rate or RATES[known.get(self.objective, "preferences")]
