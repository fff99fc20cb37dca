"""Embeddings on disk, and what must never be taken for one another."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as pillow

from tests.engine.toy_models import Reader, hear, picture, tiny_engine, with_picture
from tutti.content import Audio, Image, Video
from tutti.engine import DiskShelf, EmbeddingCache, Engine
from tutti.engine.embedding_cache import Worth, embedding_key
from tutti.errors import InputError
from tutti.media import Limits, decode_image
from tutti.processing.prompt import media_digest


def key(name: str) -> bytes:
    return embedding_key("", "image", name, "")


def test_what_was_kept_is_found_after_a_restart(tmp_path: Path) -> None:
    DiskShelf(tmp_path / "deep/er").put(key("a"), torch.arange(6.0).reshape(2, 3), 0.25)
    again = DiskShelf(tmp_path / "deep/er")
    found = again.get(key("a"))
    assert found is not None
    assert torch.equal(found[0], torch.arange(6.0).reshape(2, 3))
    assert found[1] == 0.25
    assert again.get(key("b")) is None
    assert (tmp_path / "deep/er").stat().st_mode & 0o777 == 0o700


def test_half_precision_comes_back_as_it_was(tmp_path: Path) -> None:
    shelf = DiskShelf(tmp_path)
    value = torch.randn(3, 4, dtype=torch.bfloat16)
    shelf.put(key("a"), value, 1.0)
    found = shelf.get(key("a"))
    assert found is not None
    assert torch.equal(found[0], value)


def test_the_folder_stays_within_its_size_and_keeps_what_is_dear(tmp_path: Path) -> None:
    one = len(_file(tmp_path / "measure"))
    shelf = DiskShelf(tmp_path / "shelf", max_bytes=3 * one)
    for name, seconds in (("dear", 9.0), ("cheap", 0.1), ("middling", 1.0), ("new", 0.5)):
        shelf.put(key(name), torch.ones(8, 4), seconds)
    assert [shelf.get(key(name)) is not None for name in ("dear", "cheap", "middling", "new")] == [
        True,
        False,
        True,
        True,
    ]
    held = sum(entry.stat().st_size for entry in os.scandir(tmp_path / "shelf"))
    assert held == shelf.held_bytes <= 3 * one
    smaller = DiskShelf(tmp_path / "shelf", max_bytes=one)
    assert len(smaller) == len(os.listdir(tmp_path / "shelf")) == 1
    assert smaller.get(key("dear")) is not None


def _file(folder: Path) -> bytes:
    DiskShelf(folder).put(key("dear"), torch.ones(8, 4), 9.0)
    return next(folder.iterdir()).read_bytes()


def test_old_worth_fades() -> None:
    """Without that, what was once dear would stay forever, though nobody asks for it."""
    worth = Worth(max_bytes=2)
    worth.add(b"old", 1, seconds=5.0)
    dropped: list[bytes] = []
    for index in range(20):
        dropped += worth.add(bytes([index]), 1, seconds=1.0)
        if index > 0:
            worth.use(bytes([index]))
    assert b"old" in dropped
    assert worth.bytes <= 2


@pytest.mark.parametrize("how", ["cut", "flipped", "renamed", "pickled", "emptied"])
def test_what_is_damaged_or_was_put_there_is_not_believed(tmp_path: Path, how: str) -> None:
    shelf = DiskShelf(tmp_path)
    shelf.put(key("a"), torch.ones(8, 4), 1.0)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    if how == "renamed":  # another's embedding, in the place of this one
        shelf.put(key("b"), torch.zeros(8, 4), 1.0)
        content = next(one for one in tmp_path.iterdir() if one != path).read_bytes()
    changed = {
        "cut": content[:-3],
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "renamed": content,
        "pickled": b"\x80\x04cos\nsystem\n(S'exit 1'\ntR.",
        "emptied": b"",
    }[how]
    path.write_bytes(changed)
    assert shelf.get(key("a")) is None
    assert not path.exists()
    assert DiskShelf(tmp_path).get(key("a")) is None


def test_leftovers_of_a_process_that_ended_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "0.1.2.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"not ours")
    DiskShelf(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_is_refused_and_a_full_disk_is_not_felt(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be used"):
        DiskShelf(tmp_path / "file")
    shelf = DiskShelf(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    shelf.put(key("a"), torch.ones(2), 1.0)
    assert shelf.get(key("a")) is None


def test_a_second_process_encodes_nothing_and_says_the_same(tmp_path: Path) -> None:
    said = []
    for expected in (1, 0):
        model = Reader()
        engine = _with_shelf(model, DiskShelf(tmp_path))
        said.append(hear(engine, engine.submit(with_picture(1, picture(7)))).tokens)
        assert model.encoded == expected
    plain = tiny_engine()
    assert said[0] == said[1] == hear(plain, plain.submit(with_picture(1, picture(7)))).tokens


def test_tenants_and_weights_do_not_share_the_folder(tmp_path: Path) -> None:
    for tenant, weights in (("a", "w"), ("b", "w"), ("a", "v")):
        model = Reader()
        engine = _with_shelf(model, DiskShelf(tmp_path), weights)
        hear(engine, engine.submit(with_picture(1, picture(7)), tenant=tenant))
        assert model.encoded == 1, (tenant, weights)


def _with_shelf(model: Reader, shelf: DiskShelf, weights: str = "w") -> Engine:
    return Engine(
        model,
        eos_ids=(),
        detokenize=str,
        embedding_cache=EmbeddingCache(shelf=shelf),
        weights_digest=weights,
    )


# What caches of others were led astray by: pairs that some digest takes for one, and that are two.


def _coded(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image: pillow.Image = options.pop("image")  # type: ignore[assignment]
    image.save(file, form, **options)
    return file.getvalue()


def _decoded_digest(content: bytes) -> str:
    return media_digest({"pixel_values": decode_image(Image(content), Limits())})


def _ramp(width: int, height: int) -> pillow.Image:
    values = np.arange(width * height * 3, dtype=np.uint32).reshape(height, width, 3) * 7 % 256
    return pillow.fromarray(values.astype(np.uint8))


def test_shapes_of_the_same_bytes_are_two() -> None:
    pixels = np.arange(30 * 150 * 3, dtype=np.uint32).astype(np.uint8)
    wide, high = pixels.reshape(30, 150, 3), pixels.reshape(150, 30, 3)
    assert wide.tobytes() == high.tobytes(), "a digest of the bytes alone takes them for one"
    assert media_digest({"a": wide}) != media_digest({"a": high})
    assert Image(wide).digest != Image(high).digest


def test_palettes_of_the_same_indices_are_two() -> None:
    grey = pillow.new("P", (8, 8))
    grey.putdata(list(range(64)))
    files = []
    for palette in ([i for n in range(256) for i in (n, 0, 0)], [i for n in range(256) for i in (0, 0, n)]):
        one = grey.copy()
        one.putpalette(palette)
        files.append((one.tobytes(), _coded("PNG", image=one)))
    assert files[0][0] == files[1][0], "a digest of the indices alone takes them for one"
    assert _decoded_digest(files[0][1]) != _decoded_digest(files[1][1])


def test_modes_of_the_same_bytes_are_two() -> None:
    values = np.arange(48, dtype=np.uint8)
    grey, colour = values.reshape(6, 8), values.reshape(2, 8, 3)
    assert grey.tobytes() == colour.tobytes()
    assert Image(grey).digest != Image(colour).digest
    assert _decoded_digest(_coded("PNG", image=pillow.fromarray(grey))) != _decoded_digest(
        _coded("PNG", image=pillow.fromarray(colour))
    )


def test_orientations_of_the_same_pixels_are_two() -> None:
    image = _ramp(12, 8)
    plain = _coded("PNG", image=image)
    exif = pillow.Exif()
    exif[0x0112] = 6
    turned = _coded("PNG", image=image, exif=exif)
    with pillow.open(io.BytesIO(plain)) as one, pillow.open(io.BytesIO(turned)) as other:
        assert one.tobytes() == other.tobytes(), "a digest of what the decoder gives takes them for one"
    assert _decoded_digest(plain) != _decoded_digest(turned)


def test_files_that_begin_alike_are_two() -> None:
    first, second = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    second[-1, -1] = 255
    assert first.tobytes()[:4096] == second.tobytes()[:4096], "a digest of the first bytes takes them for one"
    assert media_digest({"a": first}) != media_digest({"a": second})


def test_all_256_bits_are_compared() -> None:
    """Keys that agree but for their last bit are two; a digest cut short, or Python's own hash, takes them for one."""
    cache = EmbeddingCache()
    one = key("a")
    other = one[:-1] + bytes([one[-1] ^ 1])
    cache.put(one, torch.ones(2))
    assert one[:8] == other[:8]
    assert cache.get(other) is None
    assert len(one) == 32


