"""Packs: rows become examples; what is missing or damaged is named."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image as Pictures

from tutti.errors import CapacityError, InputError
from tutti.media import Limits
from tutti.training.packs import PackReader


def _png() -> bytes:
    file = io.BytesIO()
    Pictures.fromarray(np.zeros((2, 3, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


ROWS = [
    {"file": "cat/1.png", "label": "cat", "text": ["a cat", "cat"], "split": "train", "speaker": "x"},
    {"file": "dog/2.png", "label": "dog", "text": ["a dog"], "split": "val"},
]


def _pack(folder, rows=ROWS, members=None):
    folder.mkdir(exist_ok=True)
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with zipfile.ZipFile(folder / "data.zip", "w", zipfile.ZIP_STORED) as archive:
        for name in [row["file"] for row in rows] if members is None else members:
            archive.writestr(name, _png())
    return folder


def test_rows_become_examples(tmp_path):
    pack = PackReader(_pack(tmp_path / "pack"))
    first, second = pack
    assert len(pack) == 2
    assert (first.key, first.label, first.texts) == ("cat/1.png", "cat", ("a cat", "cat"))
    assert first.attributes == {"split": "train", "speaker": "x"}
    assert [part.modality for part in second.media] == ["image"]
    assert second.media[0].source == _png()


def test_rows_and_bytes_are_handed_out_as_they_are(tmp_path):
    pack = PackReader(_pack(tmp_path / "pack", [*ROWS, {"file": "noise.png", "label": "noise", "text": []}]))
    assert pack.rows[:2] == ROWS
    assert pack.content("dog/2.png") == _png()
    assert pack[2].texts == ()
    with pytest.raises(InputError, match=r"data.zip has no member 'bird.png'"):
        pack.content("bird.png")


def test_a_pack_of_text_needs_no_archive(tmp_path):
    (tmp_path / "index.jsonl").write_text(json.dumps({"code": "0023", "name": "hash sign"}) + "\n\n")
    (example,) = PackReader(tmp_path)
    assert (example.key, example.media, example.attributes["name"]) == ("0023", (), "hash sign")


def test_it_goes_to_worker_processes(tmp_path):
    pack = PackReader(_pack(tmp_path / "pack"))
    assert pickle.loads(pickle.dumps(pack))[1].media[0].source == _png()


def test_members_that_the_archive_lacks_are_named(tmp_path):
    with pytest.raises(InputError, match=r"lacks 1 of the 2 members that the index names \(dog/2.png\)"):
        PackReader(_pack(tmp_path / "pack", members=["cat/1.png"]))


def test_a_damaged_member_is_named(tmp_path):
    folder = _pack(tmp_path / "pack")
    content = bytearray((folder / "data.zip").read_bytes())
    content[content.index(b"IHDR")] ^= 0xFF
    (folder / "data.zip").write_bytes(content)
    pack = PackReader(folder)
    with pytest.raises(InputError, match=r"cat/1.png in .*data.zip is damaged \(Bad CRC"):
        pack[0]
    assert pack[1].label == "dog"


def test_a_member_of_no_known_format_is_named(tmp_path):
    folder = _pack(tmp_path / "pack", members=[])
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        archive.writestr("cat/1.png", "hello")
        archive.writestr("dog/2.png", _png())
    with pytest.raises(InputError, match=r"cat/1.png in .*plain text"):
        PackReader(folder)[0]


def test_a_member_over_the_limit_is_not_read(tmp_path):
    with pytest.raises(CapacityError, match=r"cat/1.png in .* the limit is 10"):
        PackReader(_pack(tmp_path / "pack"), Limits(max_bytes=10))[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "Cannot read .*data.zip"), (b"not a zip", "not a whole zip archive")],
)
def test_an_archive_that_is_missing_or_cut_off(tmp_path, content, message):
    folder = _pack(tmp_path / "pack")
    (folder / "data.zip").unlink() if content is None else (folder / "data.zip").write_bytes(content)
    with pytest.raises(InputError, match=message):
        PackReader(folder)


def test_bad_rows_are_all_reported_with_their_lines(tmp_path):
    lines = ['{"file": "a", "text": ["x"]}', "{", '{"file": "", "text": ["x"]}', '{"file": "b", "text": "x"}', "[1]"]
    (tmp_path / "index.jsonl").write_text("\n".join([*lines, '{"file": "c", "text": [1]}']))
    with pytest.raises(InputError) as caught:
        PackReader(tmp_path)
    told = str(caught.value)
    assert told.startswith("index.jsonl has 5 malformed entries")
    assert [f"line {n}:" in told for n in range(1, 7)] == [False, True, True, True, True, True]


def test_without_an_index_it_is_no_pack(tmp_path):
    with pytest.raises(InputError, match=r"Cannot read .*index.jsonl: No such file"):
        PackReader(tmp_path)
