"""Text and calls are told apart the same way, however an answer is cut into pieces."""

from __future__ import annotations

from typing import Any

import pytest

from tutti.content import TextDelta, ToolCallDelta
from tutti.processing.tool_forms import CallForm, head_of
from tutti.processing.tool_reader import CallReader

QWEN = CallForm(marker="<tool_call>", closing=("}", "</tool_call>"))
MISTRAL = CallForm(marker="[TOOL_CALLS]", listed=True)
ARGS = CallForm(marker="[TOOL_CALLS]", marker_id=5, opening=(), key="", closing=(), named_id=6)
LLAMA = CallForm(key="parameters", parallel=False)
ONE = '<tool_call>\n{"name": "get", "arguments": {"a": "}\\"{"}}\n</tool_call>'
GET, SET = '{"name": "get", "arguments": {}}', '{"name": "set", "arguments": {"x": 1}}'
FENCED = '```json\n{\n  "name": "get",\n  "arguments": {\n    "b": [{}]\n  }\n}\n```'
CASES: list[tuple[CallForm, str, str, list[tuple[str, str]]]] = [
    (QWEN, "", "", []),
    (QWEN, "It rains.", "It rains.", []),
    (QWEN, "a < b <tool", "a < b <tool", []),
    (QWEN, ONE, "", [("get", '{"a": "}\\"{"}')]),
    (QWEN, f"I look.\n{ONE}\n{ONE}", "I look.", [("get", '{"a": "}\\"{"}')] * 2),
    (QWEN, '<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>', None, []),
    (QWEN, '{"name": "get", "arguments": {}}', "", [("get", "{}")]),
    (QWEN, FENCED, "", [("get", '{\n    "b": [{}]\n  }')]),
    (QWEN, f"{GET}\n{SET}", "", [("get", "{}"), ("set", '{"x": 1}')]),
    (QWEN, '{"name": "Joke", "arguments": {}}', '{"name": "Joke", "arguments": {}}', []),
    (QWEN, '{"age": 3}', '{"age": 3}', []),
    (QWEN, '{"name": "ge', '{"name": "ge', []),
    (QWEN, "```python\nprint()\n```", "```python\nprint()\n```", []),
    (QWEN, "  Yes. ", "  Yes. ", []),
    (MISTRAL, f"[TOOL_CALLS] [{GET}, {SET}]", "", [("get", "{}"), ("set", '{"x": 1}')]),
    (MISTRAL, "[TOOL_CALL", "[TOOL_CALL", []),
    (ARGS, '[TOOL_CALLS]get[ARGS]{"a": 1}[TOOL_CALLS]set[ARGS]{}', "", [("get", '{"a": 1}'), ("set", "{}")]),
    (LLAMA, '{"name": "get", "parameters": {"a": {"b": 2}}}', "", [("get", '{"a": {"b": 2}}')]),
    (LLAMA, '{"name": "get", "arguments": {}}', '{"name": "get", "arguments": {}}', []),
    (LLAMA, "Hello {", "Hello {", []),
]  # fmt: skip


def read(form: CallForm, pieces: list[str]) -> tuple[str, list[tuple[str, str]]]:
    reader = CallReader(form, ["get", "set"])
    events: list[Any] = [event for piece in pieces for event in reader.push(piece)]
    events += reader.finish()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    calls: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            calls.setdefault(event.index, [event.name, ""])[1] += event.arguments
    assert text == reader.text
    told = [(name, arguments) for name, arguments in calls.values()]
    assert told == [(call.name, call.arguments) for call in reader.calls]
    return text, told


@pytest.mark.parametrize(("form", "said", "text", "calls"), CASES, ids=[str(number) for number in range(len(CASES))])
def test_pieces_and_the_whole_are_read_alike(
    form: CallForm, said: str, text: str | None, calls: list[tuple[str, str]]
) -> None:
    whole = read(form, [said])
    assert whole[1] == calls
    assert whole[0] == (said if text is None else text)
    assert read(form, list(said)) == whole
    for cut in range(len(said)):
        assert read(form, [said[:cut], said[cut:]]) == whole


def test_a_call_that_is_not_finished_has_what_there_is() -> None:
    reader = CallReader(QWEN, ["get"], announced=True)
    events = [*reader.push(ONE[:-25]), *reader.finish()]
    assert reader.calls[0].arguments == '{"a": "}\\"{'[: len(reader.calls[0].arguments)]
    assert reader.text == ""
    assert events


def test_a_head_that_may_still_come_is_waited_for() -> None:
    for text in ("", " ", "`", "```js", "{", '{"na', '{"name": "g', '{"name": "get", "arg'):
        assert head_of(text, QWEN.bare, ["get"]).fits, text
    for text in ("x", "```py", "{}", '{"nome', '{"name": "x', '{"name": "get", "args"'):
        assert not head_of(text, QWEN.bare, ["get"]).fits, text
