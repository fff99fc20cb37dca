"""Searching: across modalities, composed, filtered, by words, with reasons; and asking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from tests.search.synthetic_media import COLOURS, Speaker, axis, picture, recording
from tutti.content import Event, Image, Part, TextLine
from tutti.errors import CapacityError, InputError, ProviderError
from tutti.media import Limits, decode_image
from tutti.search import Hit, Index
from tutti.search.answer.answers import thing_asked_for
from tutti.search.query.reasons import Judged
from tutti.search.query.rerank import answer_of, rerank


def found(hits: list[Hit]) -> list[str]:
    return [Path(hit.item).name for hit in hits]


def test_words_find_pictures_and_sounds(folder: Path, index: Index) -> None:
    index.add(folder)
    assert set(found(index.search("red", top=2))) == {"0_red.png", "4_red.png"}
    assert found(index.search("high", top=1)) == ["high.wav"]
    hit = index.search("low", top=1)[0]
    assert (hit.kind, hit.start_s, hit.end_s) == ("sound", 0.0, 1.0)
    assert hit.fit is not None
    assert hit.fit > 0.5
    assert str(hit.why[0]).startswith("what is heard")


def test_media_find_media(folder: Path, index: Index, tmp_path: Path) -> None:
    index.add(folder)
    assert set(found(index.search(like=picture(tmp_path / "q.png", "blue", seed=9), top=2))) == {
        "2_blue.png",
        "5_blue.png",
    }
    assert found(index.search(like=recording(tmp_path / "q.wav", "high"), top=1)) == ["high.wav"]


def test_like_this_but_in_another_colour(folder: Path, index: Index) -> None:
    index.add(folder)
    hits = index.search("but in yellow", like=folder / "0_red.png", modality="image", top=1)
    assert found(hits) == ["3_yellow.png"]
    assert str(hits[0].why[-1]).endswith("yellow")


class Averse(Speaker):
    """A space in which a picture that has any blue is the opposite of the word."""

    def _place(self, part: Part) -> np.ndarray:
        if part.modality != "image":
            return super()._place(part)
        blue = decode_image(part, Limits())[..., 2].mean() > 60
        return -axis("blue") if blue else axis("green")


def test_a_colour_asked_for_is_not_drowned_by_what_a_thing_is(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    for name, blue in (("red", 0), ("partly", 26)):
        pixels = np.full((64, 64, 3), COLOURS["red"], np.uint8)
        pixels[:blue] = COLOURS["blue"]
        pillow.fromarray(pixels).save(tmp_path / "media" / f"{name}.png")
    index = Index(tmp_path / "averse", Averse())
    index.add(tmp_path / "media")
    hits = index.search("a blue thing")
    assert [Path(hit.path or "").name for hit in hits] == ["partly.png", "red.png"]
    assert hits[0].fit < 0.01  # the space does not see it; the colour is measured


def test_full_text_finds_what_the_space_does_not(folder: Path, index: Index) -> None:
    index.add(folder)
    hits = index.search("balcony parrots", top=1)
    assert found(hits) == ["notes.txt"]
    assert hits[0].shares_words
    without = index.search("balcony parrots", top=9, hybrid=False)
    assert not any(hit.shares_words for hit in without)


def test_filters_hold_and_bad_ones_are_sentences(folder: Path, index: Index) -> None:
    index.add(folder)
    assert set(found(index.search("red", top=50, modality=["audio"]))) == {"low.wav", "high.wav"}
    assert found(index.search("red", top=50, where="item like '%2_blue%'")) == ["2_blue.png"]
    assert set(found(index.search("red", top=50, where="colours has 'blue'"))) == {"2_blue.png", "5_blue.png"}
    assert index.search("red", where="modified < '2000-01-01'") == []
    for where, said in (
        ("prize < 1", "There is no column 'prize'"),
        ("bytes > 'many'", "The database refuses the condition"),
        ("true) or (true", "expected the name of a column"),
    ):
        with pytest.raises(InputError, match=said):
            index.search("red", where=where)
    with pytest.raises(InputError, match="There is no modality 'smell'"):
        index.search("red", modality="smell")
    with pytest.raises(InputError, match="There is nothing to search for"):
        index.search(" ")


def test_no_filter_ever_leaks(tmp_path: Path, index: Index) -> None:
    rng = np.random.default_rng(0)
    rows = ["id,image,price,stock,title"]
    for number in range(60):
        colour = list(COLOURS)[number % 4]
        picture(tmp_path / f"p{number}.png", colour, seed=number, size=24)
        rows.append(f"k{number},p{number}.png,{number % 10},{rng.integers(0, 3)},a {colour} thing")
    (tmp_path / "feed.csv").write_text("\n".join(rows))
    index.add(tmp_path / "feed.csv")
    for text in ("red", "blue thing", "a thing"):
        for price in range(0, 10, 3):
            hits = index.search(text, where=f"price < {price} and stock > 0", top=100)
            assert all(hit.columns["price"] < price and hit.columns["stock"] > 0 for hit in hits)
            expected = index.store.count(f"price < {price} AND stock > 0")
            assert (
                len(hits) == len({hit.item for hit in hits}) == expected // 2
            )  # a row for the picture, one for the words


def test_a_feed_brings_its_columns(tmp_path: Path, index: Index) -> None:
    picture(tmp_path / "a.png", "red")
    picture(tmp_path / "b.png", "blue")
    feed = tmp_path / "shop.csv"
    feed.write_text(
        "sku,image,title,price,size,path\n1,a.png,Red shoe,9.5,38,x\n2,b.png,Blue shoe,20,M,y\n"
        "3,,Only words,1,S,z\n4,c.png,Gone,1,S,z\n"
    )
    report = index.add(feed)
    assert report.added == 3
    assert [one.reason for one in report.broken] == [f"Cannot read {tmp_path / 'c.png'}: No such file or directory."]
    hit = index.search("red shoe", where="price < 10", top=1)[0]
    assert hit.columns == {"sku": 1.0, "title": "Red shoe", "price": 9.5, "size": "38", "feed_path": "x"}
    feed.write_text(feed.read_text().replace("9.5", "8.5").replace("2,b.png,Blue shoe,20,M,y\n", ""))
    report = index.add(feed)
    assert (report.replaced, report.deleted, report.unchanged) == (1, 1, 1)
    assert index.search("red shoe", top=1)[0].columns["price"] == 8.5


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "has no rows"),
        ("a.jsonl", '{"a": 1}\n[2]\n', r"Line 2 of .* is not a JSON object"),
        ("a.parquet", "no", "is not a readable Parquet file"),
        ("a.csv", "id,image\n1,a,b,c\n", "more fields than its header"),
    ],
)
def test_a_bad_feed_is_said(name: str, content: str, said: str, tmp_path: Path, index: Index) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        index.add(tmp_path / name)


def test_a_feed_cannot_reach_outside_its_folder(tmp_path: Path, index: Index) -> None:
    (tmp_path / "shop").mkdir()
    picture(tmp_path / "secret.png", "red")
    (tmp_path / "shop" / "feed.jsonl").write_text(
        '{"id": 1, "image": "../secret.png", "title": "x"}\n{"id": 2, "title": "y"}\n'
    )
    report = index.add(tmp_path / "shop" / "feed.jsonl")
    assert report.added == 1
    assert "lies outside the feed's folder" in report.broken[0].reason


def test_text_read_in_a_picture_is_found_with_its_box(tmp_path: Path, folder: Path, space: Speaker) -> None:
    class Reader:
        def read(self, image: Image) -> list[TextLine]:
            return [
                TextLine(text="No parking", box=(1, 2, 3, 4), confidence=0.9),
                TextLine(text="ever", box=(5, 6, 7, 8), confidence=0.9),
            ]

    index = Index(tmp_path / "db", space, reader=Reader())
    index.add(folder / "0_red.png")
    hit = index.search("parking", top=1)[0]
    assert [box["text"] for box in hit.boxes] == ["No parking"]
    assert hit.boxes[0]["box"] == [1, 2, 3, 4]
    assert "read in the picture" in " ".join(map(str, hit.why))


def test_reranking_puts_first_what_the_model_agrees_to(folder: Path, index: Index, space: Speaker) -> None:
    index.add(folder)
    space.says = "no"
    hits = index.search("red", top=3, reranked=True)
    assert found(hits) == found(index.search("red", top=3))
    assert str(hits[0].why[-1]) == "space says no"
    assert len(space.asked) == 3


def test_an_answer_cites_sources_that_exist(folder: Path, index: Index, space: Speaker) -> None:
    index.add(folder)
    answer = index.ask("red", top=2)
    assert answer.answer.text == "It is so [1] and."
    assert [citation.cited for citation in answer.citations] == [True, False]
    assert {Path(hit.item).name for hit in answer.sources} == {"0_red.png", "4_red.png"}
    assert [part.modality for part in space.asked[0][0].parts] == ["image", "image", "text"]


def test_nothing_relevant_is_said_and_no_model_asked(folder: Path, index: Index, space: Speaker) -> None:
    index.add(folder)
    answer = index.ask("submarine xylophone")
    assert (answer.answer.text, answer.found, space.asked) == ("Nothing relevant was found.", 0, [])


def test_the_budget_of_tokens_holds(folder: Path, index: Index, space: Speaker) -> None:
    index.add(folder)
    answer = index.ask("red", top=2, budget_tokens=250)
    assert len(answer.sources) == 1
    assert answer.answer.usage.prompt_tokens <= 250
    with pytest.raises(CapacityError, match="take 200 tokens, over --budget-tokens 150"):
        index.ask("red", top=2, budget_tokens=150)


@pytest.mark.parametrize(
    ("question", "thing"),
    [
        ("When does the red car appear?", "the red car"),
        ("At what time is a dog barking heard?", "a dog barking"),
        ("How often can the bell be heard?", "the bell"),
        ("What animal is this?", "What animal is this"),
    ],
)
def test_what_a_question_is_about(question: str, thing: str) -> None:
    assert thing_asked_for(question) == thing


def test_hits_are_plain_values(folder: Path, index: Index) -> None:
    index.add(folder)
    hit = index.search("red", top=1)[0]
    values = json.loads(json.dumps(hit.to_dict() | {"digest": ""}))
    assert values["item"] == hit.item
    assert values["why"] == [str(reason) for reason in hit.why]
    assert [reason["name"] for reason in values["reasons"]] == ["near", "colour"]
    assert values["reasons"][1] == {"name": "colour", "colour": "red", "share": hit.why[1].share}  # type: ignore[union-attr]
    assert index.thumbnails([hit])[hit.id][:3] == b"\xff\xd8\xff"
    assert replace(hit, fit=None).fit is None


class Silent:
    name = "silent"

    def stream(self, conversation: object, options: object) -> Iterator[Event]:
        yield from ()


def test_a_model_that_ends_without_an_answer_decides_nothing(folder: Path, index: Index) -> None:
    index.add(folder)
    hits = index.search("red", top=3)
    looked = rerank(Silent(), "red", hits, lambda hit: [])
    assert [hit.id for hit in looked] == [hit.id for hit in hits]
    assert [hit.why[-1] for hit in looked] == [Judged("silent", None)] * 3
    with pytest.raises(ProviderError, match="without an answer"):
        answer_of(Silent(), [], max_tokens=4)
