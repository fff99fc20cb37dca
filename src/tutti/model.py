"""The face of every model: questions and media in, answers and vectors out, whichever provider is behind it.

A provider is joined here with what reads, verifies and guards; all of those are Protocols of `tutti.interfaces`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tutti.content import (
    Answer,
    Classification,
    Event,
    Finished,
    Image,
    Media,
    Message,
    Part,
    Source,
    Text,
    TextLine,
    Transcript,
)
from tutti.content.streams import answer_of_stream
from tutti.errors import InputError, TextWarning, UnsupportedTask
from tutti.interfaces import (
    Classifying,
    Doubting,
    Embedder,
    Guard,
    LiveSpeech,
    Provider,
    Quoting,
    Remarking,
    Responder,
    Sealer,
    StreamingTranscriber,
    TextReader,
    Transcriber,
    Verifier,
    admitted,
)
from tutti.providers.given import (
    Medium,
    as_medium,
    as_part,
    conversation_of,
    medium_of,
    sampling_options,
    shortened_parts,
    transcription_options,
)
from tutti.providers.registry import is_hosted, open_provider

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tutti.providers.hosted import Hosted, HostedOptions
    from tutti.trust.privacy import PrivacyPolicy


class Model:
    """A loaded model.

    Args:
        provider: What computes: a `Responder`, an `Embedder`, a `Transcriber`, or several of them.
        reader: Reads the text in pictures; a provider that quotes what is written gets it, too.
        verifier: Holds each answer to the evidence, before it is handed out.
        guard: Sees whatever is asked, embedded or transcribed before the provider does.
        sealer: Encrypts what an `Index` over this model keeps.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        reader: TextReader | None = None,
        verifier: Verifier | None = None,
        guard: Guard | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self.provider = provider
        self.reader, self.verifier, self.guard, self.sealer = reader, verifier, guard, sealer
        if reader is not None and isinstance(provider, Quoting):
            provider.reader = reader

    @property
    def name(self) -> str:
        """What the model is called in answers and reports."""
        return self.provider.name

    def __repr__(self) -> str:
        return f"Model({self.name!r})"

    def ask(self, question: str | Sequence[Message], *media: Medium, verify: bool = False, **sampling: Any) -> Answer:
        """Answer a question about media.

        Args:
            question: Words, or a whole conversation that ends with the user's turn.
            media: Paths, `data:` URLs, bytes, numpy pictures, or parts such as `tutti.Audio`.
            verify: Check what the answer claims, by others than the model, also where the model has no verifier of its
                own; the verdicts are the answer's evidence.
            sampling: Fields of `SamplingOptions`; a recording that is a little too long is cut, and the answer's notes
                say so, unless `cut_media` is false.

        Raises:
            InputError: The question is empty, a medium cannot be read, or an option is unknown.
            CapacityError: The media are larger or longer than the budget or the model allows.
            UnsupportedTask: The model does not answer questions, or not about such media.
            ProviderError: The provider ended without an answer.
            MissingExtra: A picture is to be verified, and no reader of text is installed.
        """
        return answer_of_stream(self.stream(question, *media, verify=verify, **sampling), self.name)

    def stream(
        self, question: str | Sequence[Message], *media: Medium, verify: bool = False, **sampling: Any
    ) -> Iterator[Event]:
        """Answer piece by piece: `TextDelta` events, then one `Finished`. Arguments and errors as for `ask`.

        Closing the iterator cancels the request.
        """
        asked = conversation_of(question, *media)
        conversation = admitted(self.guard, asked)
        events = self.responder().stream(conversation, sampling_options(sampling))
        guard: object = self.guard
        if isinstance(guard, Remarking):
            events = _noted(events, [one for message in asked for one in guard.remarks(message.parts)])
        verifier = self._standard_verifier() if verify and self.verifier is None else self.verifier
        return events if verifier is None else verified_events(events, conversation, verifier)

    def preview(self, question: str | Sequence[Message], *media: Medium, **sampling: Any) -> dict[str, Any]:
        """What `ask` would send to a hosted model, media described by type, size and digest; nothing is sent.

        Raises:
            InputError: The model is on this machine, so that nothing would be sent; and as for `ask`.
        """
        if not (hosted := self._hosted()):
            raise InputError(f"{self.name} is on this machine; nothing would be sent anywhere.")
        return hosted.preview(admitted(self.guard, conversation_of(question, *media)), sampling_options(sampling))

    def embed(self, items: Sequence[Part | Source], *, truncate: bool = False) -> NDArray[np.float32]:
        """Place items in the shared space. A plain string is text; a `Path`, bytes or an array is a medium.

        A text of which the model's vocabulary lacks a part is embedded with a `TextWarning`.

        Args:
            items: Texts and media.
            truncate: Embed of a text that is too long its beginning, where it would be refused otherwise.

        Returns:
            (N, D) float32, unit rows in the order given.

        Raises:
            InputError: There is no item, one cannot be read, or the model's vocabulary has nothing of a text.
            CapacityError: A medium is over a budget, or a text longer than the model embeds.
            UnsupportedTask: The model does not embed, or not such media.
        """
        embedder = self.embedder()
        if isinstance(items, (str, bytes, os.PathLike, Text, Media)):
            raise InputError("embed takes a list of items, and was given one; put it into a list.")
        if len(items) == 0:
            raise InputError("There is nothing to embed; expected at least one item.")
        parts: list[Part] = [Text(item) if isinstance(item, str) else as_part(item) for item in items]
        given = shortened_parts(embedder, parts) if truncate else parts
        found = embedder.embed(self.guard.admit(given) if self.guard is not None else given)
        for remark in found.notes:
            warnings.warn(str(remark), TextWarning, stacklevel=2)
        return found.vectors

    def read(self, picture: Medium) -> Sequence[TextLine]:
        """The lines of text in a picture, in reading order.

        Raises:
            InputError: It is no picture, or cannot be read; or the model was given no reader.
        """
        if self.reader is None:
            raise InputError(f"{self.name} was given no reader of text; give one as in: Model(provider, reader=…)")
        part = as_medium(picture)
        if not isinstance(part, Image):
            raise InputError(f"Text is read in pictures, and {part.name} is of modality {part.modality}.")
        return self.reader.read(part)

    def classify(self, medium: Medium, labels: Sequence[str]) -> Classification:
        """Which label fits a medium best.

        Returns:
            Label → probability over the labels given, most likely first: softmax of cosines, as sharp as the space was
            trained (CLIP: Radford et al. 2021, section 3.1.2). One label always wins; `none_of_these` of the result is
            the probability that none fits, where the model knows names that compete with them (tutti-mini, pictures).

        Raises:
            InputError: Fewer than two labels, one twice, or one string in the place of the labels.
            UnsupportedTask: The model does not embed, or not such media.
        """
        import numpy as np

        if isinstance(labels, str):
            raise InputError(f"labels is the string {labels!r}; put the labels into a list.")
        if len(set(labels)) != len(labels) or len(labels) < 2:
            raise InputError(f"Got {len(labels)} labels, {len(set(labels))} of them different; expected two or more.")
        embedder, part = self.embedder("classify"), as_medium(medium)
        if isinstance(embedder, Classifying):
            (seen,) = self.guard.admit([part]) if self.guard is not None else (part,)
            known = embedder.classify(medium_of(seen), labels)
            if known is not None:
                return Classification(dict(known), None)
        try:
            vectors = self.embed([part, *labels])
        except UnsupportedTask as error:  # who embeds does not know what for
            raise error.of("classify") from None
        scores = embedder.sharpness(part.modality) * (vectors[1:] @ vectors[0])
        weights = np.exp(scores - scores.max())
        order = np.argsort(-weights, kind="stable")
        none = embedder.none_fits(part.modality, vectors[:1], vectors[1:]) if isinstance(embedder, Doubting) else None
        shares = {labels[index]: float(weights[index] / weights.sum()) for index in order}
        return Classification(shares, none[0] if none is not None else None)

    def responder(self) -> Responder:
        """What answers questions.

        Raises:
            UnsupportedTask: The model does not.
        """
        if not isinstance(self.provider, Responder):
            raise UnsupportedTask(f"{self.name} does not answer questions", "ask")
        return self.provider

    def transcribe(
        self, medium: Medium, *, progress: Callable[[float], None] | None = None, **options: Any
    ) -> Transcript:
        """Write down the speech of a recording, or of a video's sound.

        Args:
            medium: A path, a `data:` URL, bytes, samples with their rate in a `tutti.Audio`, or another part.
            progress: Told how much is done, from 0 to 1.
            options: Fields of `TranscriptionOptions`, such as `language="fr"`, `task="translate"`, `timestamps="word"`.

        Raises:
            InputError: The medium cannot be read or has no sound, or an option is unknown or out of range.
            CapacityError: It is larger or longer than the budget.
            UnsupportedTask: The model does not transcribe, or not so.
        """
        if not isinstance(self.provider, Transcriber):
            raise UnsupportedTask(f"{self.name} does not transcribe", "transcribe")
        part = as_medium(medium)
        if self.guard is not None:
            (admitted_part,) = self.guard.admit([part])
            part = medium_of(admitted_part)
        return self.provider.transcribe(part, transcription_options(options), progress)

    def live(self, **options: Any) -> StreamingTranscriber:
        """One stream of speech, written down while it is said: feed it samples, and finish it.

        Args:
            options: Fields of `TranscriptionOptions`.

        Raises:
            InputError: An option is unknown or out of range.
            UnsupportedTask: The model does not write down speech while it is said, or there is a guard.
        """
        if not isinstance(self.provider, LiveSpeech):
            raise UnsupportedTask(f"{self.name} does not write down speech while it is said", "transcribe")
        if self.guard is not None:
            raise UnsupportedTask("A guard sees whole recordings, and none of a stream; use transcribe.")
        return self.provider.live(transcription_options(options))

    def guarded_elsewhere(self, guard: Callable[[], Guard]) -> Model:
        """This model with a guard before it, where it is a hosted one that has none; otherwise as it is."""
        if self.guard is not None or not self._hosted():
            return self
        return Model(self.provider, reader=self.reader, verifier=self.verifier, guard=guard(), sealer=self.sealer)

    @property
    def elsewhere(self) -> bool:
        """Whether what is asked is sent to another machine."""
        return self._hosted() is not None

    def _hosted(self) -> Hosted | None:
        from tutti.providers.hosted import Hosted

        return self.provider if isinstance(self.provider, Hosted) else None

    def _standard_verifier(self) -> Verifier:
        from tutti.trust.verification.standard import standard_verifier

        return standard_verifier(open_provider, reader=self.reader)

    def embedder(self, task: Literal["embed", "classify"] = "embed") -> Embedder:
        """What embeds, for a task that an error names.

        Raises:
            UnsupportedTask: The model does not.
        """
        if not isinstance(self.provider, Embedder):
            raise UnsupportedTask(f"{self.name} does not {task}", task)
        return self.provider


