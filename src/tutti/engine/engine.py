"""The engine: requests in, token events out, from as many threads as like."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from tutti.checkpoints.devices import out_of_memory
from tutti.checkpoints.needs import CACHE_BYTES, LEAST_TOKENS, MOST_RUNNING
from tutti.content import SamplingOptions, TokenLogprob
from tutti.engine.blocks import BlockManager
from tutti.engine.detokenizer import TextStream
from tutti.engine.drafting import MOST_DRAFTED, Drafters
from tutti.engine.embedding_cache import EmbeddingCache
from tutti.engine.media_budget import MediaBudget
from tutti.engine.request import Request, TokenEvent
from tutti.engine.runner import Decoder, Looker, Runner
from tutti.engine.sampling import Constraint, likeliest
from tutti.engine.scheduler import Scheduler, Work
from tutti.engine.sequence import Sequence, check_prompt
from tutti.errors import ContextOverflow, InputError
from tutti.models.layers.adapted import NO_ADAPTER
from tutti.processing.prompt import Prompt

_LEAST_MEDIA = 4


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How much an engine does at once."""

    block_tokens: int = 16
    """Tokens a block of the key-value cache holds."""
    cache_bytes: int | None = None
    """Most memory for keys and values, of tokens and of media that text looks at beside them; such media take at most
    half of it, or one of the largest if that is more. None is 512 MB, or what 2,048 tokens take if that is more (2 GB
    for LLaVA-1.5-7B, where a picture takes 576), and for media as much again, or four of the largest (1.7 GB for
    Llama-3.2-11B-Vision). No more is reserved than `max_running` full contexts need, and on a CPU pages are taken only
    as tokens come."""
    max_running: int = MOST_RUNNING
    """Most requests that run at once."""
    step_tokens: int = 512
    """Most tokens of a step; longer prompts are read in chunks, so that others need not wait."""
    draft_tokens: int = MOST_DRAFTED
    """Most tokens of an answer that are guessed and checked in one step (`tutti.engine.drafting`); 0 guesses none."""


