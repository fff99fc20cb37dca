"""Models that say what they were told to, and a server around them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tutti.content import (
    Answer,
    Audio,
    Conversation,
    Embeddings,
    Event,
    Finished,
    Media,
    Modality,
    Part,
    SamplingOptions,
    Segment,
    Text,
    TextDelta,
    TimedWord,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    Transcript,
    TranscriptionOptions,
    Usage,
    WindowScores,
    check_tools,
)
from tutti.media import InProcess, Limits, decode_audio, decode_image, decode_video
from tutti.serve.admission import ServerLimits
from tutti.serve.applications import Application
from tutti.serve.keys import Keys
from tutti.serve.lifecycle import ListenOptions, Server, ServerOptions, make_server
from tutti.serve.media_parts import MediaOpener
from tutti.serve.telemetry import Telemetry

DECODERS: dict[str, Callable[..., object]] = {"image": decode_image, "audio": decode_audio, "video": decode_video}


@dataclass
class Parrot:
    """Says the words of the last message, one at a time, and what media it was shown; remembers all it was asked.

    It decodes media, so that they fail as they do with a real model.
    """

    name: str = "parrot"
    seconds_a_word: float = 0.0
    asked: list[tuple[Conversation, SamplingOptions]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    closed: int = 0
    error: Exception | None = None
    limits: Limits = field(default_factory=Limits)
    gate: threading.Event | None = None
    breaks_after: int | None = None
    """Words after which it fails."""

    def sharpness(self, modality: Modality) -> float:
        return 1.0

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        self.asked.append((conversation, options))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            yield from self._said(conversation, options)
        finally:
            self.running -= 1
            self.closed += 1

    def _said(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        if self.gate is not None:
            self.gate.wait(20)
        if self.error is not None:
            raise self.error
        parts = conversation[-1].parts
        shown = [part for part in parts if isinstance(part, Media)]
        for part in shown:
            DECODERS[part.modality](part, self.limits)
        words = " ".join(part.text for part in parts if isinstance(part, Text)).split()
        words += [f"[{part.modality}]" for part in shown]
        usage = Usage(prompt_tokens=len(words) + 4 * len(shown), media_tokens=4 * len(shown))
        ended = next((at for at, word in enumerate(words) if word in options.stop), None)
        stopped_by = None if ended is None else words[ended]
        words = words[:ended]
        reason = "length" if len(words) > options.max_tokens else "stop"
        told: list[TokenLogprob] = []
        text = ""
        for word in words[: options.max_tokens]:
            time.sleep(self.seconds_a_word)
            if self.breaks_after is not None and len(text.split()) >= self.breaks_after:
                raise ZeroDivisionError("secret words")
            piece = f" {word}" if text else word
            text += piece
            likely = (
                () if options.logprobs is None else (TokenLogprob(token=piece, logprob=-0.5, top=((piece, -0.5),)),)
            )
            told += likely
            yield TextDelta(piece, likely)
        usage = replace(usage, completion_tokens=min(len(words), options.max_tokens))
        yield Finished(
            Answer(
                text=text,
                model=self.name,
                finish_reason=reason,
                usage=usage,
                seconds=0.0,
                logprobs=tuple(told),
                stopped_by=stopped_by,
            )
        )

    def count_tokens(self, conversation: Conversation, tools: Sequence[Tool] = ()) -> int:
        parts = [part for turn in conversation for part in turn.parts]
        media = [part for part in parts if isinstance(part, Media)]
        return len(" ".join(part.text for part in parts if isinstance(part, Text)).split()) + 5 * len(media)

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        for part in parts:
            if isinstance(part, Media):
                DECODERS[part.modality](part, self.limits)
        vectors = np.stack([np.roll(np.array([0.8, 0.6, 0, 0], np.float32), len(part.modality)) for part in parts])
        return Embeddings(vectors=vectors, model=self.name, usage=Usage(prompt_tokens=len(parts)))


@dataclass
class Caller:
    """Calls the tools it is offered, all of them or the chosen one, and then says what they gave."""

    name: str = "caller"
    asked: list[tuple[Conversation, SamplingOptions]] = field(default_factory=list)

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        check_tools(options.tools, options.tool_choice)
        self.asked.append((conversation, options))
        usage = Usage(prompt_tokens=7, completion_tokens=3)
        given = [
            part.text for turn in conversation if turn.role == "tool" for part in turn.parts if isinstance(part, Text)
        ]
        if given or not options.offered:
            text = " and ".join(given) or "nothing to call"
            yield TextDelta(text)
            yield Finished(Answer(text=text, model=self.name, finish_reason="stop", usage=usage, seconds=0.0))
            return
        yield TextDelta("Let me see.")
        tools = [tool for tool in options.offered if options.tool_choice in ("auto", "required", tool.name)]
        calls = []
        for index, tool in enumerate(tools if options.parallel_tool_calls else tools[:1]):
            call = ToolCall(f"call_{index}", tool.name, json.dumps({"place": f"place {index}"}))
            yield ToolCallDelta(index, call.id, call.name)
            for at in range(0, len(call.arguments), 5):
                yield ToolCallDelta(index, arguments=call.arguments[at : at + 5])
            calls.append(call)
        yield Finished(
            Answer(
                text="Let me see.",
                model=self.name,
                finish_reason="tool_calls",
                usage=usage,
                seconds=0.0,
                tool_calls=tuple(calls),
            )
        )


class Stenographer:
    """Writes the same words down whatever it hears; remembers how it was asked."""

    name = "stenographer"

    def __init__(self) -> None:
        self.asked: list[TranscriptionOptions] = []

    def transcribe(self, medium: Audio, options: TranscriptionOptions, progress: object = None) -> Transcript:
        self.asked.append(options)
        whole = decode_audio(medium, Limits()).duration_s
        half = whole / 2
        scores = WindowScores(
            window_start_s=0.0, temperature=0.0, mean_log_probability=-0.25, compression_ratio=1.1, no_speech=0.01
        )
        spans = (("good", 0.0, half), ("day", half, whole))
        return Transcript(
            text="good day",
            segments=tuple(
                Segment(start_s=start, end_s=end, text=text, tokens=(7,), scores=scores) for text, start, end in spans
            ),
            words=tuple(TimedWord(start_s=start, end_s=end, text=text) for text, start, end in spans)
            if options.timestamps == "word"
            else (),
            model=self.name,
            language=options.language,
            task=options.task or "transcribe",
            duration_s=whole,
            seconds=0.0,
        )


@contextlib.contextmanager
def served(
    model: object,
    *,
    keys: Keys | None = None,
    limits: ServerLimits | None = None,
    opener: MediaOpener | None = None,
    drain_seconds: float = 5.0,
    telemetry: Telemetry | None = None,
    applications: Sequence[Application] = (),
    offer: ServerOptions | None = None,
) -> Iterator[Server]:
    """A server on a port of its own, on a thread; stopped at the end."""
    server = make_server(
        model,  # type: ignore[arg-type]
        getattr(model, "name", "model"),
        ListenOptions(port=0, drain_seconds=drain_seconds),
        keys or Keys({}),
        limits or ServerLimits(),
        opener or MediaOpener(InProcess(Limits())),
        telemetry,
        offer or ServerOptions(applications=applications),
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