def load(
    name: str | os.PathLike[str] | None = None,
    *,
    reader: TextReader | Literal[False] | None = None,
    verifier: Verifier | None = None,
    guard: Guard | None = None,
    sealer: Sealer | None = None,
    encrypt: bool | str = False,
    privacy: PrivacyPolicy | str | os.PathLike[str] | None = None,
    **options: Any,
) -> Model:
    """Load a model: `Model(open_provider(name, …), …)`.

    Args:
        name: As for `open_provider`.
        reader: As for `Model`. A model that quotes what is written gets by default the one of the extra `ocr`, if that
            is installed; False leaves text to the model itself.
        verifier: As for `Model`.
        guard: As for `Model`.
        sealer: As for `Model`; it encrypts embeddings of media that outlive the process, too.
        encrypt: Encrypt media to the `tutti serve` that is named, so that nobody between can see them; as a text, the
            fingerprint that its key must have.
        privacy: What must be done before a model elsewhere is asked: a policy or its TOML file; where not given, the
            file that `TUTTI_PRIVACY` names.
        options: Further arguments of `open_provider`: device, dtype, quantize, adapter, hosted, limits, told.

    Raises:
        TuttiError: As `open_provider`.
    """
    if encrypt:
        options = {**options, "hosted": encrypting(name, options.get("hosted"), encrypt)}
    options = _kept_private(name, privacy, options)
    if sealer is not None:
        options = {"sealer_of": lambda tenant: sealer, **options}
    provider = open_provider(name, **options)
    read_by = default_reader(provider) if reader is None else reader or None
    return Model(provider, reader=read_by, verifier=verifier, guard=guard, sealer=sealer)


