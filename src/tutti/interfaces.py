"""What rooms may expect of one another, as Protocols: any object with the methods will do.

Implementations: `tutti.providers` (Responder, Embedder, Transcriber), `tutti.trust` (TextReader). Test doubles need no
base class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from tutti.content import (
    Answer,
    Audio,
    Conversation,
    Embeddings,
    Event,
    Image,
    LiveEvent,
    Media,
    Modality,
    Part,
    SamplingOptions,
    TextLine,
    TextSize,
    Tool,
    Transcript,
    TranscriptionOptions,
    Usage,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Responder(Protocol):
    """Answers a conversation that may hold media."""

    @property
    def name(self) -> str:
        """What the model is called in answers and reports."""
        ...

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """Yield pieces of the answer, then one `Finished` with all of it.

        Closing the iterator early cancels the request and frees what it held.
        """
        ...


@runtime_checkable
class Embedder(Protocol):
    """Places text and media in one shared space."""

    @property
    def name(self) -> str:
        """What the model is called in answers and reports."""
        ...

    def sharpness(self, modality: Modality) -> float:
        """Inverse temperature at which cosines between texts and media of a modality become probabilities."""
        ...

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        """One unit vector a part, in the order given.

        With a tenant, media may be remembered, for that tenant only; without one, nothing is.
        """
        ...


@runtime_checkable
class EmbeddingModel(Protocol):
    """A model that hands out its embedder, and encrypts what is kept of it: `tutti.Model` is one."""

    sealer: Sealer | None

    def embedder(self) -> Embedder:
        """What embeds.

        Raises:
            UnsupportedTask: The model does not.
        """
        ...


@runtime_checkable
class Transcriber(Protocol):
    """Writes down speech."""

    @property
    def name(self) -> str:
        """What the model is called in transcripts and reports."""
        ...

    def transcribe(
        self,
        medium: Media,
        options: TranscriptionOptions | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Transcript:
        """The speech of a recording or of a video's sound; `progress` is told how much is done, from 0 to 1."""
        ...


class StreamingTranscriber(Protocol):
    """Writes down one stream of speech while it is said. Implementation: `tutti.providers.live`."""

    @property
    def sample_rate_hz(self) -> int:
        """Of the samples that it takes."""
        ...

    @property
    def in_utterance(self) -> bool:
        """Whether something sounds, or did until a moment ago."""
        ...

    def feed(self, samples: NDArray[np.float32]) -> Sequence[LiveEvent]:
        """Take the next samples; what they bring. Shapes: (S,) float32 mono in [-1, 1]."""
        ...

    def finish(self, *, hear: bool = True) -> Sequence[LiveEvent]:
        """What is left at the end of the stream, or of an utterance.

        Args:
            hear: Write down what was not final yet; otherwise it is left out.
        """
        ...


@runtime_checkable
class LiveSpeech(Protocol):
    """A transcriber that writes down speech while it is said, too."""

    def live(self, options: TranscriptionOptions | None = None) -> StreamingTranscriber:
        """One stream, from its beginning."""
        ...


class Voice(Protocol):
    """Speaks words. Implementation: `tutti.media.voice`."""

    def speak(self, text: str) -> Audio:
        """Words as a recording whose source is samples. Raises `InputError` where they cannot be spoken."""
        ...


Provider: TypeAlias = Responder | Embedder | Transcriber
"""What computes: one of these, or several in one object."""


@runtime_checkable
class Observable(Protocol):
    """Tells how it fares, for whoever watches over it."""

    def stats(self) -> Mapping[str, float]:
        """Names → numbers; those ending in `_total` only grow."""
        ...


@runtime_checkable
class TextReader(Protocol):
    """Reads the text in a picture."""

    def read(self, image: Image) -> Sequence[TextLine]:
        """The lines in reading order."""
        ...


@runtime_checkable
class Doubting(Protocol):
    """An embedder that knows many names, and so whether a medium is rather something else than some texts say."""

    def none_fits(
        self, modality: Modality, points: NDArray[np.float32], texts: NDArray[np.float32]
    ) -> Sequence[float] | None:
        """Probability, for each medium, that none of some texts fits it.

        Shapes: (N, D) and (T, D), unit rows → N numbers; None of a modality that the names are not of.
        """
        ...


@runtime_checkable
class TextFinder(Protocol):
    """A reader that tells sooner whether there is anything to read."""

    def finds(self, image: Image) -> bool:
        """Whether there is text in a picture."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A responder that states how much it reads and writes together."""

    @property
    def context_length(self) -> int:
        """Longest prompt and answer together, in tokens."""
        ...


