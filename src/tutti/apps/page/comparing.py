"""The tab Compare: two models or prompts answer the same, side by side and nameless, and a person chooses."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from tutti.apps.page.asking import DEFAULT_QUESTION, STOPPED, AskRoom, AskView
from tutti.apps.page.conversations import KeptDialogue
from tutti.apps.page.feedback import judged_media
from tutti.content.feedback import JudgedMedium
from tutti.errors import InputError
from tutti.evaluate.statistics import share_interval

DuelChoice = Literal["left", "right", "equal"]


@dataclass(frozen=True)
class Contestant:
    """What answers: a model, and a prompt before the question."""

    model: str
    prompt: str = ""

    def asks(self, question: str) -> str:
        """The question behind the prompt."""
        return "\n".join(filter(None, (self.prompt.strip(), question.strip())))

    def __str__(self) -> str:
        return f"{self.model}, told “{self.prompt.strip()}”" if self.prompt.strip() else self.model


@dataclass(frozen=True)
class Duel:
    """Two answers to the same question, in an order by chance."""

    question: str
    sides: tuple[Contestant, Contestant]
    """Left and right."""
    texts: tuple[str, str]
    media: tuple[JudgedMedium, ...] = ()
    """What it was about."""

    @property
    def asked(self) -> str:
        """The question, with the prompt where both had the same."""
        left, right = self.sides
        return left.asks(self.question) if left.prompt == right.prompt else self.question


@dataclass(frozen=True)
class SentElsewhere:
    """What a comparison would send to models elsewhere, of which nothing was sent yet."""

    previews: tuple[tuple[str, str], ...]
    """Model and JSON."""


class CompareRoom:
    """Two models, or one with two prompts, side by side.

    Args:
        asking: Answers.
        chance: Decides which is left; from 0 to 1.
    """

    def __init__(self, asking: AskRoom, chance: Callable[[], float] = random.random) -> None:
        self.asking, self._chance = asking, chance
        self._chosen: dict[str, list[tuple[str, str, str]]] = {}
        self._lock = threading.Lock()

    def ask(
        self, question: str, files: Sequence[str], contestants: Sequence[Contestant], dialogue: KeptDialogue, *,
        send: bool = False, told: Callable[[float], None] | None = None, tenant: str = "",
    ) -> Duel | SentElsewhere | None:  # fmt: skip
        """Let two answer.

        Args:
            question: Words.
            files: Paths of media.
            contestants: The two.
            dialogue: Whose `stop` ends it.
            send: The person has seen what models elsewhere would be sent, and wants it sent.
            told: Told how much is done, from 0 to 1.
            tenant: Whose it is.

        Returns:
            The answers; what would be sent elsewhere, if that was not shown yet; None where the person has stopped it.

        Raises:
            InputError: It is the same twice, or one of them cannot answer; the sentence says why.
        """
        first, second = contestants
        if (first.model, first.prompt.strip()) == (second.model, second.prompt.strip()):
            raise InputError(f"{first} was chosen twice; choose two models to compare, or give two prompts.")
        sides = (first, second) if self._chance() < 0.5 else (second, first)
        if unseen := self._previews(question, files, (first, second), dialogue, send=send):
            return SentElsewhere(unseen)
        texts: list[str] = []
        media: tuple[JudgedMedium, ...] = ()
        for place, side in enumerate(sides):
            if told is not None:
                told(place / 2)
            alone = KeptDialogue("alone", stop=dialogue.stop)  # neither sees what the other, or anyone before, has said
            view = self._answer(side, question, files, tenant, alone)
            if view is None:
                return None
            texts.append(view.text)
            media = judged_media(alone.turns[-1].asked, files)
        return Duel(question.strip() or DEFAULT_QUESTION, sides, (texts[0], texts[1]), media)

    def _previews(
        self, question: str, files: Sequence[str], contestants: Sequence[Contestant], dialogue: KeptDialogue, *,
        send: bool,
    ) -> tuple[tuple[str, str], ...]:  # fmt: skip
        """What is to be shown first: of all models elsewhere, or, where all of it was, nothing."""
        alone = KeptDialogue("alone", previewed=dialogue.previewed)
        found = [
            (one.model, self.asking.preview(alone, one.asks(question), files, one.model, send=send))
            for one in contestants
        ]
        return tuple((name, preview) for name, preview in found if preview)

    def _answer(
        self, side: Contestant, question: str, files: Sequence[str], tenant: str, alone: KeptDialogue
    ) -> AskView | None:
        said = side.asks(question)
        self.asking.preview(alone, said, files, side.model)  # was shown and agreed to before either is asked
        asked = self.asking.ask(alone, said, files, model=side.model, send=True, tenant=tenant)
        view = AskView("")
        for view in asked:  # noqa: B007 the last counts
            pass
        if view.error:
            raise InputError(view.error)
        return None if STOPPED in view.notes else view

    def choose(self, duel: Duel, choice: str, *, tenant: str = "") -> list[str]:
        """Note a choice.

        Returns:
            Lines that name the models, and the tenant's choices so far with their interval.

        Raises:
            InputError: The choice is none of left, right, equal.
        """
        if choice not in get_args(DuelChoice):
            raise InputError(f"{choice!r} is no choice; expected one of: {', '.join(get_args(DuelChoice))}.")
        left, right = map(str, duel.sides)
        winner = {"left": left, "right": right, "equal": ""}[choice]
        with self._lock:
            chosen = self._chosen.setdefault(tenant, [])
            chosen.append((*sorted((left, right)), winner))  # type: ignore[arg-type]
            return [f"Left was {left}, right was {right}.", _standing(chosen, *sorted((left, right)))]


def _standing(chosen: Sequence[tuple[str, str, str]], first: str, second: str) -> str:
    counted = Counter(winner for one, other, winner in chosen if (one, other) == (first, second))
    wins, losses, equal = counted[first], counted[second], counted[""]
    told = f"So far: {first} {wins}, {second} {losses}, equal {equal}."
    if wins + losses < 2:
        return told
    scores = [1.0] * wins + [0.0] * losses
    share = share_interval(scores, [str(at) for at in range(len(scores))])
    return f"{told} {first} is preferred in {share.mean:.0%} (from {share.low:.0%} to {share.high:.0%}, at 95 %)."
