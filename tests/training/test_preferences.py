"""Preferences: a prompt, with media if it likes, and two answers of which one is better."""

from __future__ import annotations

import json

import pytest

from tutti.content import Image, Text
from tutti.errors import InputError
from tutti.training.preferences import read_preferences


def _file(tmp_path, *rows):
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return file


def test_words_and_messages_are_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    prompt = [
        {"role": "user", "content": [{"type": "image_url", "image_url": "a.png"}, {"type": "text", "text": "What?"}]}
    ]
    rich = {
        "id": 5,
        "prompt": prompt,
        "chosen": [{"role": "assistant", "content": "A cat."}],
        "rejected": [{"role": "assistant", "content": [{"type": "text", "text": "A dog."}]}],
    }
    first, second = read_preferences(_file(tmp_path, {"prompt": "Hi", "chosen": "Hello!", "rejected": "No."}, rich))
    assert (first.key, first.prompt[0].parts, first.chosen, first.rejected) == (
        "line 1",
        (Text("Hi"),),
        "Hello!",
        "No.",
    )
    assert [type(part) for part in second.prompt[0].parts] == [Image, Text]
    assert (second.key, second.chosen, second.rejected) == ("5", "A cat.", "A dog.")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"chosen": "a", "rejected": "b"}, "'prompt' is missing"),
        ({"prompt": "p", "chosen": "a"}, "'rejected' is missing; expected text"),
        ({"prompt": "p", "chosen": "a", "rejected": "a"}, "are the same"),
        (
            {"prompt": "p", "chosen": [{"role": "user", "content": "a"}], "rejected": "b"},
            "expected one, of the assistant",
        ),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, "'prompt' is \"\""),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, row, message):
    good = {"prompt": "p", "chosen": "a", "rejected": "b"}
    with pytest.raises(InputError, match=rf"(?s)pairs.jsonl has 1 malformed .*line 2: .*{message}"):
        read_preferences(_file(tmp_path, good, row))
