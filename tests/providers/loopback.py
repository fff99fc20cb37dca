"""A server on this machine that says what it is told to, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One response; `pieces` go out one after the other, and `cut` closes the line before the promised end."""

    pieces: tuple[str, ...]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Loopback:
    """The server's address, its script and what came in."""

    url: str
    replies: list[Reply] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def loopback() -> Iterator[Loopback]:
    state = Loopback("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.asked.append(json.loads(body))
            state.paths.append(self.path)
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            reply = state.replies.pop(0)
            content = [piece.encode() for piece in reply.pieces]
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(sum(map(len, content)) + 1000 * reply.cut))
            self.end_headers()
            for piece in content:
                self.wfile.write(piece)
                self.wfile.flush()
            self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def failing(status: int, message: str, **headers: str) -> Reply:
    """An error in the form that all three providers' clients read a message from."""
    error = {"error": {"message": message, "type": "error", "code": status, "status": "ERROR"}}
    return Reply((json.dumps(error),), status, {name.replace("_", "-"): value for name, value in headers.items()})


def openai_stream(*words: str, ended: str | None = "stop", cut: bool = False) -> Reply:
    """Chunks as the Chat Completions API streams them."""
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choices: list[dict[str, Any]] = [{"index": 0, "delta": {"content": word}, "finish_reason": None} for word in words]
    if ended:
        choices.append({"index": 0, "delta": {}, "finish_reason": ended})
    chunks = [{**base, "choices": [choice], "usage": None} for choice in choices]
    details = {"cached_tokens": 4, "audio_tokens": 3}
    usage = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22, "prompt_tokens_details": details}
    chunks.append({**base, "choices": [], "usage": usage})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    tail = () if cut else ("data: [DONE]\n\n",)
    return Reply((*(lines[:-1] if cut else lines), *tail), headers={"Content-Type": "text/event-stream"}, cut=cut)


def anthropic_stream(*words: str, ended: str = "end_turn", cut: bool = False) -> Reply:
    """Events as the Messages API streams them."""
    usage = {
        "input_tokens": 15, "output_tokens": 1, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 1,
    }  # fmt: skip
    message = {
        "id": "m1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}} for w in words),
    ]
    if not cut:
        delta = {"stop_reason": ended, "stop_sequence": None}
        events += [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        ]
    lines = tuple(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Reply(lines, headers={"Content-Type": "text/event-stream"}, cut=cut)


def gemini_stream(*words: str, ended: str | None = "STOP", cut: bool = False) -> Reply:
    """Chunks as generateContent streams them."""
    chunks: list[dict[str, Any]] = [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": word}]}, "index": 0}]} for word in words
    ]
    usage = {
        "promptTokenCount": 20, "candidatesTokenCount": 2, "cachedContentTokenCount": 4, "totalTokenCount": 22,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}, {"modality": "VIDEO", "tokenCount": 15}],
    }  # fmt: skip
    if not cut:
        last = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": ended, "index": 0}
        chunks.append({"candidates": [last], "usageMetadata": usage})
    lines = tuple(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks)
    return Reply(lines, headers={"Content-Type": "text/event-stream"}, cut=cut)
