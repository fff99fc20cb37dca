"""What the server counts, for Prometheus. A registry of its own, so that two servers in one process do not mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tutti.content import Usage
from tutti.serve.admission import Admission, Cost

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATENCIES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_TOKEN_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """The counters of one server.

    Args:
        admission: Reports how much is in progress.
        stats: Counters and gauges that the model reports: name → number; those ending in `_total` only grow.
    """

    def __init__(self, admission: Admission, stats: Callable[[], Mapping[str, float]]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_State(admission, stats))
        self._requests = self._counter("requests", "Requests answered", "route", "status")
        self._rejections = self._counter("rejections", "Requests not worked on, by cause", "cause")
        self._tokens = self._counter("tokens", "Tokens, by kind", "kind")
        self._bytes = self._counter("admitted_bytes", "Bytes of media admitted")
        self._pixels = self._counter("admitted_pixels", "Pixels admitted")
        self._seconds = self._counter("admitted_seconds", "Seconds of sound and video admitted")
        self._duration = self._histogram(
            "request_seconds", "From a request's head to its last byte", _LATENCIES, "route"
        )
        self._first = self._histogram("time_to_first_token_seconds", "From a request to its first token", _LATENCIES)
        self._token = self._histogram("time_per_token_seconds", "Between tokens of an answer", _TOKEN_TIMES)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._duration.labels(route).observe(seconds)

    def rejected(self, cause: str) -> None:
        """Count a request that was not worked on."""
        self._rejections.labels(cause).inc()

    def admitted(self, cost: Cost) -> None:
        """Count what was let in."""
        self._bytes.inc(cost.bytes)
        self._pixels.inc(cost.pixels)
        self._seconds.inc(cost.seconds)

    def first_token(self, seconds: float) -> None:
        """Count the wait for an answer's first token."""
        self._first.observe(seconds)

    def answered(self, usage: Usage, seconds_after_first: float) -> None:
        """Count an answer."""
        kinds = {
            "text": usage.prompt_tokens - usage.media_tokens,
            "image": usage.image_tokens,
            "audio": usage.audio_tokens,
            "video": usage.video_tokens,
            "cached": usage.cached_tokens,
            "completion": usage.completion_tokens,
        }
        for kind, count in kinds.items():
            self._tokens.labels(kind).inc(count)
        if usage.completion_tokens > 1:
            self._token.observe(seconds_after_first / (usage.completion_tokens - 1))

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"tutti_{name}", what, labels, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"tutti_{name}", what, labels, buckets=buckets, registry=self.registry)


class _State(Collector):
    """What is true at the moment of asking."""

    def __init__(self, admission: Admission, stats: Callable[[], Mapping[str, float]]) -> None:
        self._admission, self._stats = admission, stats

    def collect(self) -> Iterator[Metric]:
        """Gauges of the server, and those that the model reports."""
        yield GaugeMetricFamily("tutti_queue_depth", "Answers that wait for their turn", self._admission.waiting)
        yield GaugeMetricFamily("tutti_running", "Answers that are being made", self._admission.running)
        for name, value in self._stats().items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(f"tutti_{name.removesuffix('_total')}", f"The model's {name.replace('_', ' ')}", value)
