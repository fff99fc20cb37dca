"""A chain of models: who is asked next, and when nobody is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tutti.content import Answer, Event, Finished, TextDelta, Usage
from tutti.errors import InputError, ProviderError, Unavailable, UnsupportedTask
from tutti.model import Model
from tutti.providers.fallback import Fallback


class Player:
    def __init__(self, name: str, fails: Exception | None = None, after: int = 0) -> None:
        self.name, self.fails, self.after, self.asked = name, fails, after, 0

    def stream(self, conversation: Any, options: Any) -> Iterator[Event]:
        self.asked += 1
        for number in range(2):
            if self.fails and number == self.after:
                raise self.fails
            yield TextDelta(f"{self.name}{number} ")
        yield Finished(Answer(text=self.name, model=self.name, finish_reason="stop", usage=Usage(), seconds=0))


@pytest.mark.parametrize("error", [Unavailable("down."), UnsupportedTask("takes text.")])
def test_the_next_is_asked_where_one_fails_before_its_first_word(error: Exception) -> None:
    said: list[str] = []
    chain = Fallback([Player("a", error), Player("b"), last := Player("c")], say=said.append)
    answer = Model(chain).ask("?")
    assert (answer.model, last.asked) == ("b", 0)
    assert said == [f"{error} Asking the next model."]
    assert chain.name == "a > b > c"


def test_what_has_begun_is_not_asked_again() -> None:
    chain = Fallback([Player("a", Unavailable("down."), after=1), other := Player("b")])
    with pytest.raises(Unavailable):
        Model(chain).ask("?")
    assert other.asked == 0


def test_the_last_ones_error_is_told() -> None:
    chain = Fallback([Player("a", Unavailable("a.")), Player("b", ProviderError("b."))])
    with pytest.raises(ProviderError, match=r"^b\.$"):
        Model(chain).ask("?")


def test_what_the_user_can_fix_is_not_passed_on() -> None:
    chain = Fallback([Player("a", InputError("no such file.")), other := Player("b")])
    with pytest.raises(InputError):
        Model(chain).ask("?")
    assert other.asked == 0
    with pytest.raises(InputError, match="no models"):
        Fallback([])
