"""Team-draft interleaving: counted by hand, fair where rankings are equal, and never told from one session."""

from __future__ import annotations

import numpy as np
import pytest

from tutti.evaluate.interleaving import Interleaved, credit, preferred, team_draft


def test_both_pick_in_turns_and_nothing_comes_twice() -> None:
    made = team_draft(["a", "b", "c"], ["b", "d", "a"], 4, np.random.default_rng(0))
    assert len(made.items) == len(set(made.items)) == 4
    assert abs(2 * sum(made.teams) - 4) <= 1
    assert {made.items[0], made.items[1]} == {"a", "b"}
    short = team_draft(["a"], [], 5, np.random.default_rng(0))
    assert short == Interleaved(("a",), (0,))


def test_credit_goes_to_whoever_picked() -> None:
    made = Interleaved(("a", "b"), (1, 0))
    assert [credit(made, item) for item in ("a", "b", "c")] == [1, 0, None]


def test_equal_rankings_are_equal_and_a_better_one_is_ahead() -> None:
    rng = np.random.default_rng(1)
    same = [credit(team_draft("abc", "abc", 3, rng), "a") for _ in range(400)]
    assert np.mean(same) == pytest.approx(0.5, abs=0.07)
    found = preferred([1.0] * 9 + [0.0, None], [str(at) for at in range(11)])
    assert (found.first, found.second, found.neither) == (1, 9, 1)
    assert found.advantage is not None
    assert found.advantage.mean == pytest.approx(0.8)
    assert 0 < found.advantage.low < 0.8
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert preferred([1.0, 1.0], ["one", "one"]).advantage is None
