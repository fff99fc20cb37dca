"""PDF documents: pages with their text, here and in a worker, and what must be refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.media.pdf_files import LEASE, nested, one_page, pdf, written
from tutti.content import Document
from tutti.errors import CapacityError, InputError, TuttiError
from tutti.media import InProcess, Limits, MediaDecoder, Workers, decode_document, document_decoder, measure, wrap

LIMITS = Limits()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers(count=1, seconds=3.0)
    yield made
    made.close()


def test_pages_are_pictures_with_their_text() -> None:
    pages = decode_document(Document(pdf()), LIMITS)
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.text for page in pages] == list(LEASE)
    for page in pages:
        assert page.picture is not None
        assert page.picture.dtype == np.uint8
        assert page.picture.shape == (1568, 1109, 3)
        assert page.picture.min() < 60, "dark letters"
        assert page.picture.max() > 250, "on white"


def test_pages_are_chosen_and_text_alone_is_cheap() -> None:
    (page,) = decode_document(Document(pdf()), LIMITS, [3], side=None)
    assert (page.number, page.text, page.picture) == (3, LEASE[2], None)


def test_here_and_in_a_worker_are_equal(workers: Workers) -> None:
    content = pdf()
    here, apart = (one.document(Document(content), side=300) for one in (InProcess(LIMITS), workers.decoder(LIMITS)))
    for one, other in zip(here, apart, strict=True):
        assert (one.number, one.text) == (other.number, other.text)
        assert one.picture is not None
        assert other.picture is not None
        assert np.array_equal(one.picture, other.picture)
    assert workers.decoder(LIMITS).size(Document(content)) == measure(Document(content), LIMITS)
    assert workers.decoder(LIMITS).modality(content) == "document"


def test_content_decides_and_not_the_name() -> None:
    assert isinstance(wrap(pdf()), Document)
    size = measure(Document(pdf()), LIMITS)
    assert (size.pages, size.width, size.height, size.pixels) == (3, 1109, 1568, 3 * 1109 * 1568)


def test_documents_are_decoded_in_a_process_of_their_own() -> None:
    here: MediaDecoder = InProcess(Limits(max_pages=7))
    apart = document_decoder(here)
    assert not isinstance(apart, InProcess)
    assert apart.limits.max_pages == 7
    assert document_decoder(apart) is apart


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pdf(password="secret"), "is encrypted"),
        (pdf()[:300], "damaged, or cut off"),
        (pdf()[:-900], "damaged|page"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 40, "damaged, or cut off"),
        (b"GIF89a" + b"\0" * 100, "expected PDF"),
        (written("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>"), "no pages|damaged"),
        (one_page("[0 0 9999999 9999999]"), "9999999|1e\\+07 x|14,400"),
        (one_page("[0 0 1 14400]"), None),
    ],
)
def test_what_cannot_be_read_is_said(content: bytes, said: str | None) -> None:
    if said is None:
        (page,) = decode_document(Document(content), LIMITS)
        assert page.picture is not None
        assert page.picture.shape == (1568, 1, 3)
        return
    with pytest.raises(InputError, match=said):
        decode_document(Document(content), LIMITS)


def test_a_page_that_is_not_there() -> None:
    with pytest.raises(InputError, match="has 3 pages, and page 4"):
        decode_document(Document(pdf()), LIMITS, [4])


def test_budgets_of_pages_pixels_and_bytes() -> None:
    many = pdf([""] * 60)
    with pytest.raises(CapacityError, match="60 pages; the limit is 50"):
        decode_document(Document(many), LIMITS, side=None)
    assert len(decode_document(Document(many), LIMITS, range(1, 61), side=None)) == 60, "a choice has its own count"
    with pytest.raises(CapacityError, match="up to 2 have more than 2,000,000 pixels"):
        decode_document(Document(pdf()), Limits(max_pixels=2_000_000))
    with pytest.raises(CapacityError, match="bytes"):
        decode_document(Document(pdf()), Limits(max_bytes=500))


def test_a_page_that_draws_for_ever_costs_its_worker(workers: Workers) -> None:
    before = workers.killed
    with pytest.raises(CapacityError, match="to decode"):
        workers.decoder(LIMITS).document(Document(nested()), side=300)
    assert workers.killed == before + 1
    assert workers.decoder(LIMITS).document(Document(pdf()), [1], side=None)[0].text == LEASE[0]


def test_every_truncation_and_changed_byte_is_an_error_of_ours_or_read(workers: Workers) -> None:
    content, decoder = pdf(LEASE[:1]), workers.decoder(LIMITS)
    draw = np.random.default_rng(3)
    for _ in range(60):
        broken = bytearray(content[: draw.integers(6, len(content))] if draw.random() < 0.5 else content)
        for place in draw.integers(5, len(broken), 4):
            broken[place] = draw.integers(256)
        try:
            decoder.document(Document(bytes(broken)), side=100)
        except TuttiError as error:
            assert str(error).endswith("."), error
