from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.engine.toy_models import Medium, Prompt, picture
from tutti.content import SamplingOptions
from tutti.engine.blocks import BlockManager
from tutti.engine.sequence import Sequence
from tutti.errors import CapacityError


def sequence(ids: list[int], arrival: int = 0, tenant: str = "", max_tokens: int = 4, **prompt: object) -> Sequence:
    return Sequence(arrival, Prompt(np.array(ids), **prompt), SamplingOptions(), tenant, max_tokens, block_tokens=4)  # type: ignore[arg-type]


def admitted(manager: BlockManager, one: Sequence) -> Sequence:
    assert manager.admit(one)
    return one


def test_blocks_lie_side_by_side_and_come_back() -> None:
    manager = BlockManager(10, 4)
    one = admitted(manager, sequence([1] * 9))
    assert one.blocks == [0, 1, 2]
    assert one.contiguous
    assert manager.free == 7
    manager.release(one)
    assert (manager.free, one.blocks) == (10, [])


def test_two_sequences_leave_each_other_room_to_grow() -> None:
    manager = BlockManager(20, 4)
    one = admitted(manager, sequence([1] * 4, max_tokens=20))
    two = admitted(manager, sequence([2] * 4, max_tokens=20))
    for _ in range(20):
        one.tokens.append(0)
        two.tokens.append(0)
        assert manager.grow(one)
        assert manager.grow(two)
    assert one.contiguous
    assert two.contiguous
    assert not set(one.blocks) & set(two.blocks)


def test_a_beginning_that_was_computed_is_shared() -> None:
    manager = BlockManager(10, 4)
    one = admitted(manager, sequence([1, 2, 3, 4, 5, 6, 7, 8, 9]))
    manager.commit(one, 9)
    two = admitted(manager, sequence([1, 2, 3, 4, 5, 6, 7, 8, 0]))
    assert two.blocks[:2] == one.blocks[:2]
    assert two.blocks[2] != one.blocks[2]
    assert (two.computed, two.reused_tokens) == (8, 8)
    assert [manager.holders(block) for block in two.blocks] == [2, 2, 1]
    manager.release(one)
    assert [manager.holders(block) for block in two.blocks] == [1, 1, 1]


def test_the_last_token_is_always_computed() -> None:
    manager = BlockManager(10, 4)
    one = admitted(manager, sequence([1] * 8))
    manager.commit(one, 8)
    assert admitted(manager, sequence([1] * 8)).computed == 4


def test_what_was_let_go_is_found_until_it_is_taken() -> None:
    manager = BlockManager(3, 4)
    one = admitted(manager, sequence([1] * 9))
    manager.commit(one, 9)
    manager.release(one)
    again = admitted(manager, sequence([1] * 9))
    assert again.computed == 8
    manager.release(again)
    other = admitted(manager, sequence([2] * 12))
    manager.release(other)
    assert admitted(manager, sequence([1] * 9)).computed == 0


@pytest.mark.parametrize(
    "other",
    [
        {"ids": [1, 2, 3, 5, 5, 6, 7, 8, 9]},
        {"tenant": "someone else"},
        {"media": (picture(2, 3),), "starts": (1,)},
        {"media": (picture(1, 3),), "starts": (2,)},
        {"media": (picture(1, 2),), "starts": (1,)},
        {"media": (Medium("sound", {}, 3, picture(1, 3).digest),), "starts": (1,)},
        {"media": (), "starts": ()},
    ],
)
def test_what_differs_in_anything_is_not_shared(other: dict[str, object]) -> None:
    same = {"ids": [1, 2, 3, 4, 5, 6, 7, 8, 9], "media": (picture(1, 3),), "starts": (1,)}
    manager = BlockManager(10, 4)
    one = admitted(manager, sequence(**same))  # type: ignore[arg-type]
    manager.commit(one, 9)
    assert admitted(manager, sequence(**same)).computed == 8  # type: ignore[arg-type]
    assert admitted(manager, sequence(**{**same, **other})).computed == 0  # type: ignore[arg-type]


