"""What all hosted models share: from a conversation to a payload, its price, the stream, and errors in our own tree."""

from __future__ import annotations

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tutti.content import (
    Answer,
    Conversation,
    Event,
    Finished,
    FinishReason,
    SamplingOptions,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from tutti.content.messages import TokenLogprob
from tutti.errors import (
    InputError,
    MissingExtra,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    TuttiError,
    Unauthorized,
    Unavailable,
    UnsupportedTask,
    untrusted,
)
from tutti.interfaces import Guard, MediaSealer, Prices, admitted
from tutti.media import MediaDecoder
from tutti.providers.answer_cache import AnswerCache
from tutti.providers.documents import with_pages
from tutti.providers.hosted_tools import PartialCalls, with_tools
from tutti.providers.keys import Key
from tutti.providers.outgoing import Accepts, OutgoingTurn, fingerprint, outgoing, shown
from tutti.providers.spending import Spending
from tutti.providers.tool_use import needs_tools

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RATE_LIMIT, _OVERLOADED, _TIMEOUT = 429, 529, 408
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class HostedOptions:
    """How hosted models are called."""

    timeout_s: float = 120.0
    """Seconds to wait for a connection, and between pieces of an answer."""
    retries: int = 3
    """How often a request is tried again after a limit, a failure of the server or of the line, before any answer came;
    with growing pauses, or as long as `Retry-After` says."""
    keep_metadata: bool = False
    """Send files as they are, with what they tell of place, device and author."""
    spending: Spending | None = None
    """What may be spent; None sets no limit."""
    prices: Prices | None = None
    """What tokens cost; without it answers have no price."""
    cache: AnswerCache | None = None
    """Where deterministic answers are kept."""
    guard: Guard | None = None
    """Sees what is asked before it is decoded, priced or sent."""
    media_sealer: MediaSealer | None = None
    """Encrypts media to a server of one's own before they go out."""
    preview_only: bool = False
    """Only say what would be sent: no key is looked for, and asking is refused."""


@dataclass(slots=True)
class PartialReply:
    """What a stream has told so far."""

    pieces: list[str] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    usage: Usage = field(default_factory=Usage)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    calls: PartialCalls = field(default_factory=PartialCalls)


class Hosted(ABC):
    """A `Responder` over a provider's own client.

    Args:
        name: What answers and reports call it, such as "openai:gpt-4o".
        model: What the provider calls it.
        key: The secret.
        decoder: Decodes the media.
        options: How to call it.
        base_url: Another server that speaks the provider's dialect: one's own, or one that stands for it in tests.

    Raises:
        MissingExtra: The provider's client is not installed.
    """

    library: str
    """The module of the provider's client."""
    accepts: Accepts

    def __init__(
        self,
        name: str,
        model: str,
        key: Key,
        decoder: MediaDecoder,
        options: HostedOptions,
        base_url: str | None = None,
    ) -> None:
        self.name = name
        self.model = model
        self.key = key
        self.decoder = decoder
        self.options = options
        self.own_server = base_url is not None
        self.accepts = self._accepts()
        try:
            library = importlib.import_module(self.library)
        except ImportError:
            raise MissingExtra("Reaching hosted models", "hosted") from None
        self._client = self._connected(library, base_url)

    def payload(self, conversation: Conversation, options: SamplingOptions) -> dict[str, Any]:
        """All that would be sent; media stand in it as `Outgoing`.

        Raises:
            InputError: A medium cannot be read.
            CapacityError: A medium is over a budget of ours or the provider's.
            UnsupportedTask: The provider does not take a modality or an option.
        """
        needs_tools(conversation, options)
        conversation = admitted(self.options.guard, self._with_pages(conversation))
        accepts = self._accepted(conversation)
        turns = outgoing(conversation, accepts, self.decoder, self.name, self.options.keep_metadata)
        return self._payload(turns, options)

    def preview(self, conversation: Conversation, options: SamplingOptions) -> dict[str, Any]:
        """The payload as plain values, media described by type, size and digest; sends nothing. Errors as `payload`."""
        preview: dict[str, Any] = shown(self.payload(conversation, options))
        return preview

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """Yield pieces of the answer, then one `Finished`. Closing the iterator closes the connection.

        Raises:
            InputError: A medium cannot be read, an option is out of range, or the model is there for previews only.
            CapacityError: A medium is over a budget, or the price over what may be spent.
            UnsupportedTask: The provider does not take a modality or an option.
            Unauthorized: The provider refuses the key.
            RateLimited: It asks to slow down; as `QuotaExceeded`, what it grants is used up.
            Unavailable: It cannot be reached, or is overloaded.
            ProviderError: It refuses the request, or the stream broke off.
        """
        if self.options.preview_only:
            raise InputError(f"{self.name} was loaded for previews only; load it without preview_only to ask it.")
        begun = time.perf_counter()
        conversation = self._with_pages(conversation)
        payload = self.payload(conversation, options)
        key = self._cache_key(payload, options)
        if key and self.options.cache and (kept := self.options.cache.get(key)):
            if kept.text or not kept.tool_calls:
                yield TextDelta(kept.text)
            for number, call in enumerate(kept.tool_calls):
                yield ToolCallDelta(number, call.id, call.name, call.arguments)
            yield Finished(replace(kept, seconds=time.perf_counter() - begun, cost_usd=0.0))
            return
        with self._reserved(conversation, options) as spent:
            progress = PartialReply()
            with self._errors():
                for piece in self._events(payload, progress):
                    if isinstance(piece, str):
                        progress.pieces.append(piece)
                    yield TextDelta(piece) if isinstance(piece, str) else piece
            yield from progress.calls.completed()
            calls = tuple(progress.calls.calls)
            if progress.finish_reason is None:
                raise ProviderError(f"{self.name} broke off before the end of its answer; ask again.")
            cost = self.options.prices.cost(self.name, progress.usage) if self.options.prices else 0.0
            spent(cost)
        answer = Answer(
            text="".join(progress.pieces),
            model=self.name,
            finish_reason="tool_calls" if calls and progress.finish_reason == "stop" else progress.finish_reason,
            usage=progress.usage,
            seconds=time.perf_counter() - begun,
            cost_usd=cost,
            logprobs=tuple(progress.logprobs),
            tool_calls=calls,
        )
        if key and self.options.cache:
            self.options.cache.put(key, answer)
        yield Finished(answer)

    def _with_pages(self, conversation: Conversation) -> Conversation:
        return with_pages(conversation, self.decoder, pictures=self.accepts.takes("image"))

    def _accepted(self, conversation: Conversation) -> Accepts:
        """What the provider takes of media in such a conversation."""
        return self.accepts

    @abstractmethod
    def _accepts(self) -> Accepts:
        """What the model takes."""

    @abstractmethod
    def _connected(self, library: Any, base_url: str | None) -> Any:
        """The provider's client, with the key and the options."""

    @abstractmethod
    def _payload(self, turns: Sequence[OutgoingTurn], options: SamplingOptions) -> dict[str, Any]:
        """The provider's request."""

    @abstractmethod
    def _events(self, payload: dict[str, Any], progress: PartialReply) -> Iterator[str | ToolCallDelta]:
        """Send, and yield the answer's pieces, of text and of calls; note in `progress` what else the stream tells."""

    @abstractmethod
    def _failed(self, error: Exception) -> tuple[int | None, str] | None:
        """HTTP status (None where there was none) and message of an error of the provider's client; None for others."""

    def _refuse(self, options: SamplingOptions, *names: str) -> None:
        """Refuse options that the provider has not, when they are set."""
        default = SamplingOptions()
        for name in names:
            if getattr(options, name) != getattr(default, name):
                raise UnsupportedTask(f"{self.name} has no {name}; leave it out, or use a local model.")

    def _cache_key(self, payload: dict[str, Any], options: SamplingOptions) -> str | None:
        """What the answer depends on; None where asking twice may give two answers."""
        if self.options.cache is None or options.temperature > 0:
            return None
        return fingerprint({"name": self.name, "tenant": options.tenant, "payload": payload})

    @contextmanager
    def _reserved(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Any]:
        spending, prices = self.options.spending, self.options.prices
        if spending is None:
            yield lambda cost: None
            return
        if prices is None:
            raise UnsupportedTask(f"A spending limit was set, but no price is known for {self.name}; add one.")
        with spending.reserved(
            self.name, prices.estimate(self.name, with_tools(conversation, options), options.max_tokens)
        ) as spent:
            yield spent

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (TuttiError, GeneratorExit, KeyboardInterrupt):
            raise
        except Exception as error:
            if (refused := untrusted(self.name, error)) is not None:
                raise refused from None
            failed = self._failed(error) or _broken_line(error)
            if failed is None:
                raise
            raise self._translated(*failed) from None

    def _translated(self, status: int | None, message: str) -> ProviderError:
        """Status and message as an error of our tree. The key is taken out, should the provider have repeated it."""
        said = self.key.hidden_in(" ".join(message.split()))[:300]
        if status in (401, 403):
            return Unauthorized(f"{self.name} refuses the key ({said}); check it.")
        if status == _RATE_LIMIT:
            if "quota" in said.lower() or "billing" in said.lower():
                return QuotaExceeded(f"The quota of {self.name} is used up ({said}); raise it or wait until it renews.")
            return RateLimited(f"{self.name} asks to slow down ({said}); wait, or send fewer requests at once.")
        if status is None or status >= _SERVER_ERROR or status == _TIMEOUT:
            return Unavailable(f"{self.name} cannot be reached or is overloaded ({said}); try again later.")
        return ProviderError(f"{self.name} refuses the request with status {status}: {said}")


def finish_reason(said: str | None, length: Sequence[str]) -> FinishReason | None:
    """A provider's word for why an answer ended, as ours."""
    if said is None:
        return None
    return "length" if said in length else "stop"


def _broken_line(error: Exception) -> tuple[None, str] | None:
    """A connection that broke while the answer came, which the clients hand on as their HTTP library raises it."""
    if type(error).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2"):
        return None, f"the connection broke: {type(error).__name__}"
    return None


def unit_rows(rows: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """Vectors as float32 of length one. Shape (N, D)."""
    import numpy as np

    vectors = np.array(rows, np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
