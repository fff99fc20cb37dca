"""What tuning minimises: the loss of answers, and preferences against the model as it was before its adapter.

Sources: DPO, Rafailov et al. 2023, equation 7; IPO, Azar et al. 2023, equation 17, with log-probabilities a token as
its authors and TRL have it; KTO, Ethayarajh et al. 2024, equations 7 and 8. Reference implementation: TRL's
`DPOTrainer` and `KTOTrainer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.layers.lora import without_adapters
from tutti.training.generating import hidden_states, labelled, token_logprobs
from tutti.training.lesson_batches import LessonBatch
from tutti.training.media_store import MediaStore
from tutti.training.objectives import IGNORE

OBJECTIVES = ("answers", "dpo", "ipo", "kto", "reward")


class Logprobs(NamedTuple):
    """Log-probabilities of answers, under the model and under the reference."""

    policy: Tensor
    """(B,) sums over the answer's tokens."""
    reference: Tensor
    """(B,), without gradient."""
    tokens: Tensor
    """(B,) how many tokens each answer has."""


@dataclass(frozen=True)
class AnswerLoss:
    """Cross entropy of the assistant's tokens, each token of a step weighing the same."""

    media: MediaStore

    def __call__(self, model: nn.Module, batch: LessonBatch) -> Mapping[str, Tensor]:
        """The loss of a batch, whose arrays are tensors by now; "token_accuracy" beside it."""
        ids, labels = _tensors(batch)
        asked = labelled(labels)
        hidden, labels = hidden_states(model, ids, batch.lessons, self.media, asked), labels[:, asked]
        where = labels != IGNORE
        logits = model.logits(hidden[where]).float()  # type: ignore[operator]
        wanted = labels[where]
        right = (logits.argmax(-1) == wanted).float().mean()
        return {"loss": F.cross_entropy(logits, wanted, reduction="sum") / batch.share, "token_accuracy": right}

    def describe(self) -> dict[str, Any]:
        """What a run folder records."""
        return {"objective": "answers"}


@dataclass(frozen=True)
class PreferenceLoss:
    """A loss of compared answers; the reference is the model without its adapter.

    Args:
        media: Encodes media.
        kind: `dpo`, `ipo` or `kto`.
        beta: How strongly the model is held to the reference.
    """

    media: MediaStore
    kind: str
    beta: float = 0.1

    def __call__(self, model: nn.Module, batch: LessonBatch) -> Mapping[str, Tensor]:
        """The loss of a batch, with the margin of rewards and how often the better answer has the higher one."""
        ids, labels = _tensors(batch)
        policy, tokens = self._logprobs(model, ids, labels, batch)
        with torch.no_grad(), without_adapters(model):
            reference, _ = self._logprobs(model, ids, labels, batch)
        found = Logprobs(policy, reference, tokens)
        if self.kind == "kto":
            return kto_loss(found, torch.as_tensor(batch.good, device=ids.device), self.beta)
        return PAIRED[self.kind](found, self.beta)

    def _logprobs(self, model: nn.Module, ids: Tensor, labels: Tensor, batch: LessonBatch) -> tuple[Tensor, Tensor]:
        asked = labelled(labels)
        return token_logprobs(model, hidden_states(model, ids, batch.lessons, self.media, asked), labels[:, asked])

    def describe(self) -> dict[str, Any]:
        """What a run folder records."""
        return {"objective": self.kind, "beta": self.beta}


def dpo_loss(found: Logprobs, beta: float) -> dict[str, Tensor]:
    """-log sigmoid(beta (chosen - rejected)) of log-ratios to the reference. Rows: all chosen, then all rejected."""
    chosen, rejected = (found.policy - found.reference).chunk(2)
    return {"loss": -F.logsigmoid(beta * (chosen - rejected)).mean(), **_rewards(chosen, rejected, beta)}


def ipo_loss(found: Logprobs, beta: float) -> dict[str, Tensor]:
    """(chosen - rejected - 1 / 2 beta)² of log-ratios a token. Rows: all chosen, then all rejected."""
    ratios = found.policy - found.reference
    chosen, rejected = ratios.chunk(2)
    of_chosen, of_rejected = found.tokens.clamp(min=1).chunk(2)
    loss = (chosen / of_chosen - rejected / of_rejected - 1 / (2 * beta)).square().mean()
    return {"loss": loss, **_rewards(chosen, rejected, beta)}


def kto_loss(found: Logprobs, good: Tensor, beta: float) -> dict[str, Tensor]:
    """Of single answers that were good or bad, against what the model moved on answers to other questions.

    Rows: all answers, then as many pairs of a question and another one's answer, whose mean log-ratio estimates the
    divergence from the reference. Shapes: good (B,) bool, the others (2 B,).
    """
    ratios, others = (found.policy - found.reference).chunk(2)
    moved = others.mean().detach().clamp(min=0)
    value = torch.where(good, ratios - moved, moved - ratios)
    rewards = beta * ratios.detach()
    return {
        "loss": (1 - torch.sigmoid(beta * value)).mean(),
        "moved": moved,
        "accuracy": ((rewards > beta * moved) == good).float().mean(),
    }


PAIRED: Mapping[str, Callable[[Logprobs, float], dict[str, Tensor]]] = {"dpo": dpo_loss, "ipo": ipo_loss}


def _rewards(chosen: Tensor, rejected: Tensor, beta: float) -> dict[str, Tensor]:
    margins = beta * (chosen - rejected).detach()
    return {"margin": margins.mean(), "accuracy": (margins > 0).float().mean()}


def _tensors(batch: LessonBatch) -> tuple[Tensor, Tensor]:
    return torch.as_tensor(batch.input_ids), torch.as_tensor(batch.labels)
