"""Admission control: a rate per tenant, sizes per request, and a budget for all requests in progress.

Every refusal is decided before decoding or computing, from the headers of a request and its media, so it is immediate.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace

from tutti.media import Limits
from tutti.serve.errors import ErrorStatus, Refusal
from tutti.serve.kept_responses import KeptLimits

_TOO_LARGE = ErrorStatus(413, "invalid_request_error", "over_limit")
_TOO_LONG = ErrorStatus(400, "invalid_request_error", "context_length_exceeded")
_TOO_OFTEN = ErrorStatus(429, "rate_limit_error", "rate_limit_exceeded")
_BUSY = ErrorStatus(503, "server_error", "overloaded")
_UNITS = {"bytes": "bytes of media", "pixels": "pixels", "seconds": "seconds of sound and video", "tokens": "tokens"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Estimated resources of a request, from the headers of its media."""

    bytes: int = 0
    """Encoded media."""
    pixels: int = 0
    """Of pictures, and of the frames of videos."""
    seconds: float = 0.0
    """Of recordings and videos."""
    tokens: int = 0
    """Of text (an estimate), and of the longest answers requested, over all choices."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})

    def __sub__(self, other: Cost) -> Cost:
        return Cost(**{field.name: getattr(self, field.name) - getattr(other, field.name) for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits on what a server admits."""

    max_body_bytes: int = 32 * 2**20
    """Largest body of a request."""
    all_bodies_bytes: int = 512 * 2**20
    """Most bytes of bodies that are held at the same time."""
    body_seconds: float = 30.0
    """Longest that a body may take to arrive."""
    send_seconds: float = 30.0
    """Longest that a client may take to read what was written to it."""
    request: Cost = Cost(bytes=25 * 2**20, pixels=100_000_000, seconds=900.0, tokens=65_536)
    """Most that one request may cost."""
    under_way: Cost = Cost(bytes=256 * 2**20, pixels=800_000_000, seconds=7200.0, tokens=1_000_000)
    """Most that all requests in progress may cost together."""
    max_running: int = 16
    """Most answers that are made at once."""
    max_waiting: int = 64
    """Most answers that wait for their turn."""
    requests_per_minute: float = 0.0
    """Most requests per minute and tenant; 0 is no limit."""
    burst: int = 20
    """How many of those may come at once."""
    kept: KeptLimits = field(default_factory=KeptLimits)
    """How many responses are kept, and for how long."""

    def of_media(self, limits: Limits) -> Limits:
        """The budgets of one medium, at most those of a request: headers can be wrong or incomplete."""
        seconds = min(limits.max_seconds, self.request.seconds)
        return replace(
            limits,
            max_pixels=min(limits.max_pixels, self.request.pixels),
            max_seconds=seconds,
            max_stream_seconds=seconds,
        )


class _Bucket:
    """A token bucket: `burst` at once, refilled at a steady rate."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst, self._level, self._then = per_second, burst, burst, time.monotonic()

    def take(self) -> float:
        """Take one token; returns 0 if there was one, otherwise the seconds until there will be one."""
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._then) * self._per_second)
        self._then = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self._per_second


class Admission:
    """Admits requests, or refuses them.

    Args:
        limits: What is admitted.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.under_way = Cost()
        """What all admitted requests cost together."""
        self.answers = 0
        """Answers that are generated or queued."""
        self.bodies = 0
        """Bytes of request bodies in memory."""
        self.draining = False
        """Whether new requests are refused because the server is stopping."""
        self.farewells: list[Callable[[], Awaitable[None]]] = []
        """What tells clients so that are connected for long, before their connections are closed."""
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Answers that are queued."""
        return max(0, self.answers - self.limits.max_running)

    @property
    def running(self) -> int:
        """Answers that are being generated."""
        return min(self.answers, self.limits.max_running)

    def check_rate(self, tenant: str) -> None:
        """Check the tenant's rate and the length of the queue, before anything of the body is read.

        Raises:
            Refusal: 429 if the tenant exceeds its rate, 503 if the queue is full or the server is stopping.
        """
        if self.draining:
            raise Refusal(_BUSY, "The server is stopping; ask another one.", cause="draining", retry_after_s=5)
        if self.limits.requests_per_minute:
            wait_s = self._wait(tenant)
            if wait_s:
                raise Refusal(
                    _TOO_OFTEN,
                    f"More than {self.limits.requests_per_minute:g} requests a minute came with this key; "
                    f"try again in {wait_s:.1f} s.",
                    cause="rate",
                    retry_after_s=wait_s,
                )
        if self.answers >= self.limits.max_running + self.limits.max_waiting:
            raise self._full()

    def check_size(self, size: int) -> None:
        """Refuse a body that is too large.

        Raises:
            Refusal: 413.
        """
        if size > self.limits.max_body_bytes:
            raise Refusal(
                _TOO_LARGE,
                f"The request is larger than {self.limits.max_body_bytes:,} bytes; send smaller media, or fewer.",
                cause="body",
            )

    def check(self, cost: Cost) -> None:
        """Refuse a request that is too costly whatever is in progress.

        Raises:
            Refusal: 413; 400 where it is for its tokens.
        """
        over = _first_over(cost, self.limits.request)
        if over is not None:
            raise Refusal(
                _TOO_LONG if over == "tokens" else _TOO_LARGE,
                f"The request would take {getattr(cost, over):,.0f} {_UNITS[over]}; the limit is "
                f"{getattr(self.limits.request, over):,.0f}: ask for less at once.",
                cause=over,
            )

    @contextmanager
    def body(self, size: int | None) -> Iterator[None]:
        """Reserve memory for a body while it is read and processed.

        Args:
            size: By its `content-length`; None reserves the largest that is allowed.

        Raises:
            Refusal: 413 if it is too large, 503 if too many bodies are in memory already.
        """
        held = self.limits.max_body_bytes if size is None else size
        self.check_size(held)
        with self._lock:
            if self.bodies and self.bodies + held > self.limits.all_bodies_bytes:
                raise self._full()
            self.bodies += held
        try:
            yield
        finally:
            with self._lock:
                self.bodies -= held

    @contextmanager
    def admitted(self, cost: Cost, answers: int = 1) -> Iterator[None]:
        """Reserve a request's share of the budget while it is processed.

        Raises:
            Refusal: 413 if it is too costly, 503 if too much is in progress.
        """
        self.check(cost)
        with self._lock:
            if self.answers + answers > self.limits.max_running + self.limits.max_waiting:
                raise self._full()
            together = self.under_way + cost
            # A single request within its own limits is always admitted, whatever the limit for all is.
            if self.answers and _first_over(together, self.limits.under_way) is not None:
                raise self._full()
            self.under_way, self.answers = together, self.answers + answers
        try:
            yield
        finally:
            with self._lock:
                self.under_way, self.answers = self.under_way - cost, self.answers - answers

    def _wait(self, tenant: str) -> float:
        with self._lock:
            if tenant not in self._buckets:
                self._buckets[tenant] = _Bucket(self.limits.requests_per_minute / 60, self.limits.burst)
            return self._buckets[tenant].take()

    def _full(self) -> Refusal:
        return Refusal(
            _BUSY,
            f"The server is at work on {self.running} answers and {self.waiting} wait; try again in a moment.",
            cause="overload",
            retry_after_s=1 + self.waiting / max(1, self.limits.max_running),
        )


def _first_over(cost: Cost, limit: Cost) -> str | None:
    return next((field.name for field in fields(cost) if getattr(cost, field.name) > getattr(limit, field.name)), None)
