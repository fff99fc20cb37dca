"""Where somebody speaks by the states of an encoder: means of steps, spans with their margin, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tutti.checkpoints.voice_head import VOICE_HEAD_FILE, read_voice_head
from tutti.errors import CheckpointError
from tutti.processing.voice_head import VoiceHead

HEAD = VoiceHead(weights=np.array([1.0, -2.0], np.float32), bias=0.5, step_s=0.5)


def test_states_of_a_step_are_averaged_and_the_last_step_may_be_short() -> None:
    states = np.zeros((60, 2), np.float32)  # 1.2 s at 50 a second
    states[:25, 0], states[50:, 1] = 4.0, 3.0
    states[::2] *= 2
    states[1::2] = 0
    found = HEAD.chances(states, 0.02)
    means = [states[at : at + 25].mean(0) for at in (0, 25, 50)]
    expected = [1 / (1 + np.exp(-(one[0] - 2 * one[1] + 0.5))) for one in means]
    assert found.steps == pytest.approx(expected, abs=1e-6)
    assert found.most == pytest.approx(max(expected), abs=1e-6)


def test_a_span_has_half_a_second_around_and_a_window_of_nothing_has_none() -> None:
    states = np.zeros((500, 2), np.float32)
    states[:, 0], states[250:275, 0] = -40.0, 40.0  # somebody from 5.0 to 5.5 s
    found = HEAD.chances(states, 0.02)
    for start_s, end_s, there in [(5, 5.2, 1), (3, 4.6, 1), (3, 4.2, 0), (5.9, 7, 1), (6.2, 7, 0), (0, 10, 1)]:
        assert found.within(start_s, end_s) == pytest.approx(there, abs=1e-6), (start_s, end_s)
    empty = HEAD.chances(np.zeros((0, 2), np.float32), 0.02)
    assert (empty.most, empty.within(0, 1)) == (0.0, 0.0)


def test_a_head_is_read_with_its_checkpoint(tmp_path: Path) -> None:
    assert read_voice_head(tmp_path, 2) is None
    file = tmp_path / VOICE_HEAD_FILE
    file.write_text(json.dumps({"weights": [1, -2.5], "bias": 0.25, "step_s": 0.5}))
    head = read_voice_head(tmp_path, 2)
    assert head is not None
    assert (head.weights.tolist(), head.bias, head.step_s) == ([1.0, -2.5], 0.25, 0.5)
    with pytest.raises(CheckpointError, match=r"shape \[2\] .* expected \[3\]"):
        read_voice_head(tmp_path, 3)


@pytest.mark.parametrize(
    "content",
    [
        "{", "[]", "{}",
        '{"weights": [1, "x"], "bias": 0, "step_s": 1}', '{"weights": [1, NaN], "bias": 0, "step_s": 1}',
        '{"weights": [1, 2], "bias": 0, "step_s": 0}', '{"weights": 1, "bias": 0, "step_s": 1}', "[" * 100_000,
        '{"weights": [1, 2], "bias": null, "step_s": 1}',
    ],
)  # fmt: skip
def test_a_damaged_head_is_refused_with_a_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / VOICE_HEAD_FILE).write_text(content)
    with pytest.raises(CheckpointError, match=VOICE_HEAD_FILE):
        read_voice_head(tmp_path, 2)
