"""Who answers a question on a medium: the model, the lines that are written in it, or the transcript of what is said.

A quotation is only given where it is an answer: to an open question about words. Yes/no questions are answered from
lines or a transcript where they name what these can be searched for. Counts, colours, one of two, what is seen beside
what is heard, and all other questions are the model's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tutti.content import Audio, Conversation, Image, Text, Video
from tutti.providers.question_checks import Check, check_of
from tutti.providers.question_forms import QuestionForm, form_of
from tutti.providers.question_sorts import QuestionSorts, Sort

Route = Literal["model", "lines", "check lines", "transcript", "check transcript"]
"""What answers: the model; the lines in a picture, quoted or searched; a transcript, quoted or searched."""

_ON_WRITING = re.compile(
    r"\b(?:writ(?:e|es|ten|ing)|wrote|print(?:s|ed)?|reads?|reading|text|words?|wording|lettering|says?|spell\w*"
    r"|transcri\w+|quote|headline|label|signs?|receipt|according to|numbers?"
    r"|bill|prices?|costs?|totals?|amount|owed?|paid|spen[dt]|come to|dates?|dated|issued|shop|store|merchant|business"
    r"|seller|brand|vendor|company)\b",
    re.IGNORECASE,
)
_ON_SPEECH = re.compile(
    r"\b(?:say(?:s|ing)?|said|spoken?|speaks?|words?|sentences?|mention\w*|digits?|numbers?|numerals?|talk\w*"
    r"|transcri\w+|translat\w+|languages?|message)\b",
    re.IGNORECASE,
)
_ONLY_WRITTEN = re.compile(
    r"\b(?:written|printed|sign|label|caption|subtitles?|reads?(?! (?:out|aloud))|text)\b", re.IGNORECASE
)
_SPEAKERS = (
    r"(?:he|she|they|(?:some|any)(?:one|body)|man|men|woman|women|person|people|boy|girl|child|caller|narrator|reporter"
    r"|presenter|teacher|guest|host)"
)
_ONLY_SPOKEN = re.compile(
    r"\b(?:hear|heard|hearing|said|spoken|voice|speakers?|sounds?|recording)\b"
    rf"|\b{_SPEAKERS}\b.*\b(?:say|says|saying|mention\w*|speak\w*|talk\w*|tells?|reads? (?:out|aloud)|discuss\w*)\b",
    re.IGNORECASE,
)
_ON_SOUND = re.compile(r"\b(?:hear\w*|audible|sounds?|nois\w+|recording|listen\w*)\b", re.IGNORECASE)
_SEEN = re.compile(r"\b(?:see|seen|picture|image|photo)\b", re.IGNORECASE)
LANGUAGE = re.compile(r"\blanguages?\b", re.IGNORECASE)
"""A question that names it, and is about speech, wants the name of the language."""
_SIGNED = re.compile(r"\b(?:(?:the|this|a) hand(?!-)|hand signs?|fingers?|signed|signing)\b", re.IGNORECASE)
"""Numbers and words that are neither written nor said."""
_HINT = 0.15
"""Words such as "written" count so much, in cosines, beside the nearness to examples."""
_LEAST_WRITTEN, _LEAST_SAID = -0.02, 0.0
"""A question is about words if it is nearer to those examples than to others by so much."""
_NEVER = -2.0
SortNearness = Mapping[Sort, float]
"""Cosines with the examples of each sort."""


@dataclass(frozen=True, kw_only=True)
class RoutedQuestion:
    """A question and what answers it."""

    route: Route
    form: QuestionForm
    check: Check | None = None
    """Where it is answered by searching."""
    asks_what: bool = False
    """Whether it asks what a thing is, so that what that reads may be added."""
    asks_heard: bool = False
    """Whether it asks what is heard, so that sentences which are spoken may be quoted."""


@dataclass(frozen=True, kw_only=True)
class AskedOf:
    """The question of the last turn, and what it is on."""

    question: str
    picture: Image | None
    sound: Audio | Video | None


def asked_of(conversation: Conversation) -> AskedOf | None:
    """What the last turn asks, and on which picture and sound: those shown last, in one turn; None without either."""
    if not conversation or conversation[-1].role != "user":
        return None
    question = " ".join(part.text for part in conversation[-1].parts if isinstance(part, Text)).strip()
    media = [
        (turn, part)
        for turn, message in enumerate(conversation)
        for part in message.parts
        if not isinstance(part, Text)
    ]
    pictures = [(turn, part) for turn, part in media if isinstance(part, Image)]
    sounds = [(turn, part) for turn, part in media if isinstance(part, (Audio, Video))]
    if not question or not (pictures or sounds):
        return None
    latest = max(turn for turn, _ in (*pictures, *sounds))
    picture = pictures[-1][1] if pictures and pictures[-1][0] == latest else None
    sound = sounds[-1][1] if sounds and (sounds[-1][0] == latest or _ONLY_SPOKEN.search(question)) else None
    return AskedOf(question=question, picture=picture, sound=sound)


class QuestionRoutes(QuestionSorts):
    """Goes before a class that embeds."""

    def routed(self, question: str, *, picture: bool, sound: bool) -> RoutedQuestion:
        """What answers a question.

        Args:
            question: In words.
            picture: Whether there is a picture whose lines could be read.
            sound: Whether there is a recording or a film that could be written down.
        """
        form = form_of(question)
        if form.form == "polar":
            return _checked(form, picture, sound)
        if form.form != "open" and not (sound and LANGUAGE.search(form.core)):
            return RoutedQuestion(route="model", form=form)
        near = self.nearness_of(form.core)
        if near is None:
            return RoutedQuestion(route="model", form=form, asks_what=True)
        only_written, only_spoken = bool(_ONLY_WRITTEN.search(form.core)), bool(_ONLY_SPOKEN.search(form.core))
        only_written = only_written or (bool(_SEEN.search(form.core)) and not only_spoken)
        written = _about_writing(form.core, near) if picture and (only_written or not only_spoken) else _NEVER
        said = _about_speech(form.core, near) if sound and not only_written else _NEVER
        if said > _LEAST_SAID and said >= written:
            return RoutedQuestion(route="transcript", form=form)
        if written > _LEAST_WRITTEN:
            return RoutedQuestion(route="lines", form=form)
        heard = sound and bool(_ON_SOUND.search(form.core)) and near["heard"] >= max(near.values())
        return RoutedQuestion(route="model", form=form, asks_what=near["open"] >= near["seen"], asks_heard=heard)


def _about_writing(core: str, near: SortNearness) -> float:
    """How much nearer a question is to those about what is written than to others."""
    if _SIGNED.search(core):
        return _NEVER
    hint = _HINT if _ON_WRITING.search(core) else 0.0
    return near["written"] + hint - max(near["open"], near["seen"], near["heard"])


def _about_speech(core: str, near: SortNearness) -> float:
    """How much nearer a question is to those about what is said than to others."""
    hint = _HINT if _ON_SPEECH.search(core) else 0.0
    return near["said"] + hint - max(near["open"], near["heard"], near["seen"])


def _checked(form: QuestionForm, picture: bool, sound: bool) -> RoutedQuestion:
    check = check_of(form.core)
    if check is not None and picture and check.about != "spoken":
        return RoutedQuestion(route="check lines", form=form, check=check)
    if check is not None and sound and check.about != "written":
        return RoutedQuestion(route="check transcript", form=form, check=check)
    return RoutedQuestion(route="model", form=form)