class Engine:
    """Generates for all requests at once.

    Any thread may submit, stream, step and cancel. One steps at a time, for all: a thread that streams steps when
    nobody else does, and otherwise waits for what the stepping thread makes.

    Args:
        model: In evaluation mode, on `device`.
        eos_ids: Tokens that end an answer.
        detokenize: The text of a list of token ids.
        capacity: How much it does at once.
        embedding_cache: Where embeddings of media are kept; its own if None.
        weights_digest: Of the model; needed if the embedding cache is shared between models.
        device: Where the model is.
        kv_dtype: Precision in which keys and values are kept and queries meet them; the model's own if None.

    Raises:
        InputError: A size is too small.
    """

    def __init__(
        self,
        model: Decoder,
        *,
        eos_ids: Collection[int],
        detokenize: Callable[[list[int]], str],
        capacity: Capacity = Capacity(),
        embedding_cache: EmbeddingCache | None = None,
        weights_digest: str = "",
        device: torch.device | str = "cpu",
        kv_dtype: torch.dtype | None = None,
    ) -> None:
        self.embedding_cache = embedding_cache if embedding_cache is not None else EmbeddingCache()
        self.context_length = model.context_length
        blocks, media_bytes = _shares(model, capacity)
        self.blocks = BlockManager(blocks, capacity.block_tokens)
        self.media = MediaBudget(media_bytes, model.state_bytes if isinstance(model, Looker) else 0)
        self.scheduler = Scheduler(self.blocks, capacity.max_running, capacity.step_tokens, self.media)
        self._runner = Runner(
            model, blocks, capacity.block_tokens, self.embedding_cache, weights_digest, torch.device(device), kv_dtype
        )
        self.drafting = Drafters(self.blocks, capacity.draft_tokens)
        self._eos_ids = frozenset(eos_ids)
        self._detokenize = detokenize
        self._requests: dict[int, Request] = {}
        self._arrivals = 0
        self.steps = 0
        """Steps that computed something."""
        self.step_sequences = 0
        """Sequences of all those steps; divided by them, the mean size of a batch."""
        # Guards all of the above except while `_stepping`, when the scheduler and the runner are the stepping thread's.
        self._news = threading.Condition()
        self._stepping = False
        self._submitted: list[Request] = []
        self._cancelled: list[Request] = []

    def submit(
        self,
        prompt: Prompt,
        options: SamplingOptions | None = None,
        tenant: str = "",
        constraint: Constraint | None = None,
        adapter: int = NO_ADAPTER,
    ) -> Request:
        """Queue a prompt.

        Args:
            prompt: What to continue.
            options: How; greedy if None. `max_tokens` is cut to what the context still holds.
            tenant: Whose the prompt is: neither blocks nor embeddings are shared between tenants.
            constraint: What the answer must keep to, if anything; fresh for each request.
            adapter: Number of the adapter that it goes through, of those that the model has beside it
                (`tutti.models.layers.adapted`); requests of all of them share steps.

        Raises:
            InputError: The prompt is empty or its media do not fit their places, or an option is out of range.
            ContextOverflow: The prompt is longer than the model's context.
            CapacityError: It is longer than the cache, or has too many media.
        """
        options = options or SamplingOptions()
        tokens = len(prompt.input_ids)
        check_prompt(prompt)
        if tokens >= self.context_length:
            raise ContextOverflow(
                f"This model's maximum context length is {self.context_length} tokens, and the prompt of {tokens} "
                "leaves none for an answer; shorten it or give fewer media."
            )
        self.blocks.check(tokens + 1)
        room = min(self.context_length, self.blocks.capacity_tokens) - tokens
        with self._news:
            self._arrivals += 1
            arrival = self._arrivals
        sequence = Sequence(
            arrival, prompt, options, tenant, min(options.max_tokens, room), self.blocks.block_tokens, constraint,
            adapter,
        )  # fmt: skip
        detokenize = self._detokenize if constraint is None else constraint.decode
        self.media.check(sequence)
        request = Request(sequence, TextStream(detokenize, options.stop))
        with self._news:
            self._submitted.append(request)
        return request

    def step(self) -> bool:
        """Run one step, after the one that another thread may be running.

        Returns:
            Whether there is more to do.
        """
        with self._news:
            while self._stepping:
                self._news.wait()
            self._begin()
        self._step()
        return bool(self._requests or self._submitted)

    def stream(self, request: Request) -> Iterator[TokenEvent]:
        """Yield the events of a request as they come, the last with its `finish_reason`.

        Closing the iterator before that cancels the request. Each event is yielded once, to one of its readers.

        Raises:
            Exception: Whatever the model raised while it worked on this request.
        """
        events = self._stream(request)
        # Begun here, so that closing cancels even before the first event was asked for.
        next(events)
        return events

    def cancel(self, request: Request) -> None:
        """End a request and free what it holds: at once, or at the end of the step that is running."""
        with self._news:
            if self._stepping:
                self._cancelled.append(request)
            else:
                self._drop(request)
                self._news.notify_all()

    def _stream(self, request: Request) -> Iterator[TokenEvent]:
        try:
            yield TokenEvent((), "")  # taken by `stream`
            while (event := self._next(request)) is not None:
                yield event
                if event.finish_reason is not None:
                    return
        finally:
            self.cancel(request)

    def _next(self, request: Request) -> TokenEvent | None:
        """The request's next event; None when there will be no more."""
        while True:
            with self._news:
                while self._stepping and not request.events and not request.sequence.done:
                    self._news.wait()
                if request.events:
                    return request.events.popleft()
                if request.sequence.error is not None:
                    raise request.sequence.error
                if request.sequence.done:
                    return None
                self._begin()
            self._step()

    def _begin(self) -> None:
        """Take the step for this thread. The lock is held."""
        self._stepping = True
        for request in self._submitted:
            self._requests[request.sequence.arrival] = request
            self.scheduler.add(request.sequence)
        self._submitted.clear()

    def _step(self) -> None:
        """Run the step that this thread has taken, and give it back."""
        try:
            self._advance()
        finally:
            with self._news:
                for request in self._cancelled:
                    self._drop(request)
                self._cancelled.clear()
                self._stepping = False
                self._news.notify_all()

    def _advance(self) -> None:
        work = [one for one in self.scheduler.schedule() if self._prepare(one)]
        if not work:
            return
        if self._runner.checks_drafts:
            work = self.drafting.drafted(work)
        self.steps += 1
        self.step_sequences += len(work)
        try:
            logits = self._runner.run(work)
        except Exception as error:  # noqa: BLE001 - whatever a model raises belongs to those whose tokens it was given
            for one in work:
                self._fail(one.sequence, error)
            return
        greedy = all(one.sequence.sampler.greedy for one in work if one.last)
        # Drawing takes many small steps, of which a GPU would make a long queue.
        answers = iter(logits.argmax(dim=-1).tolist() if greedy else logits.cpu())
        for one in work:
            self._take(one, list(islice(answers, one.asked)))

    def _take(self, work: Work, answers: Items[int | Tensor]) -> None:
        """Count a sequence's work as done and add what it led to, a token or (V,) logits to draw it from.

        Both at once, so that an interrupted step leaves no sequence that has neither work to do nor a new token. Behind
        the first there are answers to guesses, each of which counts if the guess was what came.
        """
        sequence, stop, right = work.sequence, work.stop, 0
        try:
            self.blocks.commit(sequence, stop)
            for place, answer in enumerate(answers):
                token = answer if isinstance(answer, int) else sequence.sampler.draw(answer)
                self._append(sequence, token, self._logprobs(sequence, token, answer))
                if sequence.done or place == len(work.draft) or token != work.draft[place]:
                    break
                right += 1
                self.blocks.commit(sequence, stop + right)
            self.drafting.learn(work, right)
        except Exception as error:  # noqa: BLE001 - such as a token that the tokenizer does not know
            self._fail(sequence, error)

    def _prepare(self, work: Work) -> bool:
        """Encode the work's media; a medium that cannot be encoded ends its own request only."""
        try:
            self._runner.prepare(work)
        except Exception as error:  # noqa: BLE001 - whatever a model raises belongs to the request
            self._fail(work.sequence, error)
            return False
        return True

    def _append(self, sequence: Sequence, token: int, logprobs: tuple[TokenLogprob, ...]) -> None:
        """Add a drawn token to its sequence and tell its reader."""
        request = self._requests[sequence.arrival]
        if token in self._eos_ids:
            self._finish(request, TokenEvent((), "", "stop"))
            return
        sequence.tokens.append(token)
        piece = request.answer.push(token)
        for one in logprobs:
            request.likely.add(one)
        if request.answer.stopped:
            self._finish(request, TokenEvent((token,), piece, "stop"))
        elif len(sequence.tokens) - sequence.prompt_tokens >= sequence.max_tokens:
            self._finish(request, TokenEvent((token,), piece, "length"))
        else:
            request.events.append(TokenEvent((token,), piece, logprobs=request.likely.given()))

    def _logprobs(self, sequence: Sequence, token: int, answer: int | Tensor) -> tuple[TokenLogprob, ...]:
        """What the request wants to know of a token drawn from logits (V,), as yet without its text."""
        wanted = sequence.options.logprobs
        if wanted is None or isinstance(answer, int):
            return ()
        logprob, top = likeliest(answer, token, wanted)
        texts = self._requests[sequence.arrival].answer.texts_of([one for one, _ in top])
        named = tuple((text, value) for text, (_, value) in zip(texts, top, strict=True))
        return (TokenLogprob(token="", logprob=logprob, top=named),)

    def _finish(self, request: Request, event: TokenEvent) -> None:
        if not request.answer.stopped:
            # The last token can complete a stop string that was held back only because a character was incomplete.
            piece = event.text + request.answer.finish()
            event = replace(event, text=piece, finish_reason="stop" if request.answer.stopped else event.finish_reason)
        event = replace(event, logprobs=request.likely.given(last=True))
        self._forget(request.sequence)
        request.sequence.finish_reason = event.finish_reason
        request.events.append(event)

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        self._forget(sequence)
        sequence.error = out_of_memory(error) or error

    def _drop(self, request: Request) -> None:
        """End a cancelled request. The lock is held and no step is running."""
        if request.sequence.done:
            return
        if request in self._submitted:
            self._submitted.remove(request)
        self._forget(request.sequence)
        request.sequence.finish_reason = "cancelled"
        request.events.append(TokenEvent((), request.answer.finish(), "cancelled"))

    def _forget(self, sequence: Sequence) -> None:
        self.scheduler.remove(sequence)
        sequence.embeddings.clear()
        sequence.memories.clear()
        self._requests.pop(sequence.arrival, None)


