"""Texts as long as vectors hold: every word is in one, and what the vocabulary lacks is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from tests.search.synthetic_media import Speaker, picture
from tutti.content import Embeddings, Image, Part, Text, TextLine, TextSize
from tutti.errors import CapacityError, InputError
from tutti.search import Index
from tutti.search.ingest.facets import Tools, facets
from tutti.search.ingest.passages import passages_of


@dataclass
class Bounded(Speaker):
    """A space that reads so many tokens: a word has one for each four letters, and knows no letters beyond Latin."""

    most: int = 12
    embedded: list[str] = field(default_factory=list)

    @property
    def max_text_tokens(self) -> int:
        return self.most

    def text_size(self, text: str) -> TextSize:
        words = text.split()
        unknown = [word for word in words if not re.search("[A-Za-z0-9]", word)]
        return TextSize(sum(-(-len(word) // 4) for word in words if word not in unknown) + len(unknown), len(unknown))

    def shortened(self, text: str) -> str:
        raise AssertionError("nobody asked for it")

    def embed(self, parts: Sequence[Part]) -> Embeddings:
        for part in parts:
            if isinstance(part, Text):
                size = self.text_size(part.text)
                if size.tokens > self.most:
                    raise CapacityError(f"{size.tokens} tokens")
                if size.says_nothing:
                    raise InputError("nothing is known")
                self.embedded.append(part.text)
        return super().embed(parts)


TEXTS = {
    "words": " ".join(f"word{number}" for number in range(100)),
    "long words": " ".join("abcdefghij" * 9 + str(number) for number in range(5)),
    "no spaces": "x" * 1000,
    "one": "one",
    "lines": "\n\n".join(f"line {number} of the text" for number in range(30)),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("most", [4, 12, 48, 500])
def test_every_character_is_in_a_passage_that_fits(text: str, most: int) -> None:
    bounds = Bounded(most=most)
    spans = list(passages_of(text, bounds))
    covered = {place for start, end in spans for place in range(start, end)}
    assert all(place in covered or text[place].isspace() for place in range(len(text)))
    assert all(0 < bounds.text_size(text[start:end]).tokens <= min(most, 96) for start, end in spans)


def test_passages_overlap_by_whole_words() -> None:
    text = TEXTS["words"]
    spans = list(passages_of(text, Bounded(most=24)))
    assert all(two[0] < one[1] for one, two in pairwise(spans))
    assert all((not start or text[start - 1] == " ") and text[end : end + 1] in ("", " ") for start, end in spans)


def test_without_a_stated_limit_passages_have_sixty_words() -> None:
    spans = list(passages_of(TEXTS["words"], None))
    assert [len(TEXTS["words"][start:end].split()) for start, end in spans] == [60, 50]
    assert list(passages_of("  ", None)) == list(passages_of("  ", Bounded())) == []


class Reader:
    def read(self, image: Image) -> Sequence[TextLine]:
        box = (0.0, 0.0, 1.0, 1.0)
        return [TextLine(text=f"line number {number} here", box=box, confidence=1.0) for number in range(6)]


def test_text_read_in_a_picture_is_cut_and_each_passage_keeps_its_lines(tmp_path: Path) -> None:
    index = Index(tmp_path / "db", Bounded(most=12), reader=Reader())
    picture(tmp_path / "a.png", "red")
    tools: Tools = index.tools
    found = [facet for facet in facets(Image(tmp_path / "a.png"), tools) if facet.kind == "words"]
    assert len(found) > 1
    assert {line.text for facet in found for line in facet.lines} == {f"line number {n} here" for n in range(6)}
    for facet in found:
        assert set(facet.words.split()) <= {word for line in facet.lines for word in line.text.split()}
        assert all(set(line.text.split()) & set(facet.words.split()) for line in facet.lines)


def test_every_word_of_a_file_is_embedded(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "readme.md").write_text(TEXTS["words"] + "\n" + TEXTS["long words"])
    space = Bounded()
    report = Index(tmp_path / "db", space).add(tmp_path / "media")
    assert not report.broken
    assert set(TEXTS["words"].split()) <= {word for text in space.embedded for word in text.split()}


def test_words_that_the_vocabulary_lacks_are_found_by_full_text_and_said(tmp_path: Path) -> None:
    place = tmp_path / "media"
    place.mkdir()
    (place / "greek.txt").write_text("καλημέρα κόσμε")
    (place / "mixed.txt").write_text("a red καλημέρα")
    (place / "english.txt").write_text("a red bicycle")
    index = Index(tmp_path / "db", Bounded())
    report = index.add(place)
    assert (report.added, report.wordless, report.broken) == (3, 1, [])
    found = index.search("κόσμε")
    assert [Path(hit.path or "").name for hit in found] == ["greek.txt"]
    assert found[0].fit is None
    assert {Path(hit.path or "").name for hit in index.search("red", top=5)} == {"mixed.txt", "english.txt"}
    with pytest.raises(InputError, match="vocabulary"):
        index.search("κόσμε", hybrid=False)
    (place / "greek.txt").write_text("κόσμε πάλι")
    assert index.add(place).replaced == 1
    assert len(index.search("πάλι")) == 1


def test_a_query_that_is_too_long_is_refused_with_its_length(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a red bicycle")
    index = Index(tmp_path / "db", Bounded())
    index.add(tmp_path / "a.txt")
    with pytest.raises(CapacityError, match="25 tokens"):
        index.search("red " * 25)


def test_what_has_no_vector_is_forgotten_as_well(tmp_path: Path) -> None:
    (tmp_path / "greek.txt").write_text("καλημέρα κόσμε")
    (tmp_path / "english.txt").write_text("a red bicycle")
    index = Index(tmp_path / "db", Bounded())
    index.add(tmp_path / "greek.txt", subject="anna")
    index.add(tmp_path / "english.txt", subject="ben")
    assert index.forget("anna").rows == 1
    assert [Path(hit.path or "").name for hit in index.search("red", top=5)] == ["english.txt"]
