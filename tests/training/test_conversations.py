"""Conversations in two dialects, with media in their places, and every bad line reported at once."""

from __future__ import annotations

import base64
import json

import pytest

from tutti.content import Audio, Image, Text, Video
from tutti.errors import InputError
from tutti.training.conversations import read_llava, read_messages


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "media"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png", "c.wav", "d.mp4"):
        (folder / name).write_bytes(b"content is looked at later")
    (tmp_path / "outside.png").write_bytes(b"secret")
    return folder


def _seen(messages, folder):
    """Messages as plain values."""

    def value(part):
        if isinstance(part, Text):
            return part.text
        source = part.source
        return type(part).__name__, source.removeprefix(f"{folder.resolve()}/") if isinstance(source, str) else source

    return [(message.role, [value(part) for part in message.parts]) for message in messages]


def _llava(tmp_path, *entries):
    (tmp_path / "data.json").write_text(json.dumps(list(entries)))
    return tmp_path / "data.json"


def _turns(*values):
    return [{"from": ("human", "gpt")[index % 2], "value": value} for index, value in enumerate(values)]


def test_llava_puts_media_where_their_placeholders_stand(tmp_path, media):
    file = _llava(
        tmp_path,
        {"id": 7, "image": "a.png", "conversations": _turns("<image>\nWhat is it?", "A cat."), "source": "x"},
        {
            "id": "two",
            "image": ["a.png", "sub/b.png"],
            "video": "d.mp4",
            "conversations": _turns("First <image> then <image>.", "Yes.", "And\n<video>", "Rain."),
        },
        {"conversations": [{"from": "system", "value": "Be brief."}, *_turns("Hi", "Hello")]},
    )
    first, second, third = read_llava(file, media)
    assert _seen(first.messages, media) == [("user", [("Image", "a.png"), "What is it?"]), ("assistant", ["A cat."])]
    assert (first.key, first.attributes) == ("7", {"source": "x"})
    assert _seen(second.messages, media) == [
        ("user", ["First ", ("Image", "a.png"), " then ", ("Image", "sub/b.png"), "."]),
        ("assistant", ["Yes."]),
        ("user", ["And", ("Video", "d.mp4")]),
        ("assistant", ["Rain."]),
    ]
    assert third.key == "entry 3"
    assert third.messages[0].role == "system"


def test_llava_as_lines(tmp_path, media):
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"image": "a.png", "conversations": _turns("<image>", "x")}) + "\n")
    (dialogue,) = read_llava(file, media)
    assert dialogue.key == "line 1"
    assert isinstance(dialogue.messages[0].parts[0], Image)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"image": "a.png", "conversations": _turns("no place", "x")},
            "1 image more than placeholders such as <image>",
        ),
        ({"conversations": _turns("<image>", "x")}, "<image> stands for no medium"),
        (
            {"image": "gone.png", "conversations": _turns("<image>", "x")},
            "'gone.png' is not in the media folder 'media'",
        ),
        ({"image": "../outside.png", "conversations": _turns("<image>", "x")}, "lies outside of the media folder"),
        ({"image": "/etc/passwd", "conversations": _turns("<image>", "x")}, "lies outside of the media folder"),
        ({"image": "https://x/y.png", "conversations": _turns("<image>", "x")}, "is remote"),
        ({"image": 3, "conversations": _turns("<image>", "x")}, "neither a path nor a list of paths"),
        ({"conversations": []}, r"'conversations' is \[\]; expected a list"),
        ({"conversations": ["x"]}, 'a turn is "x"; expected an object'),
        ({"conversations": [{"from": "bot", "value": "x"}]}, "'from' is 'bot'; expected human"),
        ({"conversations": [{"from": "human"}]}, "'value' is missing; expected text"),
    ],
)
def test_llava_says_what_is_wrong_and_where(tmp_path, media, entry, message):
    good = {"conversations": _turns("a", "b")}
    with pytest.raises(InputError, match=rf"(?s)1 malformed .*entry 2: .*{message}"):
        read_llava(_llava(tmp_path, good, entry, good), media)


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("{}", "expected a list of conversations")])
def test_llava_that_is_no_list(tmp_path, text, message):
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_llava(tmp_path / "data.json")


def _messages(tmp_path, *contents):
    file = tmp_path / "data.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "ok"}]}
        for content in contents
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return file


def test_messages_hold_text_and_media_from_paths_and_data_urls(tmp_path, media):
    url = "data:image/png;base64," + base64.b64encode(b"pixels").decode()
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "sub/b.png"}},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "video_url", "video_url": {"url": f"file://{media.resolve()}/d.mp4"}},
        {"type": "audio_url", "audio_url": {"url": "c.wav"}},
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"sound").decode(), "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "c.wav"}},
    ]
    plain, rich = read_messages(_messages(tmp_path, "Hello", content), media)
    assert _seen(plain.messages, media) == [("user", ["Hello"]), ("assistant", ["ok"])]
    assert _seen(rich.messages, media)[0] == (
        "user",
        [
            "Look",
            ("Image", "sub/b.png"),
            ("Image", url),
            ("Video", "d.mp4"),
            ("Audio", "c.wav"),
            ("Audio", b"sound"),
            ("Audio", "c.wav"),
        ],
    )
    assert [type(part) for part in rich.messages[0].parts[1:5]] == [Image, Image, Video, Audio]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "'content' is missing; expected a list"),
        ([{"type": "smell"}], "type 'smell'; expected text, image_url, video_url, audio_url, input_audio"),
        ([{"type": "image_url"}], "'image_url' is missing"),
        ([{"type": "image_url", "image_url": {"url": "http://x/y.png"}}], "is remote"),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,###"}}], "not well formed"),
        ([{"type": "input_audio", "input_audio": {"data": "###"}}], "neither base64"),
        ([{"type": "text"}], "'text' is missing"),
        ([3], "a content part is 3"),
    ],
)
def test_messages_say_what_is_wrong_and_on_which_line(tmp_path, media, content, message):
    with pytest.raises(InputError, match=rf"(?s)line 2: .*{message}"):
        read_messages(_messages(tmp_path, "fine", content), media)


def test_all_bad_lines_are_counted_and_ten_are_shown(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text("{}\n" * 12 + "\n" + '{"messages": [{"role": "robot", "content": "x"}]}\n')
    with pytest.raises(InputError) as caught:
        read_messages(file)
    lines = str(caught.value).splitlines()
    assert lines[0] == "data.jsonl has 13 malformed entries; correct or remove them:"
    assert lines[1] == "  line 1: 'messages' is missing; expected a list with something in it."
    assert len(lines) == 12
    assert lines[-1] == "  and 3 more"


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_messages(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes("{é}".encode("latin-1"))
    with pytest.raises(InputError, match=r"not UTF-8 .*at byte 1"):
        read_messages(tmp_path / "latin.jsonl")
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    with pytest.raises(InputError, match="line 1: not JSON"):
        read_messages(tmp_path / "deep.jsonl")
