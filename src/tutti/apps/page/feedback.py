"""Thumbs, corrections and choices, kept where `tutti feedback` and `tutti serve --feedback` keep them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import get_args

from tutti.apps.page.conversations import ShownTurn
from tutti.content import Media, Message, Text
from tutti.content.feedback import Consent, Feedback, JudgedMedium
from tutti.errors import InputError
from tutti.evaluate.feedback_store import FeedbackStore
from tutti.settings import DEFAULT_TENANT

NOTED = "Thank you; it is noted."
NOT_KEPT = "Not kept: the page was started without --feedback DIR."


class PageFeedback:
    """What people think of answers.

    Media are in it by digest alone. Without a folder, nothing is kept, and the page says so.

    Args:
        folder: Of the feedback of all tenants.
        store_of: From a tenant to where its feedback is kept; by default in the folder, as it is.
    """

    def __init__(self, folder: Path | None, store_of: Callable[[str], FeedbackStore] | None = None) -> None:
        self.folder = folder
        self._store_of = store_of or (lambda tenant: FeedbackStore(folder or Path(), tenant))

    def add(
        self, turn: ShownTurn, verdict: str, *, right: str = "", before: Sequence[Message] = (), tenant: str = "",
        consent: Consent = "measuring",
    ) -> str:  # fmt: skip
        """Keep what a person thinks of an answer.

        Args:
            turn: The question and its answer.
            verdict: `up` or `down`.
            right: The right answer, as the person knows it.
            before: Turns before it.
            tenant: Whose it is.
            consent: Whether models may learn from it.

        Returns:
            What to tell the person.

        Raises:
            InputError: The verdict is neither, the right answer is the one that was given, or the folder cannot be
                written.
            CapacityError: The disk is full.
        """
        if verdict not in {"up", "down"}:
            raise InputError(f"{verdict!r} is no verdict; expected up or down.")
        right = right.strip()
        return self._kept(
            tenant,
            Feedback(
                question=words_of_parts(turn.asked),
                answer=turn.answer.text,
                verdict="corrected" if right else "good" if verdict == "up" else "bad",
                other=right,
                media=judged_media(turn.asked, turn.files),
                before=tuple((one.role, words_of_parts(one)) for one in before),
                model=turn.answer.model,
                consent=_checked(consent),
            ),
        )

    def chose(
        self, question: str, media: tuple[JudgedMedium, ...], chosen: str, other: str, *, model: str,
        tenant: str = "", consent: Consent = "measuring",
    ) -> str:  # fmt: skip
        """Keep which of two answers a person chose.

        Args:
            question: What both were asked.
            media: About what.
            chosen: The answer that is better,
            other: and the one that is not.
            model: Which gave the better one.
            tenant: Whose it is.
            consent: Whether models may learn from it.

        Returns:
            What to tell the person; of two answers that are alike nothing is kept.

        Raises:
            InputError: The folder cannot be written.
            CapacityError: The disk is full.
        """
        if chosen.strip() == other.strip():
            return "Both answers are the same, so that nothing is kept of the choice."
        return self._kept(
            tenant,
            Feedback(
                question=question, answer=chosen, verdict="chosen", other=other, media=media, model=model,
                consent=_checked(consent),
            ),
        )  # fmt: skip

    def _kept(self, tenant: str, feedback: Feedback) -> str:
        if self.folder is None:
            return NOT_KEPT
        self._store_of(tenant or DEFAULT_TENANT).add(feedback)
        return NOTED


def words_of_parts(message: Message) -> str:
    """The words of a turn."""
    return " ".join(part.text for part in message.parts if isinstance(part, Text))


def judged_media(message: Message, files: Sequence[str] = ()) -> tuple[JudgedMedium, ...]:
    """The media of a turn by their digests, with the names of their files where those are known."""
    media = [part for part in message.parts if isinstance(part, Media)]
    names = [PurePath(file).name for file in files] if len(files) == len(media) else [""] * len(media)
    return tuple(
        JudgedMedium(modality=one.modality, digest=one.digest, name=name)
        for one, name in zip(media, names, strict=True)
    )


def _checked(consent: Consent) -> Consent:
    if consent not in get_args(Consent):
        raise InputError(f"consent is {consent!r}; expected {' or '.join(get_args(Consent))}.")
    return consent
