"""`best:FOLDER`: the best of several drawn answers, by a reward model that `tutti tune --objective reward` made.

Source: Nakano et al. 2021 (WebGPT), section 3.2 ("rejection sampling"), best of n. The reward model is the answering
model with an adapter and a head. It reads through the engine, as a model of two words whose first one's logit is the
reward and the other's 0; so candidates share the keys and values of their question, and each medium is encoded once.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from tutti import checkpoints
from tutti.checkpoints.adapters import adapter_folder
from tutti.checkpoints.reward_head import read_head
from tutti.content import (
    Answer,
    Conversation,
    Event,
    Finished,
    SamplingOptions,
    Text,
    TextDelta,
    Usage,
)
from tutti.content.streams import answer_of_stream
from tutti.engine import Engine
from tutti.engine.runner import Decoder
from tutti.errors import InputError, UnsupportedTask
from tutti.interfaces import Provider, Responder
from tutti.media import MediaDecoder
from tutti.models.layers.linear import attending_dtype
from tutti.providers.adapted import share_weights
from tutti.providers.in_front import InFront
from tutti.providers.local import Local

_MOST_ANSWERS = 64


@dataclass(frozen=True, kw_only=True)
class RewardFolder:
    """What a run of a reward model says of itself."""

    folder: Path
    """Of its adapter and head."""
    model: str
    quantize: str | None
    answers: int
    """How many are drawn."""
    temperature: float
    """At which all but the first are drawn; the first is the likeliest."""


def read_reward(path: Path) -> RewardFolder:
    """Read the folder of a run, or `reward` in it; nothing in it is run.

    Raises:
        InputError: It is no reward model.
    """
    folder = path / "reward" if (path / "reward").is_dir() else path
    try:
        table = json.loads((folder / "reward.json").read_bytes())
        if table["format"] != "tutti reward 1":
            raise ValueError(f"its format is {str(table['format'])[:40]!r}")
        found = RewardFolder(
            folder=folder, model=str(table["model"]), quantize=table["quantize"] and str(table["quantize"]),
            answers=int(table["answers"]), temperature=float(table["temperature"]),
        )  # fmt: skip
        if not (1 <= found.answers <= _MOST_ANSWERS and 0 < found.temperature < math.inf):
            raise ValueError(f"it draws {found.answers} answers at {found.temperature}")
    except OSError as error:
        raise InputError(
            f"{path} is no reward model ({error.strerror or error}); make one: tutti tune MODEL --objective reward."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        told = f"{type(error).__name__}: {error}"[:160]
        raise InputError(f"{folder}/reward.json is damaged ({told}); make the reward model anew: tutti tune.") from None
    return found


class _Judging(nn.Module):
    """A decoder of two words: the logit of the first is the reward, that of the other 0."""

    def __init__(self, model: Decoder, head: nn.Module) -> None:
        super().__init__()
        self.model, self.head = cast("nn.Module", model), head
        self.encode_media, self.embed_tokens, self.decode = model.encode_media, model.embed_tokens, model.decode
        for name in ("layers", "kv_heads", "head_width", "context_length", "state_bytes", "most_states", "remember"):
            if hasattr(model, name):
                object.__setattr__(self, name, getattr(model, name))

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, 2)."""
        reward = self.head(hidden.float())
        return torch.cat([reward, torch.zeros_like(reward)], dim=-1)


