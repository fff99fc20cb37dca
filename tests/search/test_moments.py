"""Long video: what is sampled, what is found when, and what is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.search.players import RATE_HZ, Speaker, film, tone
from tutti.content import Audio, Video
from tutti.media import Limits
from tutti.media.streaming import frame_at, plan_frames, sampled_frames, sound_between, sound_windows
from tutti.search import index_of

SHOTS = (("green", 14.0), ("red", 6.0), ("green", 20.0), ("blue", 5.0), ("green", 15.0))


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute: red from 14 to 20 s, blue from 40 to 45 s, a high tone from 30 to 35 s."""
    sound = np.zeros(60 * RATE_HZ, np.float32)
    sound[30 * RATE_HZ : 35 * RATE_HZ] = tone("high", 5.0)
    return film(tmp_path_factory.mktemp("film") / "hour.mp4", SHOTS, sound)


def test_key_frames_lie_at_the_cuts(hour: Path) -> None:
    part, limits = Video(hour), Limits()
    plan = plan_frames(part, limits)
    assert plan.duration_s == pytest.approx(59.9, abs=0.01)
    times = [time for time, _ in sampled_frames(part, limits, plan)]
    assert times == sorted(times)
    assert len(times) < 30  # of 600
    for cut in (14.0, 20.0, 40.0, 45.0):
        assert min(abs(time - cut) for time in times) <= 0.35


def test_windows_cover_the_sound_once_each_half(hour: Path) -> None:
    windows = list(sound_windows(Video(hour), Limits(), rate_hz=RATE_HZ, window_s=5, hop_s=2.5, zero_s=0.0))
    assert [start for start, _ in windows] == [2.5 * place for place in range(len(windows))]
    assert windows[-1][0] + len(windows[-1][1]) / RATE_HZ == pytest.approx(60, abs=0.1)
    loud = [start for start, samples in windows if np.abs(samples).max() > 0.2]
    assert {27.5, 30.0, 32.5} <= {*loud} <= {25.0, 27.5, 30.0, 32.5, 35.0}


def test_windows_at_another_rate_equal_the_whole_at_that_rate() -> None:
    samples = tone("middle", 3.2)
    part = Audio(_wav(samples), sample_rate_hz=None)
    (start, whole), *rest = sound_windows(part, Limits(), rate_hz=8000, window_s=5, hop_s=2.5)
    assert (start, rest) == (0.0, [])
    assert len(whole) == pytest.approx(3.2 * 8000, abs=2)
    assert np.abs(whole[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)


def _wav(samples: np.ndarray) -> bytes:
    import io

    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, RATE_HZ, format="WAV")
    return out.getvalue()


def test_a_frame_and_a_stretch_of_sound_are_fetched_by_time(hour: Path) -> None:
    red = frame_at(Video(hour), Limits(), 16.0).mean(axis=(0, 1))
    assert red[0] > 180
    assert red[1] < 80
    assert np.abs(sound_between(Video(hour), Limits(), 31.0, 34.0, RATE_HZ)).max() > 0.3
    assert np.abs(sound_between(Video(hour), Limits(), 50.0, 52.0, RATE_HZ)).max() < 0.05


def test_moments_are_found_when_they_are(hour: Path, tmp_path: Path) -> None:
    space = Speaker()
    index = index_of(hour, space)
    for word, start_s, end_s, kind in (
        ("red", 14, 20, "picture"),
        ("blue", 40, 45, "picture"),
        ("high", 30, 35, "sound"),
    ):
        moment = index.moments(word, top=1)[0]
        assert moment.kind == kind
        assert moment.start_s == pytest.approx(start_s, abs=5.1 if kind == "sound" else 0.5)
        assert moment.end_s == pytest.approx(end_s, abs=5.1 if kind == "sound" else 0.5)
    answer = index.ask("When does red appear?").answer
    assert answer.text == "red: at 0:00:14–0:00:20 [1]."
    assert answer.usage.prompt_tokens == 0
    assert index.ask("How often does blue appear?").answer.text.startswith("blue: 1 times, at 0:00:40")
    assert index.ask("When does the submarine appear?").answer.text == "Nothing relevant was found for: the submarine."
    space.calls.clear()
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(hour.read_bytes())
    assert index_of(copy, space).moments("red", top=1)[0].start_s == pytest.approx(14, abs=0.5)
    assert max(space.calls) <= len(index.search("x")) + 200  # queries only: nothing of the film is embedded again
    assert sum(space.calls) < 200


def test_what_is_asked_to_be_heard_is_not_seen(hour: Path) -> None:
    index = index_of(hour, Speaker())
    assert [source.kind for source in index.ask("When is the red seen?").sources] == ["picture"]
    assert [source.kind for source in index.ask("When is the high heard?").sources] == ["sound"]
    assert index.ask("When is the red heard?").sources == ()
    assert index.ask("How often can the high be seen?").answer.text == "Nothing relevant was found for: the high."


def test_a_question_about_the_film_shows_frames_within_the_budget(hour: Path) -> None:
    space = Speaker()
    answer = index_of(hour, space).ask("blue", top=3, budget_tokens=200)
    assert [part.modality for part in space.asked[-1][0].parts] == ["image", "text"]
    assert answer.sources[0].start_s == pytest.approx(40, abs=0.5)
