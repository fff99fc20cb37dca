"""Documents in a conversation: pages for models that read, passages for those that do not."""

from __future__ import annotations

import pytest

from tests.media.pdf_files import LEASE, pdf
from tutti.content import Document, Image, Message, Text
from tutti.errors import InputError
from tutti.media import InProcess, Limits
from tutti.model import load
from tutti.providers.documents import quoted, with_pages

DECODER = InProcess(Limits())


def test_a_document_becomes_its_pages_in_order() -> None:
    (message,) = with_pages([Message.user(Document(pdf()), "What is the rent?")], DECODER, pictures=True)
    kinds = [type(part) for part in message.parts]
    assert kinds == [Text, Image, Text, Image, Text, Image, Text]
    assert isinstance(message.parts[2], Text)
    assert message.parts[2].text == f"[Page 2 of 3 of the document. Its text:]\n{LEASE[1]}\n[End of its text.]\n"
    assert message.parts[-1] == Text("What is the rent?")


def test_text_alone_for_models_that_see_nothing() -> None:
    (message,) = with_pages([Message.user(Document(pdf()), "?")], DECODER, pictures=False)
    assert {type(part) for part in message.parts} == {Text}
    with pytest.raises(InputError, match="was scanned"):
        with_pages([Message.user(Document(pdf(["", ""])), "?")], DECODER, pictures=False)


def test_conversations_without_documents_are_left_alone() -> None:
    conversation = [Message.user("hello")]
    assert with_pages(conversation, DECODER, pictures=True) is conversation


def test_words_of_the_question_count_beside_nearness() -> None:
    found = quoted(
        [Message.user(Document(pdf()), "How long is the notice period?")], DECODER, lambda _, texts: [0.1] * len(texts)
    )
    assert found is not None
    assert found.text == "“The notice period is three months.” (page 3)"
    assert [claim.evidence for claim in found.claims] == ["text of page 3 of the document"]


def test_a_question_about_all_of_it_is_answered_by_its_beginning() -> None:
    asked = [Message.user(Document(pdf()), "What is this document about?")]
    found = quoted(asked, DECODER, lambda _, texts: [float(len(text) < 40) for text in texts])
    assert found is not None
    assert [passage.page for passage in found.passages] == [1, 1, 2]
    assert found.text.startswith("“Lease agreement This agreement is made between Anna Berg and Paul Stone.” (page 1)")


@pytest.mark.parametrize(
    ("question", "said", "page"),
    [
        ("Which pets are allowed?", "a cat but no dogs", 3),
        ("Who signs the agreement?", "Anna Berg and Paul Stone", 1),
        ("What is the monthly rent?", "1,250 euros", 2),
    ],
)
def test_the_model_that_ships_quotes_the_right_page(question: str, said: str, page: int) -> None:
    answer = load().ask(question, pdf())
    assert said in answer.text
    assert any(f"page {page} " in str(claim.evidence) for claim in answer.evidence)
    assert "does not read whole pages" in answer.notes[0]
