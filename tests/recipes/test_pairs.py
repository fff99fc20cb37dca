"""Pictures and sounds with captions: the same draw twice, nothing held out, and pools that stay as they are."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer

from recipes.tutti_mini.alignment import PairSource
from recipes.tutti_mini.export import preprocessor_config
from recipes.tutti_mini.packs import Pictures, Sounds, fit_square
from recipes.tutti_mini.pairs import Keys, PicturePairs, SoundPairs, augment_photos, augment_sprites, normalize, restyle
from recipes.tutti_mini.recipe import keys_of
from tutti.processing.images import ImageProcessor


@pytest.fixture
def picture_pairs(pictures: dict[str, Pictures]) -> PicturePairs:
    packs = [pictures[name].part(held_out=False) for name in ("cifar10", "hand_digits", "emoji_noto")]
    return PicturePairs(packs, (0.5, 0.2, 0.3))


@pytest.fixture
def sound_pairs(sounds: dict[str, Sounds]) -> SoundPairs:
    return SoundPairs([pack.part(held_out=False) for pack in sounds.values()], (0.4, 0.4, 0.2))


def test_a_draw_is_a_function_of_its_generator(picture_pairs: PicturePairs, sound_pairs: SoundPairs) -> None:
    first, again, other = (picture_pairs.draw(np.random.default_rng(seed), 40) for seed in (3, 3, 4))
    assert torch.equal(first.pixels, again.pixels)
    assert first.captions == again.captions
    assert not torch.equal(first.pixels, other.pixels)
    heard, heard_again = (sound_pairs.draw(np.random.default_rng(3), 12) for _ in range(2))
    assert torch.equal(heard.features, heard_again.features)
    assert heard.keys == heard_again.keys


def test_drawing_changes_no_pack(picture_pairs: PicturePairs) -> None:
    before = [pack.pixels.copy() for pack in picture_pairs.packs]
    picture_pairs.draw(np.random.default_rng(0), 60)
    for pack, pixels in zip(picture_pairs.packs, before, strict=True):
        np.testing.assert_array_equal(pack.pixels, pixels)


def test_shapes_and_shares(picture_pairs: PicturePairs, sound_pairs: SoundPairs) -> None:
    drawn = picture_pairs.draw(np.random.default_rng(1), 400)
    assert drawn.pixels.shape == (400, 3, 64, 64)
    assert drawn.pixels.dtype == torch.uint8
    hands = sum(key.startswith("hand showing") for key in drawn.keys)
    assert 50 < hands < 110
    heard = sound_pairs.draw(np.random.default_rng(1), 9)
    assert heard.features.shape[:2] == (9, 64)
    assert heard.features.shape[2] % 64 == 0


def test_what_is_held_out_is_never_drawn(pictures: dict[str, Pictures], sounds: dict[str, Sounds]) -> None:
    assert not pictures["emoji_twemoji"].part(held_out=False).rows
    for pack in (*pictures.values(), *sounds.values()):
        kept, held = pack.part(held_out=False), pack.part(held_out=True)
        assert len(kept.rows) + len(held.rows) == len(pack.rows)
        assert not {row["file"] for row in kept.rows} & {row["file"] for row in held.rows}
    assert {row["speaker"] for row in sounds["speech_digits"].part(held_out=True).rows} == {"lucas"}


def test_hands_are_never_mirrored(pictures: dict[str, Pictures]) -> None:
    pairs = PicturePairs([pictures["hand_digits"], pictures["cifar10"]], (0.5, 0.5))
    assert not pairs.may_flip["hand_digits"].any()
    assert pairs.may_flip["cifar10"].all()


def test_equal_names_share_a_key_across_packs() -> None:
    keys = Keys(["dog", "cat", "dog"])
    assert keys(["dog", "cat", "dog"]).tolist() == [1, 0, 1]


def test_a_batch_calls_groceries_by_kind_or_by_variety(pictures: dict[str, Pictures]) -> None:
    rows = [{**row, "coarse": "Fruit", "text": ["a photo of it"]} for row in pictures["grocery"].rows]
    pairs = PicturePairs([Pictures("grocery", rows, pictures["grocery"].pixels)], (1.0,))
    rng = np.random.default_rng(0)
    kinds, varieties = pairs.draw(rng, 40, broad=True), pairs.draw(rng, 40)
    assert set(kinds.keys) == {"fruit"}
    assert all("fruit" in caption for caption in kinds.captions)
    assert set(varieties.keys) == {"apple", "milk", "red beet", "lemon"}
    assert not {"fruit", "a photo of fruit"} & set(varieties.captions)
    tokenizer = Tokenizer.from_str((files("tutti") / "assets/tutti-mini/tokenizer.json").read_text())
    source = PairSource("image", pairs, keys_of(pairs, broad=True), 8, tokenizer=tokenizer, others=8)
    drawn = [set(source.batch(rng)["text_keys"].tolist()) for _ in range(12)]
    fruit = source.keys.index["fruit"]
    assert {fruit} in drawn
    assert all(keys == {fruit} or fruit not in keys for keys in drawn)
    assert any(fruit not in keys for keys in drawn)


def test_colours_vary_as_far_as_they_are_told(pictures: dict[str, Pictures]) -> None:
    drawn = [PicturePairs([pictures["cifar10"]], (1.0,), strength=0.5, colour=colour) for colour in (0.0, 1.0, 2.0)]
    still, *moved = (pairs.draw(np.random.default_rng(0), 20).pixels.float() for pairs in drawn)
    near, far = ((pixels - still).abs().mean() for pixels in moved)
    assert 0 < near < far


def test_recordings_are_as_long_as_they_are_told(sounds: dict[str, Sounds]) -> None:
    pairs = SoundPairs([sounds["speech_digits"].part(held_out=False)], (1.0,), {1.28: 1.0})
    assert pairs.draw(np.random.default_rng(0), 3).features.shape == (3, 64, 128)


def test_no_strength_leaves_a_photo_nearly_alone() -> None:
    smooth = torch.from_numpy(np.tile(np.linspace(40, 200, 64, dtype=np.float32), (4, 3, 64, 1))).to(torch.uint8)
    still = augment_photos(smooth, np.zeros(4, bool), np.random.default_rng(0), strength=0.0)
    shaken = augment_photos(smooth, np.zeros(4, bool), np.random.default_rng(0), strength=1.0)
    # A view may still move by 8 % of the half-width and 5 % of zoom: at most 14 of 160 grey values.
    assert (still.float() - smooth.float()).abs().max() <= 20
    assert (shaken.float() - smooth.float()).abs().mean() > (still.float() - smooth.float()).abs().mean()


def test_a_sprite_is_laid_on_a_ground() -> None:
    sprite = torch.zeros(2, 4, 64, 64, dtype=torch.uint8)
    sprite[:, 0, 20:44, 20:44] = 255
    sprite[:, 3, 20:44, 20:44] = 255
    laid = augment_sprites(sprite, np.zeros(2, bool), np.random.default_rng(0), strength=0.0).float()
    assert (laid[:, 0, 30:34, 30:34] > 200).all()
    assert (laid[:, 1, 30:34, 30:34] < 30).all()
    corner = laid[:, :, 0, 0]
    assert not torch.equal(corner, torch.zeros_like(corner))


def test_training_sees_pictures_as_the_product_does() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 120, 3), dtype=np.uint8)
    trained = normalize(torch.from_numpy(fit_square(Image.fromarray(pixels))).permute(2, 0, 1)).numpy()
    served = ImageProcessor.from_config(preprocessor_config()["image"])(pixels)
    np.testing.assert_allclose(trained, served, atol=1e-5)


def test_half_of_the_sprites_are_drawn_in_another_hand() -> None:
    sprites = torch.zeros(400, 4, 64, 64)
    sprites[:, :, 16:48, 16:48] = 200
    sprites[:, :3, 30:32, 16:48] = 0  # a thin dark line
    drawn = restyle(sprites, np.random.default_rng(0))
    changed = (drawn != sprites).flatten(1).any(1)
    assert 0.4 < changed.float().mean() < 0.6
    without = (drawn[:, :3, 30:32, 20:44] > 150).flatten(1).all(1)
    assert 0.12 < without.float().mean() < 0.28
    assert (drawn[:, :3] <= drawn[:, 3:] + 1e-3).all()
