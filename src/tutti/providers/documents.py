"""Documents in a conversation: their pages for models that read, and passages of them for those that cannot.

What a page says stands in the prompt as data with its place, ahead of the page's picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from tutti.content import Claim, Conversation, Document, Image, Part, Text
from tutti.errors import InputError
from tutti.media import MediaDecoder, Page, document_decoder
from tutti.media.documents import PAGE_SIDE
from tutti.providers.spoken import Near

_PASSAGE_WORDS = 40
_NEAREST = 3
_SHARED_WORDS = 0.5
"""What all words of a question found in a passage count beside its cosine."""
_SMALL = frozenset(
    "a an the of in on at to for and or is are was were be been do does did has have had it its this that what which "
    "who whose when where why how many much me you i we they he she there document page pdf say says tell about".split()
)


def with_pages(conversation: Conversation, decoder: MediaDecoder, *, pictures: bool) -> Conversation:
    """A conversation whose documents are replaced by their pages; the same one where there are none.

    Args:
        conversation: What is asked.
        decoder: Its limits count; documents are decoded in a process of their own.
        pictures: Whether the model is given pages as pictures beside their text.

    Raises:
        InputError: A document cannot be read, or has no text for a model that is given text only.
        CapacityError: It is over a budget.
    """
    if not has_documents(conversation):
        return conversation
    return [
        replace(message, parts=tuple(part for one in message.parts for part in _pages(one, decoder, pictures)))
        for message in conversation
    ]


def has_documents(conversation: Conversation) -> bool:
    """Whether a document is among the parts."""
    return any(isinstance(part, Document) for message in conversation for part in message.parts)


def _pages(part: Part, decoder: MediaDecoder, pictures: bool) -> list[Part]:
    if not isinstance(part, Document):
        return [part]
    pages = document_decoder(decoder).document(part, side=PAGE_SIDE if pictures else None)
    if not pictures and not any(page.text for page in pages):
        raise InputError(
            f"{part.name} was scanned, so that its pages have no text, and the model sees no pictures; "
            "use a model that does."
        )
    parts: list[Part] = []
    for page in pages:
        place = f"Page {page.number} of {len(pages)} of {short_name(part)}"
        parts.append(Text(f"[{place}. Its text:]\n{page.text}\n[End of its text.]\n" if page.text else f"[{place}]\n"))
        if page.picture is not None:
            parts.append(Image(page.picture))
    return parts


def short_name(part: Document) -> str:
    """What to call a document in a prompt: its file's name, without the folders that it lies in."""
    return PurePath(part.name).name if not isinstance(part.source, bytes) else "the document"


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Some lines of a page."""

    text: str
    page: int
    document: str


@dataclass(frozen=True, kw_only=True)
class QuotedAnswer:
    """Passages that answer a question."""

    text: str
    passages: tuple[Passage, ...]

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The passages as an answer's evidence."""
        return tuple(
            Claim(text=one.text, evidence=f"text of page {one.page} of {one.document}") for one in self.passages
        )


def quoted(conversation: Conversation, decoder: MediaDecoder, near: Near) -> QuotedAnswer | None:
    """The passages of documents nearest to the last question, quoted; None where no page has text.

    For models whose context holds no page. Errors as for `with_pages`.
    """
    passages = [
        passage
        for message in conversation
        for part in message.parts
        if isinstance(part, Document)
        for passage in _passages(document_decoder(decoder).document(part, side=None), short_name(part))
    ]
    question = " ".join(part.text for part in conversation[-1].parts if isinstance(part, Text)).strip()
    if not passages or not question:
        return None
    wanted = _words(question)
    if not wanted:  # "What is this document about?" asks for all of it, which its beginning says best
        return _quoting(passages[:_NEAREST])
    cosines = near(question, [passage.text for passage in passages])
    scores = [
        cosine + _SHARED_WORDS * len(wanted & _words(passage.text)) / max(1, len(wanted))
        for cosine, passage in zip(cosines, passages, strict=True)
    ]
    best = max(scores)
    order = sorted(range(len(passages)), key=lambda index: -scores[index])[:_NEAREST]
    return _quoting([passages[index] for index in order if scores[index] >= 0.8 * best])


def _quoting(passages: Sequence[Passage]) -> QuotedAnswer:
    said = " … ".join(f"“{passage.text}” (page {passage.page})" for passage in passages)
    return QuotedAnswer(text=said, passages=tuple(passages))


def _passages(pages: Sequence[Page], name: str) -> list[Passage]:
    """Lines of each page joined to passages, which end with a sentence where one ends in time."""
    found = []
    for page in pages:
        words: list[str] = []
        for line in page.text.splitlines():
            words += line.split()
            if words and (len(words) >= _PASSAGE_WORDS or re.search(r"[.!?:]\W*$", line)):
                found.append(Passage(text=" ".join(words), page=page.number, document=name))
                words = []
        if words:
            found.append(Passage(text=" ".join(words), page=page.number, document=name))
    return found


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in re.findall(r"\w+", text.casefold()) if word not in _SMALL)
