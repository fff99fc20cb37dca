"""The table of clients: written from what was seen, failures with their messages; with the marker, clients run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.cases import HEAD
from tests.clients.offline import name_of, refusal
from tests.clients.run import CLIENTS, outside, table
from tests.clients.webui import Clock
from tutti.content import Finished, Message, SamplingOptions, Text, Tool


def test_every_program_is_python_and_names_features() -> None:
    for client in CLIENTS:
        program = Path(*client.module.split(".")).with_suffix(".py") if client.module else None
        words = (Path(__file__).parents[2] / program).read_text() if program else client.program
        if not client.node:
            compile(HEAD + client.program, client.name, "exec")
        assert "feature(" in words
    assert len({client.name for client in CLIENTS}) == len(CLIENTS)


def test_the_table_says_what_works_and_what_does_not() -> None:
    features = [
        {"feature": "chat", "works": True, "told": ""},
        {"feature": "stream", "works": False, "told": "Error: a | b\nc"},
    ]
    written = table([{"client": "x", "version": "1.0", "features": features}])
    assert written.splitlines()[-1] == "| x | 1.0 | chat | stream: Error: a \\| b c |"


def test_what_was_looked_for_outside_stands_under_the_table() -> None:
    seen = {"client": "x", "fetched": {"names": {"hub.example": 3}, "pages": ["https://font.example/a"]}}
    assert outside([{"client": "y"}]) == ""
    assert "## What x looks for outside" in outside([seen])
    assert "`hub.example` (3)" in outside([seen])
    assert "its page asked `https://font.example/a`." in outside([seen])
    assert "nobody but its own server" in outside([{**seen, "fetched": {"names": {}, "pages": []}}])


def test_a_look_up_is_read_and_refused() -> None:
    query = b"\xab\xcd\x01\x00\x00\x01" + bytes(6) + b"\3hub\7example\0" + b"\0\1\0\1"
    assert name_of(query) == "hub.example"
    answer = refusal(query)
    assert answer[:2] == query[:2]
    assert answer[3] & 15 == 2, "SERVFAIL"
    assert answer[12:] == query[12:]
    with pytest.raises(IndexError):
        name_of(query[:14])


def test_the_stand_in_calls_for_the_time_and_says_what_it_got() -> None:
    tool = Tool("get_current_timestamp", "The time.", {"type": "object", "properties": {}})
    options = SamplingOptions(tools=(tool,))
    question = Message("user", (Text("What time is it?"),))
    *_, end = Clock().stream([question], options)
    assert isinstance(end, Finished)
    (call,) = end.answer.tool_calls
    turns = [
        question,
        Message("assistant", (), tool_calls=(call,)),
        Message("tool", (Text("2026"),), tool_call_id=call.id),
    ]
    *_, end = Clock().stream(turns, options)
    assert isinstance(end, Finished)
    assert end.answer.text == "The tool says: 2026"
    *_, end = Clock().stream([question], SamplingOptions())
    assert isinstance(end, Finished)
    assert not end.answer.tool_calls


@pytest.mark.clients
@pytest.mark.parametrize("name", [client.name for client in CLIENTS])
def test_a_client_works(name: str) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.clients.run", name], capture_output=True, text=True, check=True)
    (told,) = (json.loads(line) for line in done.stdout.splitlines())
    assert all(feature["works"] for feature in told["features"]), told
