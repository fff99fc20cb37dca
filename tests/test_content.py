"""What `tests/content` leaves: `data:` URLs, large files, claims, and that values stay as they are."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tutti.content import (
    Answer,
    Claim,
    Image,
    SamplingOptions,
    Text,
    Usage,
    data_url_bytes,
)
from tutti.errors import InputError


def test_a_file_its_bytes_and_its_data_url_are_one_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192  # 2 MiB: read in pieces
    file = tmp_path / "a.bin"
    file.write_bytes(content)
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    digests = {Image(source).digest for source in (file, str(file), content, url)}
    assert len(digests) == 1


def test_a_text_that_is_not_unicode_has_a_digest() -> None:
    assert Text("\udc80").digest != Text("\udc81").digest


@pytest.mark.parametrize(
    ("url", "content"),
    [
        ("data:;base64,", b""),
        ("data:text/plain;base64,ZG9n", b"dog"),
        ("data:text/plain;charset=utf-8;base64,ZG9ncw==", b"dogs"),
        ("DATA:TEXT/PLAIN;BASE64,ZG9ncw%3D%3D", b"dogs"),
        ("data:;base64,ZG9nZG9nZG9nZG9n\r\nZG9n\r\n", b"dogdogdogdogdog"),
        ("data:,a%20dog%2C%ff", b"a dog,\xff"),
        ("data:text/plain,ZG9n", b"ZG9n"),
    ],
)
def test_data_urls_are_decoded(url: str, content: bytes) -> None:
    assert data_url_bytes(url) == content


@pytest.mark.parametrize(
    "payload", ["ZG9", "ZG9n=", "ZG9n ZG9n", "ZG9n\nZG9n", "ZG-_", "Z*9n", "ZG9ué", "=ZG9n", "ZG9ncw%3D"]
)
def test_base64_is_read_strictly(payload: str) -> None:
    with pytest.raises(InputError, match=r"^The base64 text of a data: URL is not well formed: .+\.$"):
        data_url_bytes("data:image/png;base64," + payload)


def test_an_answer_is_plain_values_for_json() -> None:
    answer = Answer(
        text="a dog",
        model="tiny",
        finish_reason="stop",
        usage=Usage(prompt_tokens=20, completion_tokens=2, media_tokens=16, image_tokens=16),
        seconds=0.25,
        evidence=(Claim(text="a dog", supported=True, evidence="caption"),),
    )
    assert json.loads(json.dumps(answer.to_dict())) == {
        "text": "a dog",
        "model": "tiny",
        "finish_reason": "stop",
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 2,
            "media_tokens": 16,
            "image_tokens": 16,
            "audio_tokens": 0,
            "video_tokens": 0,
            "cached_tokens": 0,
        },
        "seconds": 0.25,
        "cost_usd": 0.0,
        "evidence": [{"text": "a dog", "supported": True, "evidence": "caption"}],
        "notes": [],
        "logprobs": [],
        "tool_calls": [],
        "stopped_by": None,
    }
    assert str(answer) == "a dog"


def test_answers_are_greedy_unless_asked_otherwise() -> None:
    options = SamplingOptions()
    assert (options.temperature, options.top_k, options.top_p, options.repetition_penalty) == (0.0, 0, 1.0, 1.0)


def test_values_cannot_be_changed() -> None:
    for value, name in ((Text("dog"), "text"), (Image("dog.png"), "source"), (SamplingOptions(), "seed")):
        with pytest.raises(AttributeError):
            setattr(value, name, "cat")
