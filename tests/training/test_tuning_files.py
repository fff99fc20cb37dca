"""Files to tune on: what each form becomes, told apart by content, and bad rows by their lines."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from tutti.content import Image as ImagePart
from tutti.content import Text
from tutti.errors import InputError
from tutti.training.data import Dialogue, Preference, RatedAnswer
from tutti.training.tuning_files import TuningFile, read_tuning_file

ASKED = [{"role": "user", "content": "who?"}, {"role": "assistant", "content": "rex"}]
FORMS = {
    "messages": ("a.jsonl", json.dumps({"messages": ASKED})),
    "llava": ("a.json", json.dumps([{"image": "p.png", "conversations": [
        {"from": "human", "value": "<image>\nwho?"}, {"from": "gpt", "value": "rex"}]}])),
    "suite": ("a.jsonl", json.dumps({"id": "1", "media": ["p.png"], "question": "who?", "expected": ["rex", "dog"]})),
    "preferences": ("a.jsonl", json.dumps({"prompt": "who?", "chosen": "rex", "rejected": "max"})),
    "verdicts": ("a.jsonl", json.dumps({"prompt": "who?", "completion": "rex", "label": True})),
    "table": ("a.csv", "file,question,answer\np.png,who?,rex\n"),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "p.png")
    return tmp_path


def words(row: Dialogue) -> list[str]:
    return [part.text for message in row.messages for part in message.parts if isinstance(part, Text)]


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_is_known_by_what_is_in_it(kind: str, place: Path) -> None:
    name, content = FORMS[kind]
    (place / name).write_text(content)
    found = read_tuning_file(place / name)
    assert (found.kind, len(found.rows), found.bad) == (kind, 1, ())
    assert len(found.digest) == 64
    row = found.rows[0]
    if isinstance(row, Preference):
        assert (row.chosen, row.rejected) == ("rex", "max")
    elif isinstance(row, RatedAnswer):
        assert (row.answer, row.good) == ("rex", True)
    else:
        assert words(row) == ["who?", "rex"]
        pictures = [part for message in row.messages for part in message.parts if isinstance(part, ImagePart)]
        assert len(pictures) == (kind != "messages")


def test_shards_and_tables_in_folders(place: Path) -> None:
    (place / "shards").mkdir()
    picture = (place / "p.png").read_bytes()
    with tarfile.open(place / "shards/0.tar", "w") as archive:
        for name, content in (("a.png", picture), ("a.txt", b"rex"), ("b.png", picture), ("b.json", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    found = read_tuning_file(place / "shards", question="who?")
    assert found.kind == "shards" and [words(row) for row in dialogues(found)] == [["who?", "rex"]]
    assert [(row.where, "neither a text nor a label" in row.reason) for row in found.bad] == [("0.tar/b", True)]
    (place / "table.csv").write_text("image,label\np.png,rex\n")
    assert [words(row) for row in dialogues(read_tuning_file(place))] == [["What is this?", "rex"]]


def dialogues(file: TuningFile) -> list[Dialogue]:
    return [row for row in file.rows if isinstance(row, Dialogue)]


def test_bad_rows_have_their_lines(place: Path) -> None:
    (place / "a.csv").write_text("file,answer\np.png,rex\ngone.png,rex\np.png,\n../p.png,rex\n")
    found = read_tuning_file(place / "a.csv")
    assert [row.where for row in found.bad] == ["line 3", "line 4", "line 5"]
    assert len(found.rows) == 1
    (place / "a.jsonl").write_text(
        "\n".join([FORMS["suite"][1], json.dumps({"question": "w", "expected": {"facts": []}})])
    )
    found = read_tuning_file(place / "a.jsonl")
    assert [row.where for row in found.bad] == ["line 2"] and "expected a right answer" in found.bad[0].reason


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", '{"text": "x"}', "has the keys text; expected those of one of the known forms"),
        ("a.jsonl", "", "has the keys none"),
        ("a.csv", "file,kind\np.png,x\n", "expected one of answers, called answer or text or caption or label"),
        ("a.csv", "file,answer\n", "holds no row; expected at least one"),
    ],
)
def test_what_is_no_form_is_refused(name: str, content: str, sentence: str, place: Path) -> None:
    (place / name).write_text(content)
    with pytest.raises(InputError, match=sentence):
        read_tuning_file(place / name)
    with pytest.raises(InputError, match="There is no file"):
        read_tuning_file(place / "none.jsonl")
