"""Long video: what is sampled, what is found when, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.search.synthetic_media import RATE_HZ, Speaker, axis, film, tone
from tutti.content import Audio, Image, Part, TextLine, Video
from tutti.media import Limits
from tutti.media.key_frames import frame_at, plan_frames, sampled_frames
from tutti.media.sound_windows import sound_between, sound_windows
from tutti.search import Hit, Index, index_of
from tutti.search.answer.moments import joined, times_answer
from tutti.search.ingest.facets import views
from tutti.search.query.searcher import Searcher
from tutti.search.table.schema import FacetKind

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
    assert len(set(times)) == len(times) < 30  # of 600
    for cut in (14.0, 20.0, 40.0, 45.0):
        assert min(abs(time - cut) for time in times) <= 0.35


def test_a_cut_soon_after_a_cut_is_seen(tmp_path: Path) -> None:
    """Encoders make no reset there, and a decoder that is told to skip what is no key skips such a one, too."""
    shots = (("green", 8.0), ("red", 0.5), ("blue", 0.7), ("yellow", 0.6), ("green", 5.0), ("blue", 0.3), ("red", 4.0))
    quick = film(tmp_path / "quick.mp4", shots, tone("low", 1.0), preset="ultrafast")
    shown = dict(sampled_frames(Video(quick), Limits(), plan_frames(Video(quick), Limits())))
    for cut in np.cumsum([seconds for _, seconds in shots])[:-1]:
        time = min(shown, key=lambda time: abs(time - cut))
        assert time == pytest.approx(cut, abs=0.01)
        assert np.abs(shown[time] - frame_at(Video(quick), Limits(), time).astype(int)).max() <= 2


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
    assert index.ask("How often does blue appear?").answer.text.startswith("blue: once, at 0:00:40")
    assert index.ask("When does the submarine appear?").answer.text == "Nothing relevant was found for: the submarine."
    space.calls.clear()
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(hour.read_bytes())
    assert index_of(copy, space).moments("red", top=1)[0].start_s == pytest.approx(14, abs=0.5)
    assert max(space.calls) <= len(index.search("x")) + 200  # queries only: nothing of the film is embedded again
    assert sum(space.calls) < 200


def test_a_film_may_be_larger_than_what_is_held_in_memory(
    hour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTTI_MAX_BYTES", str(hour.stat().st_size - 1))
    assert Index(tmp_path / "db", Speaker()).add(hour).added == 1


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


def test_what_is_small_in_a_wide_frame_is_found_in_its_middle(tmp_path: Path) -> None:
    wide = film(tmp_path / "wide.mp4", SHOTS[:3], tone("low", 40.0), beside="green")
    index = index_of(wide, Speaker())
    hit, *_ = index.moments("red", top=1)
    assert hit.start_s == pytest.approx(14, abs=0.5)
    assert str(hit.why[0]).startswith("what is seen in the middle (")
    assert (hit.fit or 0.0) > 0.5
    assert hit.id in index.thumbnails([hit])
    whole = [one for one in index.search("red", top=50, per_item=None) if str(one.why[0]).startswith("what is seen (")]
    assert max(one.fit or 0.0 for one in whole) < 0.1  # all of the frame is more green than red


def test_a_square_frame_is_seen_once() -> None:
    assert len(views(np.zeros((64, 90, 3), np.uint8), start_s=0.0, shot=0)) == 1


def moment(start_s: float, end_s: float, fit: float, kind: FacetKind = "sound") -> Hit:
    return Hit(
        id=f"{start_s}", item="film", path="film", modality="video", kind=kind, score=fit, why=(), fit=fit,
        start_s=start_s, end_s=end_s,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hits", "spans"),
    [
        ([moment(10, 15, 0.9), moment(12.5, 17.5, 0.8)], [(10, 17.5)]),  # one sound in two windows
        ([moment(10, 15, 0.9), moment(12.5, 17.5, 0.4)], [(10, 15)]),  # the end of it in the second
        ([moment(10, 15, 0.9), moment(15, 20, 0.4)], [(10, 15), (15, 20)]),  # something else after it
        ([moment(10, 15, 0.9), moment(12, 14, 0.4, "picture")], [(10, 15), (12, 14)]),  # another sense
        ([moment(10, 15, 0.9), moment(30, 35, 0.8)], [(10, 15), (30, 35)]),
        ([moment(100, 105, 0.84), moment(20, 100, 0.66)], [(100, 105), (20, 100)]),  # what went on before it
    ],
)
def test_what_overlaps_is_one_moment(hits: list[Hit], spans: list[tuple[float, float]]) -> None:
    assert [(one.start_s, one.end_s) for one in joined(hits)] == spans


def test_less_sure_moments_come_last_and_are_not_counted() -> None:
    moments = [moment(300, 305, 0.9), moment(200, 205, 0.8), moment(100, 105, 0.5)]
    answered = times_answer("a dog", moments, "space", 0.0, count=True)
    assert answered.answer.text == (
        "a dog: 2 times, at 0:03:20–0:03:25 [1], 0:05:00–0:05:05 [2]. Less surely at 0:01:40–0:01:45 [3]."
    )
    assert [source.start_s for source in answered.sources] == [200, 300, 100]
    assert [citation.sure for citation in answered.citations] == [True, True, False]


class Edgy(Speaker):
    """Hears a high tone, too, where a low one begins at the end of a window."""

    def _place(self, part: Part) -> np.ndarray:
        if isinstance(part, Audio):
            samples = np.abs(np.asarray(part.source))
            loud = np.flatnonzero(samples > 0.1)
            if len(loud) and loud[0] > 0.6 * len(samples):
                return axis("low") + axis("high", 0.4)
        return super()._place(part)


def test_what_one_window_hears_and_the_next_does_not_is_doubted(tmp_path: Path) -> None:
    sound = np.zeros(60 * RATE_HZ, np.float32)
    sound[14 * RATE_HZ : 18 * RATE_HZ] = tone("low", 4.0)  # windows from 10, 12.5 and 15 s
    sound[41 * RATE_HZ : 46 * RATE_HZ] = tone("high", 5.0)
    path = film(tmp_path / "film.mp4", (("green", 60.0),), sound)
    index = index_of(path, Edgy())
    (alone,) = index.search("high", where="start_s = 10 and kind = 'sound'", per_item=1)
    windows = {hit.start_s: hit.fit for hit in index.search("high", top=99, per_item=None) if hit.kind == "sound"}
    assert alone.fit > 0.85
    assert windows[10.0] < 0.6
    assert windows[40.0] > 0.95
    assert index.ask("When can high be heard?").sources[0].start_s == pytest.approx(40, abs=2.5)


def test_steady_sound_is_heard_once_and_what_is_soft_in_it_still(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(size=120 * RATE_HZ).astype(np.float32) * 0.03
    sound[60 * RATE_HZ : 62 * RATE_HZ] += 0.05 * tone("high", 2.0)  # a third of the power of the noise
    path = film(tmp_path / "film.mp4", (("green", 120.0),), sound)
    rows = Index(tmp_path / "db", Speaker())
    rows.add(path)
    spans = [
        (row["start_s"], row["end_s"]) for row in rows.store.table.to_arrow().to_pylist() if row["kind"] == "sound"
    ]
    assert spans[0][0] == 0
    assert all(end == start + 2.5 for (_, end), (start, _) in pairwise(spans))  # without a gap
    assert spans[-1][1] == pytest.approx(120, abs=0.2)
    assert len(spans) < 12  # of 47 windows
    assert {57.5, 60.0} <= {start for start, _ in spans}


def test_steady_sound_counts_as_often_as_it_is_heard(tmp_path: Path) -> None:
    sound = np.zeros(120 * RATE_HZ, np.float32)
    sound[60 * RATE_HZ : 65 * RATE_HZ] = tone("high", 5.0)
    index = Index(tmp_path / "db", Speaker())
    index.add(film(tmp_path / "film.mp4", (("green", 120.0),), sound))
    assert index.store.count("kind = 'sound'") < 8
    high = Searcher(index.store, Speaker()).sample("sound") @ axis("high")
    assert len(high) == pytest.approx(47, abs=1)
    assert np.mean(high > 0.5) == pytest.approx(3 / 47, abs=0.03)


def test_windows_beside_are_taken_from_what_was_found(
    hour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tutti.search.ingest.facets.alike", lambda one, other: False)
    index = Index(tmp_path / "db", Speaker())
    index.add(hour)
    asked: list[int] = []
    ask = Searcher._odds_of_windows
    monkeypatch.setattr(
        Searcher,
        "_odds_of_windows",
        lambda own, places, wanted: (asked.append(len(places)), ask(own, places, wanted))[1],
    )

    def fits(**options: object) -> dict[str, float | None]:
        return {
            hit.id: hit.fit for hit in index.search("high", top=99, per_item=None, **options) if hit.kind == "sound"
        }

    whole = fits()
    assert len(whole) > 20
    assert asked == []
    some = fits(where="kind = 'sound' AND start_s > 26 AND start_s < 32")
    assert asked == [2]  # what ends in the first, and what starts in the last
    assert len(some) == 2
    assert some == pytest.approx({key: whole[key] for key in some})


class Reader:
    """Reads OPEN on red."""

    def read(self, image: Image) -> Sequence[TextLine]:
        red = np.asarray(image.source)[..., 0].mean() > 180
        return [TextLine(text="OPEN", box=(1.0, 2.0, 3.0, 4.0), confidence=0.9)] if red else []


def test_text_in_frames_is_read(hour: Path, tmp_path: Path) -> None:
    index = Index(tmp_path / "db", Speaker(), reader=Reader())
    index.add(hour)
    hit, *_ = index.moments("open", top=1)
    assert (hit.kind, hit.words, hit.boxes[0]["text"]) == ("words", "OPEN", "OPEN")
    assert hit.start_s == pytest.approx(14, abs=0.5)
    assert hit.end_s == pytest.approx(20, abs=0.5)


def test_a_long_film_is_written_in_one_commit_of_many_parts(
    hour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tutti.search.ingest.row_buffer._IN_MEMORY", 2)
    monkeypatch.setattr("tutti.search.table.store._ROWS_AT_ONCE", 3)
    tables = []
    for place in ("parts", "whole"):
        index = Index(tmp_path / place, Speaker())
        index.add(hour)
        tables.append(index.store.table.to_arrow().drop_columns(["indexed"]).to_pylist())
        monkeypatch.undo()
        monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / "cache"))
    assert tables[0] == tables[1]
    assert len(tables[0]) > 8
