"""`/v1/realtime`: OpenAI's own client, unmodified; hostile clients; clients that vanish."""

from __future__ import annotations

import base64
import json
import socket as sockets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.serve.conftest import encoded
from tests.serve.fake_models import Parrot, served
from tutti.content import FinalWords, LiveEvent, Media, Text, TimedWord, Transcript, TranscriptionOptions
from tutti.serve.admission import Cost, ServerLimits
from tutti.serve.keys import Keys, new_key
from tutti.serve.lifecycle import Server
from tutti.serve.realtime import connection

RATE = 24_000


class Typist:
    """Hears a word for each second of sound that is loud, and a pause in what is not."""

    sample_rate_hz = 16_000

    def __init__(self) -> None:
        self.in_utterance = False
        self.heard = 0
        self.count = 0

    def feed(self, samples: np.ndarray) -> Sequence[LiveEvent]:
        self.in_utterance = bool(np.abs(samples).max(initial=0) > 0.1)
        self.heard += len(samples) if self.in_utterance else 0
        return self._words(self.heard // 16_000)

    def finish(self, *, hear: bool = True) -> Sequence[LiveEvent]:
        said = self._words(-(-self.heard // 16_000)) if hear else []
        self.heard = self.count = 0
        self.in_utterance = False
        return said

    def _words(self, upto: int) -> list[LiveEvent]:
        words = tuple(TimedWord(start_s=at, end_s=at + 1, text=f"word{at}") for at in range(self.count, upto))
        self.count = max(self.count, upto)
        return [FinalWords(words)] if words else []


@dataclass
class Listening(Parrot):
    """A parrot that hears."""

    options: TranscriptionOptions | None = None
    hearing_s: float = 0.0

    def live(self, options: TranscriptionOptions | None = None) -> Typist:
        self.options = options
        typist = Typist()
        if self.hearing_s:
            feed = typist.feed

            def slowly(samples: np.ndarray) -> Sequence[LiveEvent]:
                time.sleep(self.hearing_s)
                return feed(samples)

            typist.feed = slowly  # type: ignore[method-assign]
        return typist

    def transcribe(self, medium: Media, options: Any = None, progress: Any = None) -> Transcript:
        return Transcript(text="said in a file", segments=(), model="x", language="en", task="transcribe",
                          duration_s=1.0, seconds=0.0)  # fmt: skip


def sound(seconds: float, level: float = 0.5) -> str:
    samples = np.full(round(seconds * RATE), 32_767 * level, "<i2")
    return base64.b64encode(samples.tobytes()).decode()


@pytest.fixture
def model() -> Listening:
    return Listening()


@pytest.fixture
def listening(model: Listening) -> Iterator[Server]:
    with served(model) as running:
        yield running


@contextmanager
def raw(server: Server, **more: Any) -> Iterator[ClientConnection]:
    with connect(server.url.replace("http", "ws") + "/v1/realtime?model=parrot", max_size=None, **more) as socket:
        yield socket


def told(socket: ClientConnection, kind: str, *, limit: int = 200) -> list[dict[str, Any]]:
    """Events up to the first of a kind, that one with them."""
    events: list[dict[str, Any]] = []
    for _ in range(limit):
        events.append(json.loads(socket.recv(timeout=20)))
        if events[-1]["type"] == kind:
            return events
    raise AssertionError([event["type"] for event in events])


def say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def until(holds: Any, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return bool(holds())


def test_openais_client_asks_about_a_picture(model: Listening, listening: Server) -> None:
    client = openai.OpenAI(base_url=f"{listening.url}/v1", api_key="none", max_retries=0)
    with client, client.realtime.connect(model="parrot") as connection:
        connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."}
        )
        picture = {"type": "input_image", "image_url": f"data:image/png;base64,{encoded('picture.png')}"}
        words = {"type": "input_text", "text": "What is this?"}
        connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [words, picture]}  # type: ignore[typeddict-item]
        )
        connection.response.create()
        seen, pieces = [], []
        for event in connection:
            seen.append(event.type)
            if event.type == "response.output_text.delta":
                pieces.append(event.delta)
            if event.type == "response.done":
                response = event.response
                break
    assert seen[:4] == ["session.created", "session.updated", "conversation.item.added", "conversation.item.done"]
    assert "".join(pieces) == "What is this? [image]"
    assert response.status == "completed" and response.usage is not None and response.usage.output_tokens == 4
    conversation, _ = model.asked[0]
    assert conversation[0].role == "system" and conversation[0].parts == (Text("Be brief."),)


def test_openais_client_is_told_what_was_said_and_answered(model: Listening, listening: Server) -> None:
    client = openai.OpenAI(base_url=f"{listening.url}/v1", api_key="none", max_retries=0)
    with client, client.realtime.connect(model="parrot") as connection:
        connection.session.update(
            session={
                "type": "realtime",
                "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
            }
        )
        connection.input_audio_buffer.append(audio=sound(2.0))
        connection.input_audio_buffer.append(audio=sound(1.0, 0.0))
        seen: dict[str, Any] = {}
        for event in connection:
            seen.setdefault(event.type, event)
            if event.type == "response.done":
                break
    order = [kind for kind in seen if kind.startswith(("input_audio", "conversation.item.input", "response.done"))]
    assert order == [
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.delta",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.input_audio_transcription.completed",
        "response.done",
    ]
    transcript = seen["conversation.item.input_audio_transcription.completed"]
    assert transcript.transcript.startswith("word0")
    assert transcript.item_id == seen["input_audio_buffer.speech_started"].item_id
    assert seen["response.done"].response.output[0].content[0].text == transcript.transcript
    assert model.options is not None and model.options.language == "en"


def test_a_client_that_commits_itself_is_given_the_rest(listening: Server) -> None:
    with raw(listening) as socket:
        audio = {"input": {"turn_detection": None, "transcription": {}}}
        say(socket, "session.update", session={"type": "realtime", "audio": audio})
        say(socket, "input_audio_buffer.append", audio=sound(1.5))
        say(socket, "input_audio_buffer.commit")
        events = told(socket, "conversation.item.input_audio_transcription.completed")
        assert events[-1]["transcript"] == "word0 word1"
        assert events[-1]["usage"] == {"type": "duration", "seconds": 1.5}
        assert not [event for event in events if "speech" in event["type"]]
        say(socket, "input_audio_buffer.append", audio=sound(1.5))
        say(socket, "input_audio_buffer.clear")
        told(socket, "input_audio_buffer.cleared")
        say(socket, "input_audio_buffer.commit", event_id="mine")
        error = told(socket, "error")[-1]["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "mine")


def test_recordings_in_items_are_written_down(model: Listening, listening: Server) -> None:
    with raw(listening) as socket:
        content = [{"type": "input_audio", "audio": sound(0.5)}]
        say(socket, "conversation.item.create", item={"type": "message", "role": "user", "content": content, "id": "a"})
        added = told(socket, "conversation.item.done")[-1]["item"]
        assert added["content"] == [{"type": "input_audio", "transcript": "said in a file"}]
        say(socket, "response.create", response={"max_output_tokens": 2, "metadata": {"k": "v"}})
        done = told(socket, "response.done")[-1]["response"]
        assert (done["status"], done["metadata"]) == ("incomplete", {"k": "v"})
        say(socket, "conversation.item.retrieve", item_id="a")
        assert told(socket, "conversation.item.retrieved")[-1]["item"]["id"] == "a"
        say(socket, "conversation.item.delete", item_id="a")
        told(socket, "conversation.item.deleted")
        say(socket, "response.create")
        assert told(socket, "error")[-1]["error"]["code"] == "conversation_empty"


def test_an_answer_is_cancelled_and_another_one_asked(model: Listening, listening: Server) -> None:
    model.seconds_a_word = 0.05
    with raw(listening) as socket:
        say(socket, "conversation.item.create", item=message("word " * 100))
        say(socket, "response.create")
        told(socket, "response.output_text.delta")
        say(socket, "response.create")
        assert told(socket, "error")[-1]["error"]["code"] == "conversation_already_has_active_response"
        say(socket, "response.cancel")
        response = told(socket, "response.done")[-1]["response"]
        assert response["status"] == "cancelled"
        assert response["status_details"]["reason"] == "client_cancelled"
        assert until(lambda: model.running == 0)
        model.seconds_a_word = 0.0
        say(socket, "conversation.item.create", item=message("again"))
        say(socket, "response.create")
        assert told(socket, "response.done")[-1]["response"]["status"] == "completed"


def test_speech_stops_an_answer(model: Listening, listening: Server) -> None:
    model.seconds_a_word = 0.05
    with raw(listening) as socket:
        say(socket, "conversation.item.create", item=message("word " * 100))
        say(socket, "response.create")
        told(socket, "response.output_text.delta")
        say(socket, "input_audio_buffer.append", audio=sound(0.5))
        assert told(socket, "response.done")[-1]["response"]["status_details"]["reason"] == "turn_detected"


def test_a_model_that_fails_fails_the_response_and_not_the_session(model: Listening, listening: Server) -> None:
    model.error = ZeroDivisionError("secret words")
    with raw(listening) as socket:
        say(socket, "conversation.item.create", item=message("hello"))
        say(socket, "response.create")
        response = told(socket, "response.done")[-1]["response"]
        assert response["status"] == "failed" and "secret" not in json.dumps(response)
        say(socket, "session.update", session={})
        told(socket, "session.updated")


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        ("{", "invalid_json", "JSON"),
        ("[1]", "invalid_json", "object"),
        ("[" * 100_000, "invalid_json", "JSON"),
        ('{"type": "no.such.event"}', "invalid_value", "session.update"),
        ('{"type": ["session.update"]}', "invalid_value", "no event"),
        ('{"type": "session.update", "session": {"max_output_tokens": "many"}}', "invalid_value", "max_output_tokens"),
        ('{"type": "session.update", "session": {"output_modalities": ["audio"]}}', "invalid_value", "output_mod"),
        ('{"type": "session.update", "session": {"tools": [{}]}}', "invalid_value", "tools"),
        ('{"type": "session.update", "session": 7}', "invalid_value", "session"),
        ('{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 1}}}}}',
         "invalid_value", "rate"),
        ('{"type": "input_audio_buffer.append", "audio": "?"}', "invalid_value", "base64"),
        ('{"type": "input_audio_buffer.append", "audio": "QQ=="}', "invalid_value", "16 bits"),
        ('{"type": "input_audio_buffer.append"}', "invalid_value", "base64"),
        ('{"type": "conversation.item.create", "item": {"type": "function_call"}}', "invalid_value", "message"),
        ('{"type": "conversation.item.create", "item": {"type": "message", "role": "root", "content": []}}',
         "invalid_value", "role"),
        ('{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": "x"}}',
         "invalid_value", "content"),
        ('{"type": "conversation.item.delete", "item_id": "none"}', "item_not_found", "none"),
        ('{"type": "response.cancel"}', "response_cancel_not_active", "No answer"),
        ('{"type": "response.create", "response": {"input": [1]}}', "invalid_value", "input"),
        ('{"type": "response.create", "response": {"max_output_tokens": 0}}', "invalid_value", "max_output_tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_worked_on_is_an_error_event(sent: str, code: str, words: str, listening: Server) -> None:
    with raw(listening) as socket:
        socket.send(sent)
        error = told(socket, "error")[-1]["error"]
        assert error["code"] == code and words in error["message"]
        say(socket, "session.update", session={})
        told(socket, "session.updated")


@pytest.mark.parametrize(
    "address", ["/etc/passwd", "file:///etc/passwd", "http://169.254.169.254/latest", "data:image/png;base64,AAAA"]
)
def test_pictures_come_as_data_only(address: str, listening: Server) -> None:
    with raw(listening) as socket:
        content = [{"type": "input_image", "image_url": address}]
        say(socket, "conversation.item.create", item={"type": "message", "role": "user", "content": content})
        say(socket, "response.create")
        assert told(socket, "error")[-1]["error"]["type"] == "invalid_request_error"


def test_bytes_are_refused_and_large_messages_end_the_connection(listening: Server) -> None:
    with raw(listening) as socket:
        socket.send(b"\x00\x01")
        assert "bytes" in told(socket, "error")[-1]["error"]["message"]
        with suppress(ConnectionClosed):
            socket.send("x" * (5 * 2**20))
        with pytest.raises(ConnectionClosed) as closed:
            told(socket, "never")
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009  # None where the rest met a closed door
    with raw(listening) as other:
        told(other, "session.created")


def test_a_buffer_and_a_conversation_have_an_end(model: Listening) -> None:
    limits = ServerLimits(request=Cost(bytes=2**20, seconds=2.0, tokens=1000))
    with served(model, limits=limits) as server, raw(server) as socket:
        say(socket, "input_audio_buffer.append", audio=sound(1.5))
        say(socket, "input_audio_buffer.append", audio=sound(1.5))
        assert told(socket, "error")[-1]["error"]["code"] == "buffer_full"
        for _ in range(2):
            say(socket, "conversation.item.create", item=message("x" * 3_000_000))
            told(socket, "conversation.item.done")
        say(socket, "conversation.item.create", item=message("x" * 3_000_000))
        assert told(socket, "error")[-1]["error"]["code"] == "conversation_full"


def test_without_a_key_there_is_no_session() -> None:
    key, line = new_key("anna")
    keys = Keys({line.split()[1]: "anna"})
    with served(Listening(), keys=keys) as server:
        for headers in ({}, {"Authorization": "Bearer tutti-wrong"}):
            with pytest.raises(InvalidStatus) as refused, raw(server, additional_headers=headers):
                pass
            assert refused.value.response.status_code == 401
            assert b"No valid key" in (refused.value.response.body or b"")
        with raw(server, additional_headers={"Authorization": f"Bearer {key}"}) as socket:
            told(socket, "session.created")
        offered = ["realtime", f"openai-insecure-api-key.{key}"]
        with raw(server, subprotocols=offered) as socket:  # type: ignore[arg-type]
            assert socket.subprotocol == "realtime"
            told(socket, "session.created")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_pages_from_elsewhere_are_refused(origin: str, listening: Server) -> None:
    with pytest.raises(InvalidStatus) as refused, raw(listening, origin=origin):  # type: ignore[arg-type]
        pass
    assert refused.value.response.status_code == 403


def test_other_sockets_models_and_names_are_refused(listening: Server) -> None:
    address = listening.url.replace("http", "ws")
    for path, status in (("/v1/chat/completions", 404), ("/health", 404), ("/v1/realtime?model=other", 404)):
        with pytest.raises(InvalidStatus) as refused, connect(address + path):
            pass
        assert refused.value.response.status_code == status
    with (
        pytest.raises(InvalidStatus) as refused,
        sockets.create_connection(("127.0.0.1", int(listening.url.rpartition(":")[2]))) as plain,
        connect("ws://evil.example/v1/realtime", sock=plain),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_tenant_has_so_many_sessions_and_a_closed_one_counts_no_longer(listening: Server) -> None:
    opened: list[ClientConnection] = []
    try:
        address = listening.url.replace("http", "ws") + "/v1/realtime"
        opened += [connect(address) for _ in range(8)]
        with pytest.raises(InvalidStatus) as refused, raw(listening):
            pass
        assert refused.value.response.status_code == 429
        opened.pop().close()

        def again() -> bool:
            try:
                with raw(listening) as socket:
                    return bool(told(socket, "session.created"))
            except InvalidStatus:
                return False

        assert until(again, 2.0)
    finally:
        for one in opened:
            one.close()


def test_a_client_that_vanishes_frees_everything_within_a_second(model: Listening, listening: Server) -> None:
    model.seconds_a_word = 0.05
    with raw(listening) as socket:
        say(socket, "conversation.item.create", item=message("word " * 200))
        say(socket, "response.create")
        told(socket, "response.output_text.delta")
        assert model.running == 1
        socket.socket.close()
    assert until(lambda: model.running == 0 and listening.service.admission.answers == 0, 1.0)  # type: ignore[attr-defined]


def test_a_server_that_is_too_slow_says_so_and_catches_up(model: Listening, listening: Server) -> None:
    model.hearing_s = 0.005
    with raw(listening) as socket:
        told(socket, "session.created")
        for _ in range(50):
            say(socket, "input_audio_buffer.append", audio=sound(4.0))
        assert told(socket, "error")[-1]["error"]["code"] == "behind"
        say(socket, "session.update", session={})
        threading.Event().wait(0.1)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            say(socket, "response.cancel")
            event = told(socket, "error")[-1]["error"]
            if event["code"] == "response_cancel_not_active":
                return
        raise AssertionError


def test_a_server_that_stops_says_so_and_another_one_takes_its_place(model: Listening) -> None:
    model.seconds_a_word = 0.05
    with served(model) as server, raw(server) as socket:
        say(socket, "conversation.item.create", item=message("word " * 200))
        say(socket, "response.create")
        say(socket, "input_audio_buffer.append", audio=sound(60.0, level=0.0))  # a voice would end the answer
        told(socket, "response.output_text.delta")
        begun = time.monotonic()
        server.should_exit = True
        said = told(socket, "error", limit=2000)[-1]["error"]
        assert (said["code"], "begin a new session" in said["message"]) == ("server_stopping", True)
        with pytest.raises(ConnectionClosed) as closed:
            told(socket, "never", limit=2000)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
        assert time.monotonic() - begun < 3
        assert until(lambda: model.running == 0, 1.0)
    model.seconds_a_word = 0.0
    with served(model) as server, raw(server) as socket:
        say(socket, "conversation.item.create", item=message("again"))
        say(socket, "response.create")
        assert told(socket, "response.done")[-1]["response"]["status"] == "completed"


def test_a_session_that_lasts_too_long_is_told_so(model: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RealtimeLimits", partial(connection.RealtimeLimits, session_seconds=0.3))
    with served(model) as server, raw(server) as socket:
        said = told(socket, "error")[-1]["error"]
        assert (said["code"], "lasted 0.3 s" in said["message"]) == ("session_expired", True)
        with pytest.raises(ConnectionClosed) as closed:
            told(socket, "never")
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
