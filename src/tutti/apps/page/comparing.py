"""The tab Compare: two models answer the same, side by side and without their names, and a person chooses."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from tutti.apps.page.asking import STOPPED, AskRoom, AskView
from tutti.apps.page.conversations import KeptDialogue
from tutti.errors import InputError
from tutti.evaluate.statistics import share_interval

DuelChoice = Literal["left", "right", "equal"]


@dataclass(frozen=True)
class Duel:
    """Two answers to the same question, in an order by chance."""

    question: str
    models: tuple[str, str]
    """Left and right."""
    texts: tuple[str, str]


@dataclass(frozen=True)
class SentElsewhere:
    """What a comparison would send to models elsewhere, of which nothing was sent yet."""

    previews: tuple[tuple[str, str], ...]
    """Model and JSON."""


class CompareRoom:
    """Two models side by side.

    Args:
        asking: Answers.
        chance: Decides which is left; from 0 to 1.
    """

    def __init__(self, asking: AskRoom, chance: Callable[[], float] = random.random) -> None:
        self.asking, self._chance = asking, chance
        self._chosen: dict[str, list[tuple[str, str, str]]] = {}
        self._lock = threading.Lock()

    def ask(
        self, question: str, files: Sequence[str], models: Sequence[str], dialogue: KeptDialogue, *,
        send: bool = False, told: Callable[[float], None] | None = None, tenant: str = "",
    ) -> Duel | SentElsewhere | None:  # fmt: skip
        """Let two models answer.

        Args:
            question: Words.
            files: Paths of media.
            models: The two.
            dialogue: Whose `stop` ends it.
            send: The person has seen what models elsewhere would be sent, and wants it sent.
            told: Told how much is done, from 0 to 1.
            tenant: Whose it is.

        Returns:
            The answers; what would be sent elsewhere, if that was not shown yet; None where the person has stopped it.

        Raises:
            InputError: It is the same model twice, or one of them cannot answer; the sentence says why.
        """
        first, second = models
        if first == second:
            raise InputError(f"{first} was chosen twice; choose two models to compare.")
        sides = (first, second) if self._chance() < 0.5 else (second, first)
        if unseen := self._previews(question, files, (first, second), dialogue, send=send):
            return SentElsewhere(unseen)
        texts = []
        for place, name in enumerate(sides):
            if told is not None:
                told(place / 2)
            view = self._answer(question, files, name, tenant, dialogue)
            if view is None:
                return None
            texts.append(view.text)
        return Duel(question, sides, (texts[0], texts[1]))

    def _previews(
        self, question: str, files: Sequence[str], models: Sequence[str], dialogue: KeptDialogue, *, send: bool
    ) -> tuple[tuple[str, str], ...]:
        """What is to be shown first: of all models elsewhere, or, where all of it was, nothing."""
        alone = KeptDialogue("alone", previewed=dialogue.previewed)
        found = [(name, self.asking.preview(alone, question, files, name, send=send)) for name in models]
        return tuple((name, preview) for name, preview in found if preview)

    def _answer(
        self, question: str, files: Sequence[str], name: str, tenant: str, dialogue: KeptDialogue
    ) -> AskView | None:
        alone = KeptDialogue("alone", stop=dialogue.stop)  # neither sees what the other, or anyone before, has said
        self.asking.preview(alone, question, files, name)  # was shown and agreed to before either is asked
        asked = self.asking.ask(alone, question, files, model=name, send=True, tenant=tenant)
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
        left, right = duel.models
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