def _kept_private(
    name: str | os.PathLike[str] | None, privacy: PrivacyPolicy | str | os.PathLike[str] | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Options of `open_provider` such that the policy is kept, where the model is elsewhere and there is a policy."""
    from tutti.settings import read_settings

    settings = read_settings()
    wanted, privacy = os.fspath(name) if name is not None else settings.model, privacy or settings.privacy
    if privacy is None or not is_hosted(wanted):
        return options
    from tutti.trust.privacy import PrivacyPolicy

    policy = privacy if isinstance(privacy, PrivacyPolicy) else PrivacyPolicy.read(os.fspath(privacy))
    return {**options, "hosted": policy.hosted(wanted, options.get("hosted"), _speech_writer)}


def _speech_writer() -> Transcriber:
    provider = open_provider("whisper-base")
    assert isinstance(provider, Transcriber)  # noqa: S101 - it ships in the package
    return provider


def default_reader(provider: Provider) -> TextReader | None:
    """What reads text for a provider that quotes it: the reader of the extra `ocr`, if installed; None for others."""
    if not isinstance(provider, Quoting):
        return None
    from tutti.trust.reading import shipped_reader

    return shipped_reader()


def encrypting(name: str | os.PathLike[str] | None, hosted: HostedOptions | None, encrypt: bool | str) -> HostedOptions:
    """Options of hosted models with encryption of media to the server of a name. Errors: `sender_to`."""
    from dataclasses import replace

    from tutti.providers.hosted import HostedOptions
    from tutti.settings import read_settings
    from tutti.trust.vault.key_exchange import sender_to

    wanted = os.fspath(name) if name is not None else read_settings().model
    sender = sender_to(wanted, encrypt if isinstance(encrypt, str) else None)
    return replace(hosted or HostedOptions(), media_sealer=sender)


def _noted(events: Iterator[Event], notes: Sequence[str]) -> Iterator[Event]:
    for event in events:
        if isinstance(event, Finished):
            yield Finished(replace(event.answer, notes=(*event.answer.notes, *notes)))
        else:
            yield event


def verified_events(events: Iterator[Event], conversation: Sequence[Message], verifier: Verifier) -> Iterator[Event]:
    """The events of a stream, the whole answer at its end verified."""
    for event in events:
        yield Finished(verifier.verify(conversation, event.answer)) if isinstance(event, Finished) else event
