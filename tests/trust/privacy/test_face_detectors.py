"""Which pieces of a picture CenterFace looks at, what of each counts, and where its boxes lie; without its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trust.privacy.networks import face_network
from tutti.errors import InputError
from tutti.trust.privacy.centerface import CenterFace, decoded
from tutti.trust.privacy.faces import FaceBox, HaarFaces
from tutti.trust.privacy.onnx_files import ready_for_any_size
from tutti.trust.privacy.tracking import FaceTracker, Track, boxes_by_frame


class Marks(CenterFace):
    """Finds white squares in the place of heads, with the score that is given; keeps the sizes that it looked at."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.seen: list[tuple[int, ...]] = []

    def _heads_of(self, pixels: np.ndarray) -> list[tuple[float, float, float, float, float]]:
        self.seen.append(pixels.shape[:2])
        ys, xs = np.nonzero(pixels[..., 0] > 128)
        if not len(ys):
            return []
        return [(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1), self.score)]


def picture(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    made = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = box
    made[top:bottom, left:right] = 255
    return made


@pytest.mark.parametrize(("height", "width"), [(360, 640), (900, 1500), (2100, 3300)])
def test_a_head_is_found_where_it_is_in_small_and_large_pictures(height: int, width: int) -> None:
    box = (width - 90, height - 80, width - 50, height - 30)
    (found,) = Marks(0.9).faces(picture(height, width, box))
    assert np.abs(np.array(found.box) - box).max() < 8


def test_the_closer_look_counts_for_small_heads_that_are_likely() -> None:
    small, large = picture(200, 300, (20, 30, 50, 70)), picture(200, 300, (20, 30, 150, 190))
    one = Marks(0.9)
    assert len(one.faces(small)) == 1 and one.seen == [(200, 300), (300, 450)]
    assert len(one.faces(large)) == 1
    one.seen.clear()
    assert len(one.faces(small, quick=True)) == len(one.faces(large, quick=True)) == 1
    assert one.seen == 2 * [(267, 400), (100, 150)]
    one.seen.clear()
    assert one.faces(picture(1300, 1400, (20, 30, 50, 70)), quick=True)[0].box == (20, 30, 50, 70)
    assert one.seen == [(1300, 1400)]

    class Near(Marks):
        """Finds in the closer look alone."""

        def _heads_of(self, pixels: np.ndarray) -> list[tuple[float, float, float, float, float]]:
            return super()._heads_of(pixels) if pixels.shape[0] > 200 else []  # no look but that

    assert len(Near(0.16).faces(small)) == 1
    assert Near(0.14).faces(small) == [] and Near(0.3).faces(large) == []
    assert len(Near(0.3).faces(large, quick=True)) == 1 and Near(0.22).faces(small, quick=True) == []


def test_heads_are_decoded_from_cells() -> None:
    heat, scale, offset = np.zeros((8, 8), np.float32), np.zeros((2, 8, 8), np.float32), np.zeros((2, 8, 8), np.float32)
    heat[3, 5], heat[0, 0] = 0.8, 0.1
    scale[:, 3, 5] = np.log(5.0), np.log(4.0)
    ((left, top, right, bottom, score),) = decoded(heat, scale, offset)
    assert score == pytest.approx(0.8)
    assert ((left + right) / 2, (top + bottom) / 2) == (pytest.approx(22), pytest.approx(14))
    assert (right - left, bottom - top) == (pytest.approx(16 * 1.8), pytest.approx(20 * 1.5))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "some.onnx"
    path.write_bytes(face_network())
    return path


def test_a_file_for_one_size_looks_at_pictures_of_any_and_only_at_pieces_that_changed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, looked = CenterFace(model), list[tuple[int, ...]]()
    real = detector._of_piece

    def look(piece: np.ndarray) -> object:
        looked.append(piece.shape)
        return real(piece)

    monkeypatch.setattr(detector, "_of_piece", look)
    pixels = np.zeros((400, 1400, 3), np.uint8)
    pixels[200:204, 1240:1244, 0] = 255
    found = detector.faces(pixels)
    assert looked == [(400, 1400, 3), (600, 1584, 3), (600, 756, 3)]
    left, top, right, bottom = max(found, key=lambda one: one.score).box
    assert left < 1242 < right and top < 202 < bottom and right - left == pytest.approx(4 * np.e * 1.8, rel=1e-3)
    looked.clear()
    pixels[200:204, 1240:1244] = 96
    assert detector.faces(pixels, quick=False)[0].score < found[0].score and looked[0] == (400, 1400, 3)
    assert looked == [(400, 1400, 3), (600, 756, 3)], "the left tile was looked at again, though it had not changed"


def test_a_network_made_ready_says_what_it_said_before() -> None:
    import onnxruntime

    content = face_network(0.01)
    batch = np.random.default_rng(0).uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    before, after = (
        onnxruntime.InferenceSession(one, providers=["CPUExecutionProvider"])
        for one in (content, ready_for_any_size(content))
    )
    for one, other in zip(before.run(None, {"picture": batch}), after.run(None, {"picture": batch}), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert [one.name for one in after.get_inputs()] == ["picture"]
    assert after.run(None, {"picture": batch[:1, :, :16]})[0].shape == (1, 1, 4, 8)


@pytest.mark.parametrize("content", [b"", b"\xff" * 12, b"\x3a\x05abc", b"\x08\x03", b"\x0b"])
def test_what_is_no_onnx_file_is_not_made_ready(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no graph|cut off|does not end|of kind"):
        ready_for_any_size(content)


def test_any_cut_of_a_file_is_refused_or_read_and_never_fails_otherwise(model: Path) -> None:
    whole = model.read_bytes()
    for end in range(0, len(whole), 97):
        model.write_bytes(whole[:end])
        try:
            CenterFace(model)
        except InputError as error:
            assert "some.onnx" in str(error)


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    with pytest.raises(InputError, match="is no file of a face detector"):
        CenterFace(path)
    path.write_bytes(b"no network")
    with pytest.raises(InputError, match=r"some\.onnx is not an ONNX model that onnxruntime reads"):
        CenterFace(path)


def test_cascades_find_nothing_where_nothing_is_and_a_quick_look_takes_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, looks = HaarFaces(), list[object]()
    real = detector._look

    def look(grey: np.ndarray, one: object, sides: tuple[int, int]) -> object:
        looks.append(one)
        return real(grey, one, sides)  # type: ignore[arg-type]

    monkeypatch.setattr(detector, "_look", look)
    assert detector.faces(np.full((60, 80, 3), 90, np.uint8)) == []
    whole = len(looks)
    assert detector.faces(np.full((60, 80, 3), 90, np.uint8), quick=True) == []
    assert len(looks) - whole == whole // 2 > 0


def test_a_frame_in_which_a_part_of_a_face_was_seen_is_covered_as_those_beside_it() -> None:
    whole, part, far = (10.0, 10.0, 50.0, 60.0), (10.0, 10.0, 20.0, 20.0), (90.0, 0.0, 100.0, 10.0)
    found = boxes_by_frame([Track({3: whole, 4: part, 5: whole, 9: part}), Track({4: far})])
    # With a tenth of their size on each side.
    whole, part, far = (6.0, 5.0, 54.0, 65.0), (9.0, 9.0, 21.0, 21.0), (89.0, -1.0, 101.0, 11.0)
    assert set(found[4]) == {whole, part, far} and set(found[3]) == {whole, part} and found[9] == [part]


def test_a_face_that_is_seen_once_is_covered_for_as_long_as_faces_are_held_and_back_to_its_last_look() -> None:
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 255, (30, 40), np.uint8), np.ones((8, 8), np.uint8))
    tracker = FaceTracker(held=8)
    for index in range(24):
        tracker.advance(index, np.roll(ground, 3 * index, axis=1))
        if index in (10, 14):
            left = 100.0 + 3 * index
            tracker.found(index, [FaceBox(box=(left, 80.0, left + 40, 130.0), score=1.0)])
    (track,) = tracker.tracks
    assert (min(track.boxes), max(track.boxes)) == (2, 22)
    for index, (left, top, right, bottom) in track.boxes.items():
        assert left <= 101 + 3 * index and right >= 139 + 3 * index and top <= 81 and bottom >= 129, index
