"""An OpenAI-type server on this machine for measurements, and a Responder that speaks to one over the official SDK."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tutti.content import Answer, Event, Finished, Media, Message, SamplingOptions, Text, TextDelta, Usage


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Any = None
    latency_s: float = 0.0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.latency_s)
        text, usage = self._answer(body["messages"][-1]["content"], body.get("max_tokens", 64))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        shared = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
        delta = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
        for chunk in (delta, end):
            self.wfile.write(f"data: {json.dumps(shared | chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _answer(self, content: list[dict], max_tokens: int) -> tuple[str, dict[str, int]]:
        if self.model is None:  # nothing but latency
            return "yes", {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
        question = next(part["text"] for part in content if part["type"] == "text")
        media = [part["file"]["file_data"] for part in content if part["type"] == "file"]
        answer = self.model.ask(question, *media, max_tokens=max_tokens)
        used = answer.usage
        total = used.prompt_tokens + used.completion_tokens
        return answer.text, {
            "prompt_tokens": used.prompt_tokens, "completion_tokens": used.completion_tokens, "total_tokens": total
        }  # fmt: skip

    def log_message(self, *words: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def serve(model: Any = None, *, latency_s: float) -> Iterator[str]:
    """Serve a model, or none and only latency; the address of its API."""
    handler = type("Handler", (_Handler,), {"model": model, "latency_s": latency_s})
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


class OpenAIResponder:
    """A `Responder` over the official SDK."""

    def __init__(self, name: str, url: str) -> None:
        import openai

        self.name = name
        self._client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)

    def stream(self, conversation: Sequence[Message], options: SamplingOptions) -> Iterator[Event]:
        """Answer."""
        begun = time.perf_counter()
        content = [_part(part) for part in conversation[-1].parts]
        chunks = self._client.chat.completions.create(
            model=self.name, messages=[{"role": "user", "content": content}], max_tokens=options.max_tokens, stream=True
        )
        text, usage = "", Usage()
        for chunk in chunks:
            if chunk.usage:
                usage = Usage(prompt_tokens=chunk.usage.prompt_tokens, completion_tokens=chunk.usage.completion_tokens)
            if chunk.choices and chunk.choices[0].delta.content:
                text += chunk.choices[0].delta.content
                yield TextDelta(chunk.choices[0].delta.content)
        seconds = time.perf_counter() - begun
        yield Finished(Answer(text=text, model=self.name, finish_reason="stop", usage=usage, seconds=seconds))


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    assert isinstance(part, Media)
    content = base64.b64encode(Path(part.source).read_bytes()).decode()  # type: ignore[arg-type]
    return {"type": "file", "file": {"file_data": f"data:application/octet-stream;base64,{content}"}}
