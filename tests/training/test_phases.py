"""Phases as data: the schedule's numbers, what patterns choose, and what a run folder is told."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny import Sums, make_phase, squares
from tutti.errors import InputError
from tutti.training.describe import plain
from tutti.training.phases import Phase, Schedule, TrainingTask, select


def test_rate_warms_up_linearly_and_falls_by_a_cosine():
    schedule = Schedule(steps=14, learning_rate=1.0, warmup_steps=4, final_fraction=0.2)
    assert [schedule.rate(step) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert schedule.rate(9) == pytest.approx(0.6)  # half way: the mean of 1 and 0.2
    assert schedule.rate(14) == pytest.approx(0.2)
    assert schedule.rate(15) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"warmup_steps": 21},
        {"warmup_steps": -1},
        {"micro_batches": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"clip_norm": 0.0},
        {"final_fraction": 1.5},
        {"ema_decay": 1.0},
    ],
)
def test_a_schedule_that_cannot_be_run_is_refused(wrong):
    with pytest.raises(InputError, match="expected"):
        Schedule(**{"steps": 20, "learning_rate": 0.1, **wrong})


def test_a_phase_needs_tasks_of_different_names_and_a_pattern():
    task = TrainingTask(name="a", objective=squares, source=Sums())
    schedule = Schedule(steps=1, learning_rate=0.1)
    for tasks, trainable in (((), ("*",)), ((task, task), ("*",)), ((task,), ())):
        with pytest.raises(InputError, match="expected at least one of each"):
            Phase(name="p", tasks=tasks, trainable=trainable, schedule=schedule)


def test_select_takes_what_patterns_match_and_refuses_one_that_matches_nothing():
    names = ["trunk.0.weight", "trunk.0.bias", "head.weight"]
    assert select(names, ("trunk.*",)) == {"trunk.0.weight", "trunk.0.bias"}
    assert select(names, ("*.bias", "head.*")) == {"trunk.0.bias", "head.weight"}
    with pytest.raises(InputError, match=r"'heads\.\*' matches no parameter"):
        select(names, ("trunk.*", "heads.*"))


class _Telling:
    def __repr__(self) -> str:
        return f"Telling({object()!r})"


class _Bare:
    pass


class _Describing:
    def describe(self) -> dict[str, object]:
        return {"rows": 3}


@dataclass
class _Nested:
    folder: Path
    again: Sums
    unset: int | None = None


def test_plain_values_tell_neither_addresses_nor_paths_of_the_machine():
    assert plain(_Nested(Path("/home/someone/data"), Sums(2))) == {
        "type": f"{__name__}._Nested",
        "folder": "data",
        "again": {"type": "tests.training.tiny.Sums", "rows": 2},
    }
    assert plain("/home/someone/x.json") == "x.json"
    assert plain("a/b") == "a/b"
    assert plain(_Telling()) == "Telling(<object object>)"
    assert plain(_Describing()) == {"rows": 3}
    assert plain(_Bare()) == f"{__name__}._Bare"
    assert plain(np.zeros((2, 3), np.float32)) == "float32 (2, 3)"
    assert plain(functools.partial(squares, 1, b=2)) == {
        "function": "tests.training.tiny.squares",
        "given": [1, {"b": 2}],
    }
    assert plain({"b", "a"}) == ["a", "b"]


def test_plain_keeps_of_a_long_list_what_tells_it_from_another():
    one, other = plain(list(range(1000))), plain([*range(999), 0])
    assert one.startswith("1000 items")
    assert one != other


def test_a_phase_describes_itself_as_json():
    told = make_phase(steps=5, ema_decay=0.9).describe()
    assert json.loads(json.dumps(told)) == told
    assert told["schedule"]["ema_decay"] == 0.9
    assert "ema_decay" not in make_phase(steps=5).describe()["schedule"]
    assert told["tasks"]["sums"]["objective"] == "tests.training.tiny.squares"