def _shares(model: Decoder, capacity: Capacity) -> tuple[int, int]:
    """Blocks that fit the memory given, at most as many as all running requests can fill, and bytes for media."""
    if capacity.block_tokens < 1 or capacity.max_running < 1 or capacity.step_tokens <= capacity.max_running:
        raise InputError(
            f"The engine was given {capacity}; expected block_tokens and max_running of 1 or more, and step_tokens "
            "above max_running, so that prompts advance while all others decode."
        )
    # Four bytes a value: the widest type that models run in here; narrower ones take less than they may.
    block_bytes = 2 * 4 * model.layers * model.kv_heads * model.head_width * capacity.block_tokens
    largest = model.state_bytes * model.most_states if isinstance(model, Looker) else 0
    if capacity.cache_bytes is None:
        token_bytes = max(CACHE_BYTES, block_bytes * -(-LEAST_TOKENS // capacity.block_tokens))
        media_bytes = max(CACHE_BYTES, _LEAST_MEDIA * largest) if largest else 0
    else:
        media_bytes = max(capacity.cache_bytes // 2, largest) if largest else 0
        token_bytes = capacity.cache_bytes - media_bytes
    blocks = token_bytes // block_bytes
    if blocks < 1:
        raise InputError(
            f"cache_bytes is {capacity.cache_bytes}; expected {largest + block_bytes} "
            f"({'the largest medium and ' if largest else ''}one block) or more."
        )
    return min(blocks, capacity.max_running * -(-model.context_length // capacity.block_tokens)), media_bytes
