"""Documents in an index: a row a page, for what it shows and for what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.media.pdf_files import pdf
from tutti.content import Image
from tutti.model import load
from tutti.search import Index
from tutti.search.answer.evidence import evidence_of
from tutti.search.answer.page import page


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    place = tmp_path_factory.mktemp("documents")
    (place / "files").mkdir()
    (place / "files" / "lease.pdf").write_bytes(pdf())
    (place / "files" / "secret.pdf").write_bytes(pdf(password="x"))
    index = Index(place / "db", load())
    report = index.add(place / "files")
    assert (report.added, len(report.broken)) == (1, 1)
    assert "is encrypted" in report.broken[0].reason
    return index


def test_a_page_is_found_by_its_words(index: Index) -> None:
    hit = index.search("a cat but no dogs")[0]
    assert (hit.modality, hit.kind, hit.page) == ("document", "words", 3)
    assert Path(hit.item).name == "lease.pdf"
    assert "#page=3" in page("pets", [hit], {})


def test_pages_can_be_filtered_and_shown(index: Index) -> None:
    hits = index.search("a page of writing", where="page = 2 and kind = 'picture'", per_item=None)
    assert [hit.page for hit in hits] == [2]
    (part,) = evidence_of(hits[0], index.tools)
    assert isinstance(part, Image)
    assert isinstance(part.source, np.ndarray)
    assert part.source.shape == (1568, 1109, 3)
