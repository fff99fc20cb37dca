"""A generating model over whole conversations, of any family: by what the engine asks of it, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tutti.engine.runner import Decoder, Looker
from tutti.engine.speech_window import SpeechDecoder
from tutti.errors import UnsupportedTask
from tutti.models.layers.attention import Attend, LookingAttend, MaskedAttend
from tutti.models.layers.placing import place
from tutti.training.lessons import Lesson
from tutti.training.media_store import MediaStore
from tutti.training.objectives import IGNORE


def hidden_states(model: nn.Module, ids: Tensor, lessons: Sequence[Lesson], media: MediaStore, asked: Tensor) -> Tensor:
    """States of some tokens after the decoder's final norm; the last block computes no others where it can.

    Rows are padded on the right, where a causal mask keeps them from mattering.

    Shapes: ids (B, T) int64, a lesson a row → (B, R, D).

    Args:
        model: One that generates.
        ids: Token ids, placeholders included.
        lessons: Where media stand in each row, and who looks at them.
        media: Encodes them.
        asked: (R,) int64, tokens whose states are asked for, of all rows.

    Raises:
        UnsupportedTask: The model does not generate.
    """
    if isinstance(model, SpeechDecoder):
        return _heard(model, ids, lessons, media)[:, asked]
    if not isinstance(model, Decoder):
        raise UnsupportedTask(f"{type(model).__name__} generates no answers; tune one with a decoder.")
    encoded = media.encoded(model, (one for lesson in lessons for one in lesson.places), ids.device)
    positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    attend: Attend = MaskedAttend(asked=asked)
    if isinstance(model, Looker):
        x = model.embed_tokens(ids)
        if encoded:
            attend = _looking(model, lessons, encoded, ids, asked)
    else:
        here = _places(lessons, ids)
        x = model.embed_tokens(ids.masked_fill(here, 0))  # a placeholder need not be in the decoder's table
        if encoded:
            pieces = [encoded[one.digest] for lesson in lessons for one in lesson.places]
            x = place(x, here, torch.cat(pieces), "media")
    hidden = model.decode(x, positions, attend)
    return hidden[:, asked] if hidden.shape[1] > len(asked) else hidden


def labelled(labels: Tensor) -> Tensor:
    """Tokens that have a label in some row. Shapes: (B, T) int64 → (R,) int64."""
    return (labels != IGNORE).any(0).nonzero()[:, 0]


def token_logprobs(model: nn.Module, hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability of each row's labelled tokens, summed.

    Only labelled positions are projected to the vocabulary.

    Shapes: hidden (B, T, D), labels (B, T) int64, already shifted → (B,) float32, and (B,) how many tokens.
    """
    where = labels != IGNORE
    assert isinstance(model, Decoder | SpeechDecoder)  # noqa: S101 - whoever made the states asked
    logits = model.logits(hidden[where]).float()
    each = -F.cross_entropy(logits, labels[where], reduction="none")
    rows = torch.zeros(labels.shape, dtype=each.dtype, device=each.device).masked_scatter(where, each)
    return rows.sum(1), where.sum(1)


def checkpoint_blocks(model: nn.Module, containers: Sequence[str]) -> int:
    """Let the decoder's blocks be computed again in the backward pass instead of keeping what is within them.

    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".

    Args:
        model: Changed in place.
        containers: Names of the modules that hold the blocks.

    Returns:
        How many blocks.
    """
    count = 0
    for name in containers:
        for block in model.get_submodule(name).children():
            setattr(block, "forward", _checkpointed(block.forward))  # noqa: B010 - mypy knows it as a method
            count += 1
    return count


def _checkpointed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False) if torch.is_grad_enabled() else forward(*args)

    return run


def _heard(model: SpeechDecoder, ids: Tensor, lessons: Sequence[Lesson], media: MediaStore) -> Tensor:
    """States of transcripts, all of whose tokens look at the whole of their window."""
    encoded = media.encoded(model, (one for lesson in lessons for one in lesson.places), ids.device)
    states = torch.stack([encoded[lesson.places[0].digest] for lesson in lessons])
    everywhere = torch.ones(*ids.shape, states.shape[1], dtype=torch.bool, device=ids.device)
    positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    return model.decode(ids, positions, LookingAttend(None, model.remember(states), everywhere))


def _places(lessons: Sequence[Lesson], ids: Tensor) -> Tensor:
    """Where media stand. Shape (B, T) bool."""
    here = torch.zeros(ids.shape, dtype=torch.bool)
    for row, lesson in enumerate(lessons):
        for one in lesson.places:
            here[row, one.start : one.start + one.tokens] = True
    return here.to(ids.device)


def _looking(
    model: Looker, lessons: Sequence[Lesson], encoded: Mapping[str, Tensor], ids: Tensor, asked: Tensor
) -> LookingAttend:
    """Attention of rows whose tokens look at media, as the engine has it: a row without media looks at nothing."""
    rows = [[encoded[one.digest] for one in lesson.places] for lesson in lessons]
    most = max(sum(len(states) for states in row) for row in rows)
    first = next(iter(encoded.values()))
    memory = first.new_zeros(len(rows), most, first.shape[-1])
    filled = [torch.cat([*row, memory[0, : most - sum(map(len, row))]]) for row in rows]
    looks = torch.zeros(*ids.shape, most, dtype=torch.bool)
    sees = torch.zeros(ids.shape, dtype=torch.bool)
    for number, (lesson, row) in enumerate(zip(lessons, rows, strict=True)):
        starts = [0]
        for states in row:
            starts.append(starts[-1] + len(states))
        for view in lesson.views:
            looks[number, view.first : view.stop, starts[view.medium] : starts[view.medium] + view.states] = True
        if lesson.views:
            sees[number, lesson.places[0].start : len(lesson.ids)] = True
    made = model.remember(torch.stack(filled))
    return LookingAttend(None, made, looks.to(ids.device), sees.to(ids.device), asked)