class Rewarder(Local):
    """A reward model.

    Args:
        folder: Of its run.
        decoder: Decodes the media.
        place: `device` and `dtype` of `checkpoints.load`.
        like: The same model without an adapter, whose weights it shares; None if it is not in memory.

    Raises:
        CheckpointError: It is damaged, or of another model.
        UnsupportedTask: The model does not answer.
    """

    def __init__(
        self, folder: RewardFolder, decoder: MediaDecoder, place: Mapping[str, Any], like: nn.Module | None = None
    ) -> None:
        loaded = checkpoints.load(
            folder.model, quantize=folder.quantize, adapter=adapter_folder(folder.folder), **place
        )
        super().__init__(folder.model, loaded, decoder)
        if not isinstance(loaded.model, Decoder):
            raise UnsupportedTask(f"{folder.model} has no decoder that answers, so that no answer has a reward.")
        if like is not None:
            share_weights(loaded.model, like)
        with torch.inference_mode():
            width = loaded.model.embed_tokens(torch.zeros(1, dtype=torch.int64, device=self.device)).shape[-1]
        head = read_head(folder.folder, width).to(self.device)
        self.engine = Engine(
            cast("Decoder", _Judging(loaded.model, head).eval()),
            eos_ids=(),
            detokenize=lambda ids: "".join(map(str, ids)),
            embedding_cache=self.embedding_cache,
            device=self.device,
            kv_dtype=attending_dtype(loaded.model),
        )

    def rewards(self, conversation: Conversation, answers: Sequence[str], tenant: str = "") -> list[float]:
        """What answers to a conversation are worth; differences count, not the numbers themselves.

        Raises:
            InputError: A medium cannot be read, or an answer is empty.
            CapacityError: A conversation is longer than the model reads.
        """
        turns = [(message.role, [self._piece(part) for part in message.parts]) for message in conversation]
        options = SamplingOptions(max_tokens=1, logprobs=2)
        asked = []
        for answer in answers:
            taught = self.processor.dialogue([*turns, ("assistant", [answer])])
            asked.append(self.engine.submit(taught.prompt, options, tenant))
        found = []
        for request in asked:
            (event,) = [event for event in self.engine.stream(request) if event.logprobs]
            told = dict(event.logprobs[0].top)
            found.append(told["0"] - told["1"])
        return found

    def _piece(self, part: Any) -> Any:
        return part.text if isinstance(part, Text) else self._medium(part, "ask")


class BestOf(InFront):
    """Several answers of a model, of which a reward model chooses one.

    Args:
        name: What it is called.
        base: Answers.
        folder: How many answers are drawn, and how.
        rewarder: Says what they are worth.

    Raises:
        UnsupportedTask: The model does not answer.
    """

    def __init__(self, name: str, base: Provider, folder: RewardFolder, rewarder: Rewarder) -> None:
        if not isinstance(base, Responder):
            raise UnsupportedTask(f"{base.name} does not answer, so that there is nothing to choose from.", "ask")
        self.name, self.base, self._folder, self._rewarder = name, base, folder, rewarder
        self._responder: Responder = base

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """Yield the best answer as a whole: the likeliest, or one of those that are drawn. Errors as for the model.

        Usage is that of all answers together. Answers that keep to a schema, or may call tools, are the model's own.
        """
        if options.json_schema is not None or options.offered or options.logprobs is not None:
            yield from self._responder.stream(conversation, options)
            return
        begun = time.perf_counter()
        answers = [self._drawn(conversation, options, number) for number in range(self._folder.answers)]
        texts = list(dict.fromkeys(one.text for one in answers if one.text.strip()))
        worth = self._rewarder.rewards(conversation, texts, options.tenant) if len(texts) > 1 else [0.0] * len(texts)
        best = texts[max(range(len(texts)), key=worth.__getitem__)] if texts else answers[0].text
        chosen = next(one for one in answers if one.text == best)
        note = f"The best of {len(answers)} answers, {len(texts)} of them different, by {self._folder.folder}."
        if best:
            yield TextDelta(best)
        yield Finished(
            replace(
                chosen, model=self.name, usage=_sum([one.usage for one in answers]),
                seconds=time.perf_counter() - begun, notes=(*chosen.notes, note),
            )
        )  # fmt: skip

    def _drawn(self, conversation: Conversation, options: SamplingOptions, number: int) -> Answer:
        """The likeliest answer, or the one of a number that is drawn."""
        seed = None if options.seed is None else options.seed + number
        drawn = replace(options, temperature=self._folder.temperature if number else 0.0, seed=seed)
        return answer_of_stream(self._responder.stream(conversation, drawn), self.base.name)


def _sum(usages: Sequence[Usage]) -> Usage:
    """What all answers took."""
    return Usage(**{field.name: sum(getattr(one, field.name) for one in usages) for field in fields(Usage)})
