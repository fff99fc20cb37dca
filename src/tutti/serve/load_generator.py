"""Load generator: throughput and latency of a model under concurrent requests, in this process or over HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import mimetypes
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tutti.content import Conversation, Image, Media, Message, SamplingOptions
from tutti.content.streams import answer_of_stream
from tutti.errors import InputError, ProviderError, TuttiError
from tutti.interfaces import Responder

PERCENTILES = (50, 95, 99)
Ask = Callable[[], "Sample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer."""

    first_s: float
    """From the request to its first token."""
    total_s: float
    """From the request to its end."""
    tokens: int
    """Of the answer."""
    prompt_tokens: int
    cached_tokens: int
    """Of the prompt, found in a cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What was measured at one level of concurrency."""

    concurrency: int
    requests: int
    failed: int
    seconds: float
    requests_per_s: float
    tokens_per_s: float
    images_per_s: float
    cache_hit_ratio: float
    """Share of prompt tokens found in a cache."""
    first_token_ms: dict[str, float]
    """Percentiles, as are the next two."""
    per_token_ms: dict[str, float]
    end_to_end_ms: dict[str, float]


def ask_in_process(model: Responder, conversation: Conversation, options: SamplingOptions) -> Sample:
    """One answer of a model in this process."""
    begun = time.perf_counter()
    pieces_s: list[float] = []
    events = model.stream(conversation, options)
    usage = answer_of_stream(events, model.name, lambda _: pieces_s.append(time.perf_counter() - begun)).usage
    total = time.perf_counter() - begun
    return Sample(
        first_s=pieces_s[0] if pieces_s else total,
        total_s=total,
        tokens=usage.completion_tokens,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
    )


class Remote:
    """A server in the OpenAI dialect.

    Args:
        url: Its base, such as `http://127.0.0.1:8000/v1`.
        key: Of the server, if it needs one.

    Raises:
        InputError: The URL is none of http or https.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{url!r} is no address of a server; expected one such as http://127.0.0.1:8000/v1.")
        self._parts = parts
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {key or 'none'}"}

    def model(self) -> str:
        """The first model that it lists.

        Raises:
            ProviderError: It lists none.
        """
        with closing(self._line()) as line:
            listed = json.loads(self._asked(line, "GET", "/models").read())
        try:
            return str(listed["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            raise ProviderError(f"{self._parts.geturl()} lists no model; name one with --model.") from None

    def ask(self, body: dict[str, Any]) -> Sample:
        """One answer, streamed.

        Raises:
            ProviderError: The server refused, or ended without an answer.
        """
        begun = time.perf_counter()
        first = 0.0
        usage: dict[str, Any] = {}
        content = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}}).encode()
        with closing(self._line()) as line:
            for data in self._asked(line, "POST", "/chat/completions", content):
                if not data.startswith(b"data: {"):
                    continue
                event = json.loads(data[6:])
                if "error" in event:
                    raise ProviderError(f"The server failed during its answer: {event['error'].get('message')}")
                if not first and any(choice["delta"].get("content") for choice in event["choices"]):
                    first = time.perf_counter() - begun
                usage = event.get("usage") or usage
        total = time.perf_counter() - begun
        return Sample(
            first_s=first or total,
            total_s=total,
            tokens=usage.get("completion_tokens", 0),
            prompt_tokens=usage.get("prompt_tokens", 0),
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        )

    def _line(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(str(self._parts.hostname), self._parts.port, timeout=600)

    def _asked(
        self, line: http.client.HTTPConnection, method: str, path: str, content: bytes | None = None
    ) -> http.client.HTTPResponse:
        try:
            line.request(method, self._parts.path.rstrip("/") + path, content, self._headers)
            answer = line.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise ProviderError(f"{self._parts.geturl()} cannot be reached: {error}.") from None
        if answer.status != 200:
            raise ProviderError(f"The server answered with status {answer.status}: {answer.read(300)!r}.")
        return answer


def body_of(model: str, question: str, media: Sequence[Media], max_tokens: int) -> dict[str, Any]:
    """The request that a conversation is in the OpenAI dialect; media are files."""
    parts: list[dict[str, Any]] = []
    for medium in media:
        path = Path(str(medium.source))
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        url = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
        parts.append({"type": f"{medium.modality}_url", f"{medium.modality}_url": {"url": url}})
    content = [*parts, {"type": "text", "text": question}]
    messages = [{"role": "user", "content": content}]
    return {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": 0}


def conversation_of(question: str, media: Sequence[Media]) -> Conversation:
    """The same for a model in this process."""
    return [Message.user(*media, question)]


def pictures_among(media: Sequence[Media]) -> int:
    """How many pictures a request holds."""
    return sum(isinstance(medium, Image) for medium in media)


def measure_level(ask: Ask, concurrency: int, requests: int, images: int) -> Level:
    """Run so many clients at once, each sending its next request as soon as the last one is answered.

    Args:
        ask: Sends one request.
        concurrency: Number of clients.
        requests: Number of requests in all.
        images: Pictures in each request.

    Raises:
        TuttiError: Not one of the requests was answered; the error is the first one's.
    """
    left = iter(range(requests))
    samples: list[Sample] = []
    errors: list[TuttiError] = []

    def run() -> None:
        while next(left, None) is not None:  # one step of an iterator of integers, which no other thread can cut in two
            try:
                samples.append(ask())
            except TuttiError as error:
                errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(concurrency)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if not samples:
        raise errors[0]
    return _level(concurrency, samples, len(errors), seconds, images)


def _level(concurrency: int, samples: Sequence[Sample], failed: int, seconds: float, images: int) -> Level:
    prompts = sum(one.prompt_tokens for one in samples)
    later = [(one.total_s - one.first_s) / (one.tokens - 1) for one in samples if one.tokens > 1]
    return Level(
        concurrency=concurrency,
        requests=len(samples) + failed,
        failed=failed,
        seconds=seconds,
        requests_per_s=len(samples) / seconds,
        tokens_per_s=sum(one.tokens for one in samples) / seconds,
        images_per_s=images * len(samples) / seconds,
        cache_hit_ratio=sum(one.cached_tokens for one in samples) / prompts if prompts else 0.0,
        first_token_ms=_percentiles([one.first_s for one in samples]),
        per_token_ms=_percentiles(later or [0.0]),
        end_to_end_ms=_percentiles([one.total_s for one in samples]),
    )


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{share}": 1000 * float(np.percentile(seconds, share)) for share in PERCENTILES}
