"""Messages, answers and the events of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tutti.content.parts import Part, Text
from tutti.content.tools import Tool, ToolCall

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "cancelled", "tool_calls"]
ClaimVerdict = Literal["supported", "contradicted", "unreadable", "not_checkable"]
"""What the evidence says of a claim; `unreadable`: what would decide it cannot be made out."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant's turn: the calls that it asked for."""
    tool_call_id: str | None = None
    """Of a tool's turn: which call it answers."""

    @classmethod
    def user(cls, *parts: Part | str) -> Message:
        """A user's turn; plain strings become `Text`."""
        return cls("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))

    @classmethod
    def answered(cls, answer: Answer) -> Message:
        """What a model said as its turn of the conversation, with the calls that it asked for."""
        return cls("assistant", (Text(answer.text),) if answer.text else (), answer.tool_calls)

    @classmethod
    def result(cls, call: ToolCall | str, text: str) -> Message:
        """What a tool gave, as the answer to a call or to the call of that id."""
        return cls("tool", (Text(text),), tool_call_id=call if isinstance(call, str) else call.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How an answer is drawn from a model. The defaults are greedy and therefore deterministic."""

    max_tokens: int = 256
    """Most tokens of the answer."""
    temperature: float = 0.0
    """0 takes the likeliest token each time; above, logits are divided by it."""
    top_k: int = 0
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the likeliest tokens that together reach this probability."""
    repetition_penalty: float = 1.0
    """Divide the (positive) logits of tokens already present by it (Keskar et al. 2019, section 4.1)."""
    stop: tuple[str, ...] = ()
    """Strings that end the answer; none of them is part of it."""
    seed: int = 0
    """Seed of the draw."""
    logprobs: int | None = None
    """How many of the likeliest tokens are told beside each token and its own probability; None tells nothing."""
    json_schema: str | None = None
    """A JSON schema, as JSON, that the answer is made to keep to; "{}" is any JSON."""
    tools: tuple[Tool, ...] = ()
    """What the model may ask to be run."""
    tool_choice: str = "auto"
    """"auto": text or calls, as the model decides; "none": text; "required": at least one call; or a tool's name."""
    parallel_tool_calls: bool = True
    """Whether an answer may hold more than one call."""
    tenant: str = ""
    """Whose the request is: nothing that a model remembers is shared between tenants."""
    cut_media: bool = False
    """Take the beginning of a recording that is longer than the model takes at a time, up to twice as long, and say so
    in the answer's notes; otherwise it is refused."""

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that may be called: none where `tool_choice` is "none"."""
        return () if self.tool_choice == "none" else self.tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a request took, in tokens."""

    prompt_tokens: int = 0
    """All tokens of the prompt, the media's included."""
    completion_tokens: int = 0
    """Tokens of the answer."""
    media_tokens: int = 0
    """Those of the prompt that stand for media."""
    image_tokens: int = 0
    """Those of the media that stand for pictures."""
    audio_tokens: int = 0
    """Those of the media that stand for recordings."""
    video_tokens: int = 0
    """Those of the media that stand for videos, their sound included."""
    cached_tokens: int = 0
    """Those of the prompt whose keys and values, or whose embeddings, were found rather than computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """How likely the model found a token, before temperature and whatever else bends the draw."""

    token: str
    logprob: float
    """Natural logarithm of its probability."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens in its place and their logarithms, most likely first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a specialist found in a medium, by which a claim was judged."""

    source: str
    """Who found it: the reader of text, a transcriber, an embedder, a measurement."""
    text: str
    """What it found, in words."""
    medium: int = 0
    """Place of the medium among those of the conversation, from 0."""
    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom in pixels of the picture."""
    start_s: float | None = None
    """Where it begins in a recording, in seconds."""
    end_s: float | None = None
    confidence: float | None = None
    """From 0 to 1, as the source tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that an answer asserts, and whether the evidence supports it."""

    text: str
    supported: bool | None = None
    """None means that it was not checked, or could not be."""
    evidence: str = ""
    kind: str = ""
    """Such as text, number, object, colour, count, place, time, spoken; empty where nobody told."""
    verdict: ClaimVerdict | None = None
    """What a verifier found; None where none looked."""
    span: tuple[int, int] | None = None
    """Start and end of it in the answer's text, in characters."""
    contradicted_by: str = ""
    """What there is instead."""
    found: tuple[Evidence, ...] = ()
    """What was found, with places and times."""

    def __post_init__(self) -> None:
        if self.verdict is not None:
            decided = {"supported": True, "contradicted": False}.get(self.verdict)
            object.__setattr__(self, "supported", decided)

    def to_dict(self) -> dict[str, Any]:
        """The claim as plain values, without what is empty."""
        kept = ("text", "supported", "evidence")
        values = {name: value for name, value in asdict(self).items() if name in kept or value not in ("", None, ())}
        if self.found:
            values["found"] = [
                {name: value for name, value in one.items() if value is not None} for one in values["found"]
            ]
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A source that an answer was given, under the number by which it can name it."""

    number: int
    """From 1."""
    name: str
    """What people know it by: its file, and when in it."""
    source: str
    """Its id."""
    cited: bool
    """Whether the answer names its number. It says nothing about whether the source supports the answer."""
    sure: bool = True
    """False where the answer names it with less certainty than others."""

    def __str__(self) -> str:
        return f"[{self.number}] {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and what it took."""

    text: str
    model: str
    finish_reason: FinishReason
    usage: Usage
    seconds: float
    """Wall time from request to end, decoding of media included."""
    cost_usd: float = 0.0
    """Price of the request; a local model costs nothing per request."""
    evidence: tuple[Claim, ...] = field(default=())
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, where they were asked for."""
    notes: tuple[str, ...] = ()
    """Sentences on what was not done as asked, such as a recording that was cut."""
    stopped_by: str | None = None
    """The string of `SamplingOptions.stop` that ended it; None where none did, or where that is not known."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls that the model asks for, in order; `finish_reason` is "tool_calls" then."""

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, ready for JSON."""
        return asdict(self) | {"evidence": [claim.to_dict() for claim in self.evidence]}


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A stream event: more of the answer."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens that came with it, where they were asked for."""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A stream event: more of a call."""

    index: int
    """Which call of the answer, from 0."""
    id: str = ""
    """In the first event of a call; empty in those behind it."""
    name: str = ""
    """The same."""
    arguments: str = ""
    """The next piece of the arguments' JSON; all pieces together are `ToolCall.arguments`."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A stream event, always the last: the whole answer."""

    answer: Answer


AnswerDelta: TypeAlias = TextDelta | ToolCallDelta
Event: TypeAlias = AnswerDelta | Finished


@dataclass(frozen=True, slots=True)
class TextSize:
    """How much of a text a model reads."""

    tokens: int
    """Without those that a model puts around every text."""
    unknown: int = 0
    """Those that stand for what the model's vocabulary lacks, such as an emoji; all of them stand for the same."""

    @property
    def says_nothing(self) -> bool:
        """Whether the vocabulary has none of it, so that a vector of the text would be that of any other such text."""
        return 0 < self.tokens == self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownText:
    """A note on a text of which the vector holds only a part: the rest is not in the model's vocabulary."""

    index: int
    """Place among what was embedded."""
    text: str
    """Its beginning."""
    size: TextSize

    def __str__(self) -> str:
        return (
            f"{self.size.unknown} of {self.size.tokens} tokens of {self.text!r} are not in the model's vocabulary, "
            "and the vector holds nothing of them."
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Embeddings:
    """Points of a shared space."""

    vectors: NDArray[np.float32]
    """(N, D) float32, each row of length one."""
    model: str
    usage: Usage
    notes: tuple[UnknownText, ...] = ()
    """Texts that are in their vectors in part only."""


class Classification(dict[str, float]):
    """Label → probability over the labels, the most likely first.

    Args:
        scores: These.
        none_of_these: Probability that no label fits; None where the model cannot tell.
    """

    def __init__(self, scores: Mapping[str, float], none_of_these: float | None = None) -> None:
        super().__init__(scores)
        self.none_of_these = none_of_these


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A line of text read in a picture."""

    text: str
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""
    confidence: float


Conversation: TypeAlias = Sequence[Message]
