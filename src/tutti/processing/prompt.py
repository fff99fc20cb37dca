"""What every family's processor does, and what the engine is given: token ids with room for media, media as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError, UnsupportedTask

if TYPE_CHECKING:
    from tutti.content import Tool, ToolCall
    from tutti.media.frame_sampling import FrameChoice
    from tutti.media.video import Clip, Scale
    from tutti.processing.text_meter import TextMeter
    from tutti.processing.tokenizer import Tokenizer
    from tutti.processing.tool_forms import CallForm


@dataclass(frozen=True, eq=False)
class MediaInput:
    """One medium, ready for its trunk."""

    modality: str
    arrays: Mapping[str, NDArray[Any]]
    """Named as the trunk takes them, e.g. {"pixel_values": (3, S, S)}."""
    tokens: int
    """N: how many tokens it fills in the prompt."""
    digest: str
    """Digest of the arrays, from `media_digest`."""


class View(NamedTuple):
    """Which tokens look at a medium by cross-attention, in families whose text does so."""

    medium: int
    """Its number."""
    first: int
    """The first token that looks."""
    stop: int
    """Behind the last one. The end of the prompt means that the answer's tokens look, too."""
    states: int
    """How many of the medium's states they see; those behind are padding."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """Token ids in which each medium has its place.

    Raises:
        InputError: The media do not fit their places.
    """

    input_ids: NDArray[np.int64]
    """(T,), with placeholders where media go."""
    media: tuple[MediaInput, ...] = ()
    """In order of their places."""
    starts: tuple[int, ...] = ()
    """Medium i fills `input_ids[starts[i] : starts[i] + media[i].tokens]`."""
    views: tuple[View, ...] = ()
    """Which tokens look at which media; none where a medium's states themselves stand in its place."""

    def __post_init__(self) -> None:
        if len(self.media) != len(self.starts):
            raise InputError(f"The prompt has {len(self.media)} media but {len(self.starts)} places for them.")
        end = 0
        for medium, start in zip(self.media, self.starts, strict=True):
            if start < end or medium.tokens < 1 or start + medium.tokens > len(self.input_ids):
                raise InputError(
                    f"The {medium.modality} of {medium.tokens} tokens at {start} does not fit the prompt "
                    f"of {len(self.input_ids)} tokens, of which {end} are taken."
                )
            end = start + medium.tokens


class ToolUse(NamedTuple):
    """What a conversation has of tools, beside its turns."""

    tools: tuple[Tool, ...] = ()
    """What is offered."""
    calls: Mapping[int, tuple[ToolCall, ...]] = {}
    """Number of a turn of the model → the calls that it asked for."""
    answers: Mapping[int, str] = {}
    """Number of a tool's turn → id of the call that it answers."""


class TaughtDialogue(NamedTuple):
    """A whole conversation as token ids: what training learns from."""

    prompt: Prompt
    said: NDArray[np.bool_]
    """(T,), True at tokens that the assistant says: those that are learned."""


Turns = Sequence[tuple[str, Sequence[str | MediaInput]]]
"""Role, and texts and media of each turn, in order."""


class MotionReadings(NamedTuple):
    """What an inertial sensor felt."""

    values: NDArray[np.float32]
    """(S, 6): acceleration in m/s² and rotation in rad/s."""
    sample_rate_hz: float | None
    """Readings a second, if that is known."""


Decoded: TypeAlias = "NDArray[Any] | Clip | MotionReadings"
"""What `tutti.media` makes of a medium.

image: (H, W, 3) uint8. audio: (S,) float32 mono at the rate of the `Decoding`. video: a `Clip`, its sound at that rate.
depth: (H, W) float32 metres. thermal: (H, W) float32 kelvin. motion: `MotionReadings`.
"""


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """What a medium of a modality is decoded to before it is prepared."""

    side: int | None = None
    """Of pictures: the short side, in pixels, from which on nothing more is seen; None where that depends on the
    picture."""
    sample_rate_hz: int | None = None
    """Of the sound, in recordings and videos; None leaves the sound of a video out."""
    max_samples: int | None = None
    """Longest sound that is taken at a time; None is any."""
    frames: FrameChoice | None = None
    """Which frames of a video are kept."""
    scale: Scale | None = None
    """What is kept of each."""


