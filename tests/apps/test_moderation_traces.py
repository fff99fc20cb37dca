"""What the making of media left in them becomes signs of a policy, with reasons and moments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.apps.test_moderation import policy_in
from tests.search.synthetic_media import Space
from tests.trust.forensics.test_copied_regions import photograph
from tests.trust.forensics.test_picture_grids import jpeg, pasted
from tests.trust.forensics.test_sound_splices import decoded_aac, place
from tests.trust.forensics.test_synchrony import beats, sound, written
from tutti.apps.moderation import Moderator, read_policy
from tutti.content import Image
from tutti.media import wrap

TRACES = """
[[category]]
name = "edited"
action = "review"
threshold = 0.5
[category.signals]
"""


def moderator(folder: Path, *signals: str) -> Moderator:
    text = TRACES + "".join(f"{name} = 1.0\n" for name in signals)
    return Moderator(read_policy(policy_in(folder, text=text)), Space())


def test_a_film_whose_sound_was_moved_is_for_review_with_its_moment(tmp_path: Path) -> None:
    moments = beats(5)
    found = moderator(tmp_path, "sync").decide(
        wrap(written(tmp_path / "moved.mp4", moments, sound(moments + 0.6))), "moved.mp4"
    )
    assert found.action == "review"
    (finding,) = found.findings
    assert finding.spans[0][0] == 0.0 and finding.signs[0].signal == "sync"
    assert "0.6 s too late" in finding.signs[0].reason or "0.5 s too late" in finding.signs[0].reason
    own = wrap(written(tmp_path / "own.mp4", moments, sound(moments)))
    assert moderator(tmp_path, "sync").decide(own, "own.mp4").action == "allow"


def test_a_film_whose_sound_cannot_be_judged_says_so(tmp_path: Path) -> None:
    quiet = written(tmp_path / "quiet.mp4", beats(5), np.zeros(160_000, np.float32))
    found = moderator(tmp_path, "sync").decide(wrap(quiet), "quiet.mp4")
    assert found.action == "allow" and any("cannot be told" in note for note in found.notes)


def test_a_recording_with_a_foreign_passage_is_for_review_where_it_lies(tmp_path: Path) -> None:
    spliced = place(1, 10, -0.8)
    spliced[64_000:112_000] = place(2, 3, 0.0)
    soundfile.write(tmp_path / "spliced.wav", spliced, 16_000, subtype="FLOAT")
    found = moderator(tmp_path, "background", "cut").decide(wrap(tmp_path / "spliced.wav"), "spliced.wav")
    assert found.action == "review"
    background = [sign for sign in found.findings[0].signs if sign.signal == "background"]
    assert background and background[0].start_s == pytest.approx(4, abs=0.6)


def test_a_recording_that_was_cut_after_its_coding_is_for_review(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.normal(0, 1, 90_000))
    whole = np.fft.irfft(spectrum * np.maximum(np.arange(len(spectrum)), 200) ** -0.7, 90_000)
    heard = decoded_aac((0.1 * whole / whole.std()).astype(np.float32), 44_100)
    cut = np.concatenate([heard[:45_000], heard[50_500:]])[333:]
    soundfile.write(tmp_path / "cut.wav", cut, 44_100, subtype="FLOAT")
    found = moderator(tmp_path, "recoded").decide(wrap(tmp_path / "cut.wav"), "cut.wav")
    assert found.action == "review" and "out of step" in found.findings[0].signs[0].reason


def test_a_picture_with_a_part_of_another_is_for_review(tmp_path: Path) -> None:
    made = pasted(jpeg(photograph(1), 85), jpeg(photograph(2), 80), 3, 5)
    found = moderator(tmp_path, "pasted").decide(Image(made), "made.png")
    assert found.action == "review" and found.findings[0].signs[0].signal == "pasted"