@runtime_checkable
class Classifying(Protocol):
    """An embedder that knows better than by its embeddings which of some labels fits."""

    def classify(self, medium: Media, labels: Sequence[str]) -> Mapping[str, float] | None:
        """Label → probability, the most likely first; None where it knows nothing of these labels."""
        ...


@runtime_checkable
class Quoting(Protocol):
    """A responder that leaves what is written in pictures to a reader, if it has one."""

    reader: TextReader | None
    """Set by whoever puts the two together."""


@runtime_checkable
class Seeing(Protocol):
    """Tells which media it takes."""

    @property
    def modalities(self) -> Sequence[Modality]:
        """Those of the media that it is given."""
        ...


@runtime_checkable
class TextBounded(Protocol):
    """An embedder that states how much text one vector holds, and measures texts by it."""

    @property
    def max_text_tokens(self) -> int:
        """Longest text that is embedded, in tokens as `text_size` counts them; a longer one is refused."""
        ...

    def text_size(self, text: str) -> TextSize:
        """Tokens of a text, and how many of them the vocabulary lacks.

        Raises:
            InputError: The text is not Unicode.
        """
        ...

    def shortened(self, text: str) -> str:
        """The longest beginning of a text that one vector holds, up to the end of a word where that is possible."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Holds an answer to the evidence."""

    def verify(self, conversation: Conversation, answer: Answer) -> Answer:
        """The same answer, with what it claims in `evidence` and whether that is supported."""
        ...


@runtime_checkable
class Guard(Protocol):
    """Stands between what is given and whoever computes with it."""

    def admit(self, parts: Sequence[Part]) -> Sequence[Part]:
        """The parts as they may go on, as many and in the same order.

        Raises:
            TuttiError: One of them may not.
        """
        ...


@runtime_checkable
class Remarking(Protocol):
    """A guard that tells what it found."""

    def remarks(self, parts: Sequence[Part]) -> Sequence[str]:
        """Sentences on the parts, for the notes of the answer."""
        ...


@runtime_checkable
class Sealer(Protocol):
    """Encrypts what is kept on disk, for one tenant. Implementation: `tutti.trust.vault`."""

    def seal(self, content: bytes, context: str) -> bytes:
        """Content as it may lie on a disk.

        Args:
            content: What is encrypted.
            context: What it is and where it belongs, as in "answer 4f2…"; `unseal` takes the same, so that a blob
                cannot be put in another's place.
        """
        ...

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The content again, all of it or none.

        Raises:
            InputError: It was not sealed with this key, or as something else, or was changed or cut.
        """
        ...

    def digest(self, text: str) -> str:
        """64 hexadecimal digits that stand for a text: always the same, and without the key they say nothing of it."""
        ...


SealerOf: TypeAlias = Callable[[str], Sealer]
"""Tenant → its sealer."""


@runtime_checkable
class MediaSealer(Protocol):
    """Encrypts media to the one who may read them, before they go out. Implementation: `tutti.trust.vault.wire`."""

    def sealed(self, media: Sequence[bytes]) -> Sequence[str]:
        """All media of one request as `data:` URLs that only the recipient opens, once, in this order."""
        ...


@runtime_checkable
class Previewing(Protocol):
    """Tells what it would send elsewhere."""

    def preview(self, conversation: Conversation, options: SamplingOptions) -> dict[str, Any]:
        """The request as plain values, media described; nothing is sent."""
        ...


@runtime_checkable
class Prices(Protocol):
    """Knows what hosted models charge."""

    def estimate(self, model: str, conversation: Conversation, max_tokens: int) -> float:
        """US dollars that a request may cost at most, before it is sent.

        Raises:
            InputError: No price is known for the model.
        """
        ...

    def cost(self, model: str, usage: Usage) -> float:
        """US dollars that a finished request has cost."""
        ...


@runtime_checkable
class Fingerprinted(Protocol):
    """Tells whether the points of two embedders are comparable."""

    def fingerprint(self) -> tuple[str, str]:
        """Digests of the weights, and of what makes the model's inputs."""
        ...


@runtime_checkable
class Sighted(Protocol):
    """Tells how large pictures have to be."""

    @property
    def picture_side(self) -> int | None:
        """Pictures with at least this short side, in pixels, lose nothing; None where it depends on the picture."""
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """Tells what a conversation would take before it is asked."""

    def count_tokens(self, conversation: Conversation, tools: Sequence[Tool] = ()) -> int:
        """Tokens of the prompt, with the tools that are offered."""
        ...


def admitted(guard: Guard | None, conversation: Conversation) -> Conversation:
    """A conversation as a guard lets it go on; without one, as it is."""
    if guard is None:
        return conversation
    return [replace(message, parts=tuple(guard.admit(message.parts))) for message in conversation]