class Processor(Protocol):
    """What makes a model's inputs, of every family. A family derives from this and adds what its tasks need.

    Media of any task: `decodings` and `prepare`. Answering: `prompt`, `decode`, `eos_ids`, `json_tokenizer` for answers
    in JSON, and `tool_prompt` with `call_form` for tools. Learning answers: `dialogue`. Embedding: `texts` and
    `text_meter`. What a family leaves out is refused here, in one place.
    """

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """Modality → what a medium of it is decoded to. Those that are not here are not accepted."""
        return {}

    @property
    def accepts(self) -> str:
        """What the model accepts, in words: "text, image and video"."""
        *most, last = ("text", *self.decodings)
        return f"{', '.join(most)} and {last}" if most else last

    def prepare(self, modality: str, decoded: Decoded) -> MediaInput:
        """A medium's arrays, named as its trunk takes them.

        Args:
            modality: One of `decodings`.
            decoded: What `Decoded` says of that modality.

        Raises:
            InputError: It is not what the model needs.
            CapacityError: It is longer or larger than the model takes.
            UnsupportedTask: The modality is not accepted.
        """
        raise UnsupportedTask(f"This model takes {self.accepts}, and was given {modality}.")

    def prompt(self, turns: Turns) -> Prompt:
        """A conversation as token ids, ready for the model's turn.

        Raises:
            InputError: The conversation does not suit the model.
            UnsupportedTask: The model holds no conversation.
        """
        raise UnsupportedTask("This model answers no questions; ask one with a decoder, such as tutti-mini.")

    @property
    def call_form(self) -> CallForm | None:
        """How the model writes calls of tools; None if it uses none."""
        return None

    def tool_prompt(self, turns: Turns, use: ToolUse) -> Prompt:
        """As `prompt`, of a conversation with tools.

        Raises:
            InputError: The conversation does not suit the model.
            UnsupportedTask: The model uses no tools.
        """
        raise UnsupportedTask("This model cannot use tools; ask one whose chat template takes them, such as Qwen2.5.")

    def dialogue(self, turns: Turns) -> TaughtDialogue:
        """A whole conversation as token ids, and which of them the assistant says, as the chat template has it.

        The last answer ends with a token that ends answers, whether or not the template writes one.

        Raises:
            InputError: The conversation does not suit the model, or the template does not say where answers begin.
            UnsupportedTask: The model holds no conversation.
        """
        raise UnsupportedTask("This model cannot be taught answers; tune one with a decoder, such as tutti-mini.")

    def texts(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """Texts to embed.

        Returns:
            {"input_ids": (B, T), "attention_mask": (B, T)}, padded to the longest.

        Raises:
            InputError: There is no text, or an empty one.
            CapacityError: A text is longer than the model reads.
            UnsupportedTask: The model embeds no texts.
        """
        raise UnsupportedTask("This model embeds no texts; use one with a shared space, such as tutti-mini.")

    @property
    def text_meter(self) -> TextMeter | None:
        """Measures texts to embed; None if the model embeds none."""
        return None

    def decode(self, ids: list[int]) -> str:
        """The text of an answer.

        Raises:
            UnsupportedTask: The model writes none.
        """
        raise UnsupportedTask("This model writes no text; ask one with a decoder, such as tutti-mini.")

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        return frozenset()

    def json_tokenizer(self) -> Tokenizer | None:
        """The tokenizer by which answers can be held to a form; None if there is none."""
        return None


def media_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over the names, types, shapes and bytes of arrays, in hexadecimal.

    Every part is preceded by its length, so that different arrays cannot be written as the same bytes. The order of the
    names does not count.
    """
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        for part in (name, array.dtype.str, str(array.shape)):
            content = part.encode()
            digest.update(len(content).to_bytes(8, "little") + content)
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
