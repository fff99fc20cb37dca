"""WebDataset shards: grouped by stem, read front to back, nothing that could run."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image as Pictures

from tutti.errors import CapacityError, InputError
from tutti.media import Limits
from tutti.training.shards import MOST_MEMBERS, read_shards


def _png() -> bytes:
    file = io.BytesIO()
    Pictures.fromarray(np.zeros((2, 3, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def _shard(file, members, mode="w"):
    with tarfile.open(file, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


GOOD = [
    ("a/001.png", _png()),
    ("a/001.txt", b"a cat\n"),
    ("a/001.cls", b"3"),
    ("b/001.left.png", _png()),
    ("b/001.right.png", _png()),
    ("b/001.json", b'{"caption": "two dogs", "width": 3}'),
]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_neighbouring_members_of_one_stem_are_one_example(tmp_path, mode):
    first, second = read_shards([_shard(tmp_path / "0.tar", GOOD, mode)])
    assert (first.key, first.texts, first.label) == ("0.tar/a/001", ("a cat",), "3")
    assert [part.modality for part in first.media] == ["image"]
    assert (second.key, second.texts, len(second.media)) == ("0.tar/b/001", ("two dogs",), 2)
    assert second.attributes["width"] == 3


def test_shards_follow_one_another_lazily(tmp_path):
    shards = [_shard(tmp_path / f"{index}.tar", GOOD) for index in range(2)]
    reader = read_shards([*shards, tmp_path / "missing.tar"])
    assert [next(reader).key for _ in range(4)] == ["0.tar/a/001", "0.tar/b/001", "1.tar/a/001", "1.tar/b/001"]
    with pytest.raises(InputError, match=r"Cannot read .*missing.tar"):
        next(reader)


def test_hidden_files_folders_and_links_are_passed_over(tmp_path):
    file = tmp_path / "0.tar"
    with tarfile.open(file, "w") as archive:
        for name, kind in (("a", tarfile.DIRTYPE), ("a/link.png", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("a/._1.png", "a/1.txt"):
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, io.BytesIO(b"hi"))
    assert [(example.key, example.texts) for example in read_shards([file])] == [("0.tar/a/1", ("hi",))]


@pytest.mark.parametrize("name", ["1.pkl", "1.pickle", "1.pth", "1.npy", "1.meta.PKL"])
def test_what_only_a_pickle_could_hold_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=f"holds {name}, which may contain code"):
        list(read_shards([_shard(tmp_path / "0.tar", [(name, b"x")])]))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("1.exe", b"x")], "holds 1.exe, a kind of entry that is not known"),
        ([("1.png", b"hello")], r"0.tar/1.png: .*plain text"),
        ([("1.json", b"[1]")], r"0.tar/1.json: the entry is \[1\]"),
        ([("1.json", b"{")], "0.tar/1.json: Expecting"),
        ([("1.txt", b"\xff")], "0.tar/1.txt: the entry is not UTF-8"),
        ([("1.txt", b"x"), ("2.txt", b"x"), ("1.cls", b"x")], "members of '1' in two places"),
    ],
)
def test_bad_entries_are_named(tmp_path, members, message):
    with pytest.raises(InputError, match=message):
        list(read_shards([_shard(tmp_path / "0.tar", members)]))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_shard_that_ends_too_early_says_after_what(tmp_path, mode):
    content = np.random.default_rng(0).bytes(60_000)
    file = _shard(tmp_path / "0.tar", [("1.txt", b"x"), ("2.txt", content)], mode)
    file.write_bytes(file.read_bytes()[:30_000])
    reader = read_shards([file])
    with pytest.raises(InputError, match=r"0.tar (is damaged )?after 2.txt|0.tar after 2.txt"):
        list(reader)


def test_not_a_tar_at_all(tmp_path):
    (tmp_path / "0.tar").write_bytes(b"hello" * 500)
    with pytest.raises(InputError, match=r"0.tar is damaged after its beginning"):
        list(read_shards([tmp_path / "0.tar"]))


def test_limits_hold_before_anything_is_read(tmp_path):
    with pytest.raises(CapacityError, match=r"1.txt in .*0.tar has 1,000 bytes"):
        list(read_shards([_shard(tmp_path / "0.tar", [("1.txt", b"x" * 1000)])], Limits(max_bytes=999)))
    many = [(f"1.{index}.txt", b"x") for index in range(MOST_MEMBERS + 1)]
    with pytest.raises(CapacityError, match="more than 64 members of '1'"):
        list(read_shards([_shard(tmp_path / "1.tar", many)]))