def test_frames_and_sample_rates_are_part_of_what_is_compared() -> None:
    frames = np.arange(4 * 6 * 6 * 3, dtype=np.uint32).astype(np.uint8)
    assert media_digest({"a": frames.reshape(4, 6, 6, 3)}) != media_digest({"a": frames.reshape(2, 12, 6, 3)})
    samples = np.zeros(100, np.float32)
    assert Audio(samples, sample_rate_hz=8000).digest != Audio(samples, sample_rate_hz=16000).digest
    clip = frames.reshape(4, 6, 6, 3)
    assert Video(clip, frames_per_s=1).digest != Video(clip, frames_per_s=2).digest


class Keyed:
    """A sealer of a tenant that stands for one with a key: what it seals is told apart by tenant and place."""

    def __init__(self, tenant: str) -> None:
        self.tenant, self.gone = tenant, False

    def seal(self, content: bytes, context: str) -> bytes:
        if self.gone:
            raise InputError("The key was destroyed.")
        return f"{self.tenant} {context} ".encode() + content[::-1]

    def unseal(self, sealed: bytes, context: str) -> bytes:
        head = f"{self.tenant} {context} ".encode()
        if self.gone or not sealed.startswith(head):
            raise InputError("Not sealed with this key.")
        return sealed.removeprefix(head)[::-1]

    def digest(self, text: str) -> str:
        return hashlib.sha256(f"{self.tenant} {text}".encode()).hexdigest()


