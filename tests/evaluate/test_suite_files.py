"""Suites and files of other tools: what is right is read, and everything that is wrong is told at once."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.evaluate.scripted_model import write_suite
from tutti.errors import InputError
from tutti.evaluate.drafting import draft_suite
from tutti.evaluate.suite import read_suite


def test_a_case_has_what_its_line_says(tmp_path: Path) -> None:
    path = write_suite(
        tmp_path,
        {"id": "a", "media": ["a.png"], "question": "What?", "expected": ["dog", "a dog"], "metric": "contains",
         "group": "g", "tags": ["night"]},
        {"question": "How many?", "expected": 3, "metric": "number", "tolerance": 0.1},
        {"id": "c", "question": "Describe.", "expected": {"facts": ["two dogs"], "forbidden": ["a cat"]}},
    )  # fmt: skip
    first, second, third = read_suite(path).cases
    assert (first.id, first.media, first.expected) == ("a", (str(tmp_path / "a.png"),), ("dog", "a dog"))
    assert (first.cluster, second.id, second.expected, second.tolerance) == ("g", "line-2", ("3",), 0.1)
    assert (third.metric, third.annotation and third.annotation.forbidden) == ("facts", ("a cat",))
    assert len({case.digest for case in (first, second, third)}) == 3


def test_every_wrong_line_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    lines = [
        "{not json",
        '"a string"',
        '{"id": "x", "question": " ", "expected": "a"}',
        '{"id": "x", "question": "q", "expected": "a", "metric": "magic"}',
        '{"id": "x3", "question": "q", "expected": "a", "media": ["gone.png"]}',
        '{"id": "x4", "question": "q", "expected": "a", "colour": 1}',
        '{"id": "twice", "question": "q", "expected": "a"}',
        "",
        '{"id": "twice", "question": "q", "expected": "a"}',
        '{"id": "x5", "question": "q"}',
        '{"id": "x6", "question": "q", "expected": "many", "metric": "number"}',
        '{"id": "x7", "question": "q", "expected": "maybe", "metric": "pope"}',
        '{"id": "x8", "question": "q", "expected": {"facts": ["a"]}, "metric": "anls"}',
        '{"id": "x9", "question": "q", "expected": "a", "metric": "choice"}',
        '{"id": "x10", "question": "q", "expected": [""]}',
        '{"id": "x11", "question": "q", "expected": "a", "tolerance": NaN}',
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_suite(path)
    message = str(caught.value)
    assert "has 15 problems" in message
    for number in (1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16):
        assert f"line {number}: " in message
    assert "lines 7, 9: the id 'twice' comes more than once" in message
    assert "lines 3, 4: the id 'x' comes more than once" in message, "also where a line has another fault"
    assert "metric is 'magic'; known are exact, contains," in message
    assert "gone.png' is not there" in message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.jsonl", b"", "holds no case"),
        ("latin.jsonl", b'{"question": "\xe9"}', "is not UTF-8"),
        ("suite.csv", b"a,b", "ends in '.csv'"),
        ("bad.yaml", b"tests: [", "is not YAML"),
        ("bad.json", b"[{]", "is not JSON"),
        ("list.yaml", b"a: 1", "no list of tests"),
        ("cols.tsv", b"a\tb\n1\t2\n", "expected index, question and answer"),
    ],
)
def test_what_is_no_suite_is_refused(name: str, content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=expected):
        read_suite(tmp_path / name)


def test_a_suite_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"Cannot read gone\.jsonl: No such file"):
        read_suite(Path("gone.jsonl"))


def test_pope_lines(tmp_path: Path) -> None:
    write_suite(tmp_path, {"media": ["p.jpg"]})
    path = tmp_path / "coco_pope.json"
    line = {"question_id": 1, "image": "p.jpg", "text": "Is there a dog?", "label": "yes"}
    path.write_text(json.dumps(line) + "\n" + json.dumps(line | {"question_id": 2, "label": "no"}) + "\n")
    cases = read_suite(path).cases
    assert [(case.id, case.metric, case.expected) for case in cases] == [
        ("1", "pope", ("yes",)),
        ("2", "pope", ("no",)),
    ]
    assert cases[0].cluster == cases[1].cluster


def test_llava_json(tmp_path: Path) -> None:
    write_suite(tmp_path, {"media": ["p.jpg"]})
    turns = [("human", "<image>\nWhat is it?"), ("gpt", "A dog."), ("human", "Its colour?"), ("gpt", "Brown.")]
    record = {"id": "7", "image": "p.jpg", "conversations": [{"from": who, "value": said} for who, said in turns]}
    (tmp_path / "llava.json").write_text(json.dumps([record]))
    cases = read_suite(tmp_path / "llava.json").cases
    assert [(case.id, case.question, case.expected) for case in cases] == [
        ("7-1", "What is it?", ("A dog.",)),
        ("7-2", "Its colour?", ("Brown.",)),
    ]
    assert {case.cluster for case in cases} == {"7"}


def test_vlmevalkit_tsv(tmp_path: Path) -> None:
    write_suite(tmp_path, {"media": ["p.png"]})
    picture = base64.b64encode((tmp_path / "p.png").read_bytes()).decode()
    path = tmp_path / "bench.tsv"
    rows = [["index", "image", "question", "A", "B", "answer"], ["1", picture, "Which?", "cat", "dog", "B"]]
    rows += [["2", "1", "And now?", "cat", "dog", "A"], ["3", picture, "Open?", "", "", "blue"]]
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    first, second, third = read_suite(path).cases
    assert (first.metric, first.options, first.expected) == ("choice", ("cat", "dog"), ("dog",))
    assert second.media == first.media
    assert (third.metric, third.expected) == ("vqa", ("blue",))


def test_promptfoo_yaml(tmp_path: Path) -> None:
    write_suite(tmp_path, {"media": ["p.png"]})
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(
        "prompts: ['{{image}} What is this? {{hint}}']\n"
        "tests:\n"
        "  - description: dog\n    vars: {image: file://p.png, hint: Look closely.}\n"
        "    assert: [{type: latency, threshold: 1}, {type: icontains, value: dog}]\n"
    )
    (case,) = read_suite(path).cases
    assert (case.id, case.question, case.metric, case.expected) == (
        "dog",
        "What is this? Look closely.",
        "contains",
        ("dog",),
    )
    path.write_text("tests:\n  - vars: {a: b}\n    assert: [{type: javascript, value: x}]\n")
    with pytest.raises(InputError, match="test 1: no assertion that can be taken over"):
        read_suite(path)


def test_a_draft_is_a_suite(tmp_path: Path) -> None:
    write_suite(tmp_path / "guide dog", {"media": ["1.png"]})
    write_suite(tmp_path, {"media": ["alone.png"]})
    (tmp_path / "notes.txt").write_text("no medium")
    lines, left_out = draft_suite(tmp_path)
    (tmp_path / "suite.jsonl").write_text(lines)
    alone, dog = read_suite(tmp_path / "suite.jsonl").cases
    assert (dog.expected, dog.metric, dog.tags) == (("guide dog",), "contains", ("guide dog",))
    assert alone.metric == "hallucination"
    assert len(left_out) == 1
    assert "notes.txt" in left_out[0]
    with pytest.raises(InputError, match="is not a folder"):
        draft_suite(tmp_path / "gone")
