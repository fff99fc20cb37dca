"""Lines end at line feeds, a byte order mark is no character, and what cannot be read is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tutti.errors import CapacityError, InputError
from tutti.media import text_files
from tutti.media.text_files import json_object, lines_of, read_lines, read_text, stream_lines

ODD = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\rj"
"""Everything that `str.splitlines` cuts at."""


@pytest.mark.parametrize("read", [read_lines, stream_lines])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_end_at_line_feeds_only(tmp_path: Path, read, start: bytes, end: str) -> None:
    rows = [{"text": ODD.replace("\r", "")}, {"text": "plain"}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (tmp_path / "rows").write_bytes(start + end.join([lines[0], "", lines[1], ""]).encode())
    found = list(read(tmp_path / "rows"))
    assert [number for number, _ in found] == [1, 3]
    assert [json_object(line) for _, line in found] == rows


def test_a_carriage_return_within_a_line_stays(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"a\rb\nc")
    assert list(read_lines(tmp_path / "rows")) == list(stream_lines(tmp_path / "rows")) == [(1, "a\rb"), (2, "c")]


def test_only_the_first_mark_is_one(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n")
    assert list(stream_lines(tmp_path / "rows")) == list(read_lines(tmp_path / "rows")) == [(1, "a"), (2, "\ufeffb")]


def test_blank_lines_count_and_are_left_out() -> None:
    assert list(lines_of("\n \r\na\n")) == [(3, "a")]


@pytest.mark.parametrize("read", [read_text, lambda path: list(stream_lines(path))])
def test_what_cannot_be_read(tmp_path: Path, read) -> None:
    (tmp_path / "latin").write_bytes("x\né".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin is not UTF-8 text \(.* at byte \d\); save it as UTF-8"):
        read(tmp_path / "latin")
    with pytest.raises(InputError, match=r"Cannot read .*gone: No such file"):
        read(tmp_path / "gone")
    with pytest.raises(InputError, match=r"Cannot read .*: Is a directory"):
        read(tmp_path)


def test_a_null_in_a_path() -> None:
    with pytest.raises(InputError, match="is not a path"):
        read_text("a\0b")


def test_what_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "long").write_text("x" * 100)
    with pytest.raises(CapacityError, match="more than 99 bytes"):
        read_text(tmp_path / "long", 99)
    assert len(read_text(tmp_path / "long", 100)) == 100
    monkeypatch.setattr(text_files, "_LONGEST_LINE", 99)
    with pytest.raises(CapacityError, match=r"Line 1 of .* has more than 99 bytes"):
        list(stream_lines(tmp_path / "long"))


@pytest.mark.parametrize(
    ("line", "message"), [("{", "not JSON"), ("[1]", "expected an object, found list"), ("[" * 99_999, "not JSON")]
)
def test_a_line_that_is_no_object(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        json_object(line)
