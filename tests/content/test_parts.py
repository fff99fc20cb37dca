"""Parts know their modality, their source and a digest of what they hold."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tutti
from tutti.content import Answer, Media, Message, Text, Usage
from tutti.errors import InputError

CONTENT = b"\x89PNG and so on"
PARTS = (tutti.Image, tutti.Audio, tutti.Video, tutti.Depth, tutti.Thermal, tutti.Motion)


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.modality)
def test_a_file_has_one_digest_by_every_way_to_it(kind: type[Media], tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(CONTENT)
    url = "data:image/png;base64," + base64.b64encode(CONTENT).decode()
    percent = "data:," + "".join(f"%{byte:02X}" for byte in CONTENT)
    digests = {kind(source).digest for source in (str(file), file, CONTENT, url, percent)}
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_a_digest_is_the_one_that_is_written_down() -> None:
    assert tutti.Image(CONTENT).digest == hashlib.sha256(b"image\0\0file\0" + CONTENT).hexdigest()
    assert Text("a dog").digest == hashlib.sha256(b"text\0a dog").hexdigest()


def test_a_file_that_changes_gets_another_digest(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(CONTENT)
    part = tutti.Image(file)
    before = part.digest
    file.write_bytes(CONTENT[::-1])
    assert part.digest != before


def test_whatever_tells_media_apart_tells_digests_apart() -> None:
    ramp = np.arange(12, dtype=np.uint8)
    flat = ramp.astype(np.float32)
    parts = [
        *(kind(CONTENT) for kind in PARTS),
        Text(CONTENT.decode("latin-1")),
        tutti.Image(CONTENT[:-1]),
        tutti.Image(ramp.reshape(3, 4)),
        tutti.Image(ramp.reshape(4, 3)),
        tutti.Image(ramp.reshape(3, 4).view(np.int8)),
        tutti.Image(ramp.tobytes()),
        tutti.Image(b"(3, 4)\0|u1\0" + ramp.tobytes()),  # an array spelled out as a file
        tutti.Audio(flat, sample_rate_hz=8000),
        tutti.Audio(flat, sample_rate_hz=16000),
        tutti.Video(ramp.reshape(1, 2, 2, 3), frames_per_s=1),
        tutti.Video(ramp.reshape(1, 2, 2, 3), frames_per_s=2),
    ]
    assert len({part.digest for part in parts}) == len(parts)


def test_layout_in_memory_does_not_count() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert tutti.Image(np.asfortranarray(pixels)).digest == tutti.Image(pixels).digest


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("photos/dog.jpg", "photos/dog.jpg"),
        (Path("photos/dog.jpg"), "photos/dog.jpg"),
        (b"abc", "image of 3 bytes"),
        ("data:image/png;base64,QUJD", "image from a data: URL"),
        (np.zeros((2, 2), np.uint8), "image array"),
    ],
    ids=["text", "path", "bytes", "url", "array"],
)
def test_what_a_part_is_called_in_a_message(source: Any, name: str) -> None:
    assert tutti.Image(source).name == name


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("no/such.png", "Cannot read no/such.png: No such file or directory."),
        ("no\0path", "'no\\x00path' is not a path; expected one without null characters."),
        ("data:image/png;base64", "A data: URL without a comma was given; expected data:TYPE;base64,CONTENT."),
        ("data:;base64,QUJ", "The base64 text of a data: URL is not well formed: Incorrect padding."),
        ("data:;base64,QU*D", "The base64 text of a data: URL is not well formed: Only base64 data is allowed."),
    ],
)
def test_what_has_no_digest_says_why(source: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        _ = tutti.Image(source).digest
    assert str(caught.value) == sentence


def test_a_users_turn_takes_words_and_media() -> None:
    picture = tutti.Image(CONTENT)
    assert Message.user(picture, "What is it?") == Message("user", (picture, Text("What is it?")))


def test_an_answer_is_its_text_and_plain_values() -> None:
    usage = Usage(prompt_tokens=20, completion_tokens=3, media_tokens=16)
    answer = Answer(text="a dog", model="mine", finish_reason="stop", usage=usage, seconds=0.5)
    assert str(answer) == "a dog"
    assert json.loads(json.dumps(answer.to_dict())) == {
        "text": "a dog",
        "model": "mine",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 20, "completion_tokens": 3, "media_tokens": 16},
        "seconds": 0.5,
        "cost_usd": 0.0,
        "evidence": [],
    }