def test_with_sealers_neither_what_was_seen_nor_that_it_was_is_on_the_disk(tmp_path: Path) -> None:
    value = torch.randn(4, 8)
    held = value.numpy().tobytes()[:64]
    DiskShelf(tmp_path).put(key("a"), value, 0.5, "anna")
    assert any(held in file.read_bytes() and file.name.startswith(key("a").hex()) for file in tmp_path.iterdir())
    sealers = {name: Keyed(name) for name in ("anna", "ben", "default")}
    shelf = DiskShelf(tmp_path, sealer_of=sealers.__getitem__)
    assert not list(tmp_path.iterdir())  # what lay there in the clear
    shelf.put(key("a"), value, 0.5, "anna")
    shelf.put(key("b"), value, 0.5)
    for file in tmp_path.iterdir():
        assert held not in file.read_bytes() and key("a").hex() not in file.name and file.suffix == ".sealed"
    again = DiskShelf(tmp_path, sealer_of=sealers.__getitem__)
    found = again.get(key("a"), "anna")
    assert found is not None and torch.equal(found[0], value) and found[1] == 0.5
    assert again.get(key("b")) is not None and again.get(key("a"), "ben") is None
    assert len(DiskShelf(tmp_path)) == 0  # without sealers, they are not for it
    assert len(list(tmp_path.iterdir())) == 2


def test_an_embedding_that_was_put_in_anothers_place_or_lost_its_key_is_not_believed(tmp_path: Path) -> None:
    sealers = {name: Keyed(name) for name in ("anna",)}
    shelf = DiskShelf(tmp_path, sealer_of=sealers.__getitem__)
    shelf.put(key("a"), torch.zeros(2, 2), 1.0, "anna")
    (a,) = tmp_path.iterdir()
    shelf.put(key("b"), torch.ones(2, 2), 1.0, "anna")
    (b,) = (file for file in tmp_path.iterdir() if file != a)
    a.write_bytes(b.read_bytes())
    assert shelf.get(key("a"), "anna") is None and not a.exists()
    sealers["anna"].gone = True
    assert shelf.get(key("b"), "anna") is None and not b.exists()
    shelf.put(key("c"), torch.ones(2, 2), 1.0, "anna")  # its tenant was erased: nothing is kept, nothing breaks
    assert not list(tmp_path.iterdir())
