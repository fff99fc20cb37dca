from __future__ import annotations

import numpy as np

from tests.engine.toy_models import Prompt
from tutti.content import SamplingOptions
from tutti.engine.blocks import BlockManager
from tutti.engine.scheduler import Scheduler
from tutti.engine.sequence import Sequence


def scheduler(blocks: int = 100, max_running: int = 4, step_tokens: int = 10) -> Scheduler:
    return Scheduler(BlockManager(blocks, 4), max_running, step_tokens)


def added(queue: Scheduler, arrival: int, length: int, max_tokens: int = 8, fill: int | None = None) -> Sequence:
    ids = np.full(length, arrival if fill is None else fill)
    one = Sequence(arrival, Prompt(ids), SamplingOptions(), "", max_tokens, block_tokens=4)
    queue.add(one)
    return one


def stepped(queue: Scheduler) -> list[tuple[int, int]]:
    """Run a step as the engine would: (arrival, tokens) of each work; whoever is last draws a token."""
    work = queue.schedule()
    shares = [(one.sequence.arrival, one.tokens) for one in work]
    for one in work:
        draws = one.last
        queue.blocks.commit(one.sequence, one.stop)
        if draws:
            one.sequence.tokens.append(0)
    return shares


def test_prompts_are_read_in_chunks_in_order_of_arrival() -> None:
    queue = scheduler()
    added(queue, 1, 14)
    added(queue, 2, 5)
    assert stepped(queue) == [(1, 10)]
    assert stepped(queue) == [(1, 4), (2, 5)]
    assert stepped(queue) == [(1, 1), (2, 1)]


def test_a_long_prompt_does_not_stop_those_who_decode() -> None:
    queue = scheduler()
    added(queue, 1, 3)
    stepped(queue)
    added(queue, 2, 30)
    assert [stepped(queue) for _ in range(4)] == [[(1, 1), (2, 9)]] * 3 + [[(1, 1), (2, 3)]]


def test_no_more_run_than_may() -> None:
    queue = scheduler(max_running=2)
    for arrival in (1, 2, 3):
        added(queue, arrival, 1)
    assert stepped(queue) == [(1, 1), (2, 1)]
    queue.remove(queue.running[0])
    assert stepped(queue) == [(2, 1), (3, 1)]


def test_when_blocks_run_out_the_youngest_gives_way_and_returns_first() -> None:
    queue = scheduler(blocks=4)
    oldest, middle = added(queue, 1, 7), added(queue, 2, 1)
    stepped(queue)
    later = added(queue, 3, 3)
    # The third takes the last block; the oldest grows into a third block after its eighth token.
    assert stepped(queue) == [(1, 1), (2, 1), (3, 3)]
    assert stepped(queue) == [(1, 1), (2, 1)]
    assert (later.blocks, later.computed, queue.preemptions) == ([], 0, 1)
    added(queue, 4, 1)
    assert [one.arrival for one in queue.waiting] == [3, 4]
    assert middle.blocks
    queue.remove(oldest)
    assert [arrival for arrival, _ in stepped(queue)] == [2, 3, 4]


def test_the_only_one_left_gives_way_to_nobody_else_and_all_finish() -> None:
    queue = scheduler(blocks=6, step_tokens=8)
    everyone = [added(queue, arrival, 5 + arrival % 3, max_tokens=9) for arrival in range(1, 9)]
    finished = []
    for _ in range(400):
        stepped(queue)
        for one in list(queue.running):
            if len(one.tokens) - one.prompt_tokens >= one.max_tokens:
                finished.append(one)
                queue.remove(one)
    assert {one.arrival for one in finished} == {one.arrival for one in everyone}
    assert queue.preemptions > 0
    assert queue.blocks.free == 6


def test_a_long_prompt_that_waits_for_room_is_not_overtaken() -> None:
    queue = scheduler(blocks=6)
    first = added(queue, 1, 12)
    stepped(queue)
    added(queue, 2, 16)
    added(queue, 3, 1)
    # The first one's last two tokens and nothing else, though the third would fit.
    assert stepped(queue) == [(1, 2)]
    queue.remove(first)
    assert stepped(queue) == [(2, 10)]


def test_equal_prompts_are_computed_once_and_others_need_not_wait_for_that() -> None:
    queue = scheduler(step_tokens=20)
    added(queue, 1, 9, fill=5)
    twin = added(queue, 2, 9, fill=5)
    added(queue, 3, 4)
    assert stepped(queue) == [(1, 9), (3, 4)]
    assert stepped(queue) == [(1, 1), (3, 1), (2, 1)]
    assert twin.reused_tokens == 8


def test_removing_one_that_waits_or_is_unknown_is_harmless() -> None:
    queue = scheduler()
    one = added(queue, 1, 3)
    queue.remove(one)
    queue.remove(one)
    assert stepped(queue) == []
