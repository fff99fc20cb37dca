"""Long recordings with a model that says what the test tells it: where windows begin, and what becomes of a bad one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tutti.content import TranscriptionOptions
from tutti.engine.longform import SpeechWriter, Written
from tutti.engine.speech_window import _is_stuck
from tutti.errors import InputError, UnsupportedTask
from tutti.models.layers.attention import Attend, MediaMemory
from tutti.processing.speech_tokens import SpeechTokens
from tutti.processing.voice_head import VoiceHead

END, START, EN, FR, TRANSLATE, TRANSCRIBE, PREVIOUS, SILENCE, PLAIN, ZERO = range(20, 30)
TOKENS = SpeechTokens(
    start=START,
    end=END,
    no_timestamps=PLAIN,
    previous=PREVIOUS,
    languages={"en": EN, "fr": FR},
    tasks={"transcribe": TRANSCRIBE, "translate": TRANSLATE},
    suppress=(),
    begin_suppress=(END,),
    max_initial_timestamp=None,
    max_tokens=40,
    language=None,
    task="transcribe",
)
SIZE = ZERO + 51
WINDOW = 100
"""Frames of a window: 1 s."""


class Parrot:
    """Says, in each window, what the test has written for it; a window is known by its loudness.

    Args:
        lines: First frame of a window → what is said there; one list for each time it is asked.
        silence: First frames of windows that it takes for silence.
        sure: How much likelier what it says is than anything else.
    """

    layers, kv_heads, head_width, context_length, window_frames = 1, 1, 1, 64, WINDOW

    def __init__(self, lines: dict[int, Sequence[int]], silence: Sequence[int] = (), sure: float = 50.0) -> None:
        self.lines = lines
        self.silence = silence
        self.sure = sure
        self.prompts: list[list[int]] = []
        self.encoded: list[int] = []

    def encode(self, input_features: Tensor) -> Tensor:
        self.encoded.append(round(float(input_features[0, 0, 0])))
        return input_features[:, :1, :1]

    def remember(self, states: Tensor) -> MediaMemory:
        return MediaMemory((states,), (states,))

    def decode(self, input_ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        if positions[0, 0] == 0:
            self.prompts.append(input_ids[0].tolist())
        # One row a token: which one is asked for behind it, and by whom.
        place = positions[0] - len(self.prompts[-1]) + 1
        return torch.stack([place, torch.full_like(place, self.encoded[-1]), input_ids[0]], dim=-1)[None].float()

    def logits(self, hidden: Tensor) -> Tensor:
        out = torch.zeros(*hidden.shape[:-1], SIZE)
        for row, (place, seek, token) in zip(out[0], hidden[0].long().tolist(), strict=True):
            if token == START:
                row[SILENCE if seek in self.silence else FR] += self.sure
            if place >= 0:
                line = [*self.lines.get(seek, ()), END]
                row[line[min(place, len(line) - 1)]] += self.sure
        return out


def features(frames: int) -> Tensor:
    """Each frame holds its own number."""
    return torch.arange(float(frames)).expand(2, -1)


def times(*words: Iterable[int] | float) -> list[int]:
    """Seconds become time tokens."""
    line: list[int] = []
    for word in words:
        line += [ZERO + round(word * 50)] if isinstance(word, float) else list(word)
    return line


def write(parrot: Parrot, frames: int, **options: object) -> Written:
    writer = SpeechWriter(parrot, TOKENS, frame_s=0.01)
    return writer.write(features(frames), replace(TranscriptionOptions(language="en"), **options))


def shown(written: Written) -> list[tuple[float, float, list[int]]]:
    return [
        (round(one.start_s, 4), round(one.end_s, 4), [token for token in one.tokens if token < ZERO])
        for one in written.segments
    ]


def test_the_next_window_begins_where_the_last_segment_ended() -> None:
    parrot = Parrot(
        {
            0: times(0.0, [1, 2], 0.4, 0.4, [3], 0.7, 0.7),
            70: times(0.0, [3, 4], 0.6),
            170: times(0.1, [5], 0.3),
        }
    )
    written = write(parrot, 190)
    assert parrot.encoded == [0, 70, 170]
    assert shown(written) == [(0, 0.4, [1, 2]), (0.4, 0.7, [3]), (0.7, 1.3, [3, 4]), (1.7, 2.0, [5])]
    assert written.language == "en"


def test_a_window_without_pairs_is_one_segment_to_its_last_time_or_its_end() -> None:
    parrot = Parrot({0: times(0.2, [1]), 100: times(0.0, [2])})
    assert shown(write(parrot, 140)) == [(0, 0.2, [1]), (1, 1.4, [2])]


def test_what_was_said_is_shown_if_asked_for_and_without_doubled_times() -> None:
    lines = {0: times(0.0, [1, 2], 0.5, 0.5), 50: times(0.0, [3], 0.5, 0.5), 100: times(0.0, [4], 0.2)}
    parrot = Parrot(lines)
    write(parrot, 120, condition_on_previous_text=True)
    start = [START, EN, TRANSCRIBE]
    first, second = times(0.0, [1, 2], 0.5), times(0.0, [3], 0.5)
    assert parrot.prompts == [start, [PREVIOUS, *first, *start], [PREVIOUS, *first, *second, *start]]
    parrot = Parrot(lines)
    write(parrot, 120)
    assert parrot.prompts == [start] * 3


def test_no_more_is_shown_than_half_of_the_context_holds() -> None:
    words = [number % 20 for number in range(50)]
    parrot = Parrot({seek: times(0.0, words[: 30 + seek], 0.5, 0.5) for seek in (0, 50)})
    write(parrot, 100, condition_on_previous_text=True)
    assert len(parrot.prompts[1]) == 1 + (64 // 2 - 1) + 3


def test_silence_is_left_out() -> None:
    # Not sure of what it says, so that the probability of silence decides.
    parrot = Parrot({0: times(0.0, [1], 0.9), 100: times(0.0, [2], 0.9)}, silence=(0,), sure=3.0)
    written = write(parrot, 200, logprob_threshold=-0.1, no_speech_threshold=0.1, temperatures=(0.0,))
    assert shown(written) == [(1, 1.9, [2])]
    assert len(parrot.prompts) == 2


def test_what_repeats_itself_is_written_down_again_and_not_shown() -> None:
    parrot = Parrot({0: times(0.0, [7] * 30, 0.9), 100: times(0.0, [2], 0.9)})
    loose = write(parrot, 200, compression_ratio_threshold=None, condition_on_previous_text=True)
    assert parrot.prompts[1][0] == PREVIOUS
    parrot.prompts.clear()
    strict = write(parrot, 200, condition_on_previous_text=True)
    # The temperatures went up to 1, which a parrot does not mind; such a text is not shown to the next window.
    assert shown(strict) == shown(loose)
    assert [prompt[0] for prompt in parrot.prompts] == [START, START]


def test_what_has_repeated_itself_for_long_is_given_up() -> None:
    stuck, sentence = [7] * 200, list(range(1, 21)) * 2
    assert not _is_stuck(stuck[:63], 51865)
    assert _is_stuck(stuck[:64], 51865)
    assert not _is_stuck(stuck[:65], 51865), "it is looked at now and then"
    assert not any(_is_stuck((sentence * 5)[:count], 51865) for count in (64, 80))


def test_a_draw_repeats_with_its_seed() -> None:
    parrot = Parrot({0: times(0.0, [1, 2, 3, 4, 5, 6, 7, 8], 0.9)}, sure=2.0)
    drawn = [shown(write(parrot, 100, temperatures=(1.0,), seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_padding_is_not_written_down() -> None:
    parrot = Parrot({0: times(0.0, [1], 0.4, 0.4), 40: times(0.0, [2], 0.2, 0.2)})
    writer = SpeechWriter(parrot, TOKENS, frame_s=0.01)
    done: list[float] = []
    written = writer.write(features(100), TranscriptionOptions(language="en"), frames=50, progress=done.append)
    assert shown(written) == [(0, 0.4, [1]), (0.4, 0.6, [2])]
    assert done == [0.8, 1.0]


def test_the_language_is_told_by_the_first_window() -> None:
    parrot = Parrot({0: times(0.0, [1], 0.9), 100: times(0.0, [1], 0.9)})
    written = write(parrot, 200, language=None)
    assert written.language == "fr"
    assert parrot.prompts == [[START], [START, FR, TRANSCRIBE], [START, FR, TRANSCRIBE]]
    assert parrot.encoded == [0, 100], "a window is heard once"


def test_a_short_recording_can_do_without_times_and_a_long_one_cannot() -> None:
    parrot = Parrot({0: [1, 2]})
    assert shown(write(parrot, 80, timestamps="none")) == [(0, 0.8, [1, 2])]
    assert parrot.prompts == [[START, EN, TRANSCRIBE, PLAIN]]
    parrot = Parrot({0: times(0.0, [1], 0.9), 100: times(0.0, [2], 0.3)})
    write(parrot, 150, timestamps="none")
    assert parrot.prompts == [[START, EN, TRANSCRIBE]] * 2


def test_a_text_ends_with_the_room_for_it() -> None:
    parrot = Parrot({0: times(0.0, range(20), range(20), range(20))})
    (segment,) = write(parrot, 100, compression_ratio_threshold=None).segments
    assert len(segment.tokens) == TOKENS.max_tokens


def test_wrong_wishes_are_refused_before_anything_is_heard() -> None:
    parrot = Parrot({})
    with pytest.raises(InputError, match=r"The language 'klingon' is not one of this model's; known are en, fr\."):
        write(parrot, 100, language="klingon")
    with pytest.raises(InputError, match="The task is 'sing'; expected transcribe or translate"):
        write(parrot, 100, task="sing")
    english = SpeechWriter(parrot, replace(TOKENS, languages={}, tasks={}), frame_s=0.01)
    for wish in ({"language": "fr"}, {"task": "translate"}):
        with pytest.raises(UnsupportedTask, match="hears English only"):
            english.write(features(100), TranscriptionOptions(**wish))
    assert parrot.encoded == []


def test_a_shortened_window_is_what_the_model_hears() -> None:
    parrot = Parrot({0: times(0.0, [1], 0.5), 102: times(0.0, [2], 0.2)})
    parrot.window_frames = 200
    assert shown(write(parrot, 130, audio_context_s=1.015)) == [(0, 0.5, [1]), (1.02, 1.22, [2])]
    assert parrot.encoded == [0, 102]
    whole = Parrot({0: times(0.0, [1], 0.5)})
    assert shown(write(whole, 100, audio_context_s=9.0)) == shown(write(whole, 100))
    with pytest.raises(InputError, match=r"audio context is 0.5 s; expected 1 or more"):
        write(parrot, 100, audio_context_s=0.5)


def judged(parrot: Parrot, frames: int, **options: object) -> Written:
    """As `write`, with a head by which somebody speaks up to frame 150, and nobody from there on."""
    head = VoiceHead(weights=np.array([-1.0], np.float32), bias=150.0, step_s=0.02)
    writer = SpeechWriter(parrot, TOKENS, frame_s=0.01, head=head)
    return writer.write(features(frames), replace(TranscriptionOptions(language="en"), **options))


def test_windows_in_which_nobody_speaks_are_not_written_down() -> None:
    said = times(0.0, [1, 2], 1.0)
    lines = {0: said, 100: said, 200: said, 300: said}
    parrot = Parrot(lines)
    told: list[float] = []
    written = judged(parrot, 400)
    assert [(one.start_s, one.voice) for one in written.segments] == [(0.0, 1.0), (1.0, 1.0)]
    assert len(parrot.prompts) == 2
    assert len(judged(Parrot(lines), 400, voice_threshold=None).segments) == 4
    assert [one.voice for one in write(Parrot(lines), 100).segments] == [None]
    head = VoiceHead(weights=np.array([-1.0], np.float32), bias=-1.0, step_s=0.02)
    writer = SpeechWriter(parrot, TOKENS, frame_s=0.01, head=head)
    nothing = writer.write(features(250), TranscriptionOptions(), progress=told.append)
    assert (nothing.segments, nothing.language, told) == ((), None, [0.4, 0.8, 1.0])


def test_the_language_is_that_of_the_first_window_in_which_somebody_speaks() -> None:
    parrot = Parrot({100: times(0.0, [1], 0.9)})
    head = VoiceHead(weights=np.array([1.0], np.float32), bias=-50.0, step_s=0.02)
    writer = SpeechWriter(parrot, TOKENS, frame_s=0.01, head=head)
    written = writer.write(features(200), TranscriptionOptions())
    assert written.language == "fr"
    assert parrot.prompts[0] == [START]
    assert [one.start_s for one in written.segments] == [1.0]
