"""Known pictures and sounds are met again after what is done to copies, and others are not taken for them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from tutti.errors import InputError
from tutti.trust.forensics.hash_lists import HashList, entry_of_picture, entry_of_sound
from tutti.trust.forensics.picture_hash import BITS, from_hex, listed_hashes, mirrored, picture_query, to_hex
from tutti.trust.forensics.sound_prints import RATE_HZ


def scene(seed: int, side: int = 160) -> np.ndarray:
    """Blobs of many sizes, as photographs have."""
    rng = np.random.default_rng(seed)
    made = np.zeros((side, side + 40, 3))
    for cells in (3, 6, 12, 24):
        grid = (rng.random((cells, cells, 3)) * 255).astype(np.uint8)
        wide = pillow.fromarray(grid).resize((side + 40, side), pillow.Resampling.BICUBIC)
        made += np.asarray(wide, float) * (3 / cells)
    return np.clip(made / made.max() * 255, 0, 255).astype(np.uint8)


def tune(seed: int, seconds: float = 4.0) -> np.ndarray:
    """Notes that decay, at random times."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    made = np.zeros_like(times)
    for start in np.sort(rng.uniform(0, seconds, 24)):
        after = np.maximum(times - start, 0)
        made += np.where(times >= start, np.exp(-6 * after) * np.sin(2 * np.pi * rng.uniform(200, 3000) * after), 0)
    return (made / np.abs(made).max() * 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> HashList:
    file = tmp_path_factory.mktemp("list") / "known.jsonl"
    entries = [entry_of_picture(scene(seed), f"scene {seed}") for seed in range(8)]
    entries += [entry_of_sound(tune(seed), f"tune {seed}") for seed in range(5)]
    file.write_text("\n".join(map(json.dumps, entries)) + "\n")
    return HashList.read(file)


def jpeg(pixels: np.ndarray) -> np.ndarray:
    out = io.BytesIO()
    pillow.fromarray(pixels).save(out, "JPEG", quality=30)
    return np.asarray(pillow.open(out))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("the same", lambda pixels: pixels),
        ("recompressed", jpeg),
        ("half as large", lambda pixels: np.asarray(pillow.fromarray(pixels).resize((100, 80)))),
        ("mirrored", lambda pixels: pixels[:, ::-1]),
        ("cropped", lambda pixels: pixels[8:-6, 11:-7]),
        ("darker", lambda pixels: (pixels * 0.7).astype(np.uint8)),
    ],
)
def test_a_changed_copy_is_met_again(known: HashList, name: str, change: object) -> None:
    match = known.find_picture(np.ascontiguousarray(change(scene(3))))  # type: ignore[operator]
    assert match is not None
    assert match.label == "scene 3", name
    assert ("mirrored" in match.reason) == (name == "mirrored")


def test_other_pictures_are_not_taken_for_known_ones(known: HashList) -> None:
    assert [known.find_picture(scene(seed)) for seed in range(20, 40)] == [None] * 20
    assert known.find_picture(np.full((64, 64, 3), 90, np.uint8)) is None


def test_the_hash_of_the_mirror_follows_from_the_hash() -> None:
    query, turned = picture_query(scene(1)), picture_query(np.ascontiguousarray(scene(1)[:, ::-1]))
    assert query is not None and turned is not None
    np.testing.assert_allclose(mirrored(query), turned, atol=3e-3)
    assert np.abs(query).sum() == pytest.approx(1, abs=1e-4)
    assert abs(float(np.sign(query) @ turned)) < 0.5
    bits = listed_hashes(scene(1))
    assert bits is not None and bits.shape == (100, BITS)
    assert (from_hex(to_hex(bits[7])) == bits[7]).all()


def test_a_blank_picture_has_no_hash() -> None:
    assert listed_hashes(np.full((50, 80, 3), 200, np.uint8)) is None
    assert entry_of_picture(np.zeros((50, 80, 3), np.uint8), "x") is None
    assert entry_of_sound(np.zeros(RATE_HZ, np.float32), "x") is None


def test_a_sound_is_met_again_within_another(known: HashList) -> None:
    rng = np.random.default_rng(0)
    noisy = tune(2) + rng.normal(size=len(tune(2))).astype(np.float32) * 0.005
    around = np.concatenate([tune(50, 2.0), noisy[9_000:] * 0.3, tune(51, 2.0)])
    match = known.find_sound(around.astype(np.float32))
    assert match is not None
    assert match.label == "tune 2"
    assert [known.find_sound(tune(seed)) for seed in range(60, 70)] == [None] * 10


@pytest.mark.parametrize(
    "line", ["no json", '{"kind": "smell", "label": "x"}', '{"kind": "picture", "hashes": ["ab"], "label": "x"}', "[]"]
)
def test_what_is_no_list_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "list.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match="line 1 is no entry"):
        HashList.read(tmp_path / "list.jsonl")