def test_a_medium_across_blocks_counts_in_each() -> None:
    ids = [0] * 13
    one = sequence(ids, media=(picture(1, 6),), starts=(5,))
    two = sequence(ids, media=(picture(2, 6),), starts=(5,))
    assert [one.digest(i) == two.digest(i) for i in range(3)] == [True, False, False]
    assert {len(one.digest(i)) for i in range(3)} == {32}


def test_one_that_could_share_waits_for_who_is_computing() -> None:
    manager = BlockManager(10, 4)
    one = admitted(manager, sequence([1] * 9))
    two = sequence([1] * 9)
    assert manager.awaits(two)
    manager.commit(one, 4)
    assert manager.awaits(two), "the second block is still being computed"
    manager.commit(one, 8)
    assert not manager.awaits(two)


def test_who_gives_up_is_not_waited_for() -> None:
    manager = BlockManager(10, 4)
    one = admitted(manager, sequence([1] * 9))
    manager.release(one)
    assert not manager.awaits(sequence([1] * 9))


def test_too_few_blocks_take_nothing() -> None:
    manager = BlockManager(3, 4)
    admitted(manager, sequence([1] * 8))
    assert not manager.admit(sequence([2] * 8))
    assert manager.free == 1


def test_a_request_that_never_fits_is_refused_in_a_sentence() -> None:
    manager = BlockManager(3, 4)
    manager.check(12)
    with pytest.raises(CapacityError) as caught:
        manager.check(13)
    assert str(caught.value) == (
        "The request needs keys and values of 13 tokens, but the cache holds 12; "
        "shorten the prompt or give the engine a larger cache."
    )


class Accounting(RuleBasedStateMachine):
    """Whatever happens in whatever order, each block is counted once and nothing is written where another reads."""

    def __init__(self) -> None:
        super().__init__()
        self.manager = BlockManager(12, 4)
        self.live: list[Sequence] = []

    @rule(ids=st.lists(st.integers(0, 1), min_size=1, max_size=20), tenant=st.sampled_from(["", "t"]))
    def admit(self, ids: list[int], tenant: str) -> None:
        one = sequence(ids, tenant=tenant, max_tokens=8)
        free = self.manager.free
        if self.manager.admit(one):
            assert one.computed < len(ids)
            self.live.append(one)
        else:
            assert self.manager.free == free
            assert not one.blocks

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def compute(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.live))
        for block in one.blocks[one.computed // 4 :]:
            assert self.manager.holders(block) == 1, "a block that will be written is shared"
        self.manager.commit(one, data.draw(st.integers(one.computed, len(one.tokens))))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), token=st.integers(0, 1))
    def grow(self, data: st.DataObject, token: int) -> None:
        one = data.draw(st.sampled_from(self.live))
        if one.computed == len(one.tokens):
            one.tokens.append(token)
            if not self.manager.grow(one):
                assert self.manager.free == 0
                one.tokens.pop()

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.live))
        self.live.remove(one)
        self.manager.release(one)

    @invariant()
    def every_block_is_held_or_free(self) -> None:
        held = [block for one in self.live for block in one.blocks]
        assert all(self.manager.holders(block) == held.count(block) for block in range(12))
        assert self.manager.free == 12 - len(set(held))
        assert not self.manager._blank & self.manager._kept.keys()

    @invariant()
    def every_sequence_has_room_and_knows_how_it_lies(self) -> None:
        for one in self.live:
            assert len(one.blocks) == -(-len(one.tokens) // 4)
            assert len(set(one.blocks)) == len(one.blocks)
            lies = all(b - a == 1 for a, b in zip(one.blocks, one.blocks[1:], strict=False))
            assert one.contiguous is lies

    @invariant()
    def what_is_known_is_known_both_ways(self) -> None:
        assert {block: digest for digest, block in self.manager._by_digest.items()} == self.manager._digest_of

    def teardown(self) -> None:
        for one in self.live:
            self.manager.release(one)
        assert self.manager.free == 12
        assert not self.manager._expected


TestAccounting = Accounting.TestCase
TestAccounting.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
