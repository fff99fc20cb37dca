from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tutti.engine.detokenizer import TextStream


def from_bytes(ids: list[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def from_words(ids: list[int]) -> str:
    """Like WordPiece: odd ids continue a word, the first token has no space before it."""
    return "".join(f"{'' if index == 0 or token % 2 else ' '}w{token}" for index, token in enumerate(ids))


def streamed(ids: list[int], stop: tuple[str, ...] = (), detokenize=from_bytes) -> tuple[list[str], TextStream]:
    text = TextStream(detokenize, stop)
    pieces = []
    for token in ids:
        pieces.append(text.push(token))
        if text.stopped:
            return pieces, text
    pieces.append(text.finish())
    return pieces, text


def test_a_character_of_several_bytes_appears_whole() -> None:
    pieces, _ = streamed(list("aé漢".encode()))
    assert pieces == ["a", "", "é", "", "", "漢", ""]


def test_a_character_that_stays_incomplete_comes_at_the_end() -> None:
    pieces, _ = streamed([97, 0xC3])
    assert pieces == ["a", "", "\ufffd"]


def test_a_stop_string_that_spans_tokens_is_never_shown() -> None:
    pieces, text = streamed(list(b"one END two"), ("END",))
    assert "".join(pieces) == text.text == "one "
    assert text.stopped
    assert len(pieces) == len("one END")


def test_a_false_start_of_a_stop_string_is_given_out_when_it_turns_out_so() -> None:
    pieces, text = streamed(list(b"aENEND"), ("END",))
    assert pieces == ["a", "", "", "EN", "", ""]
    assert text.stopped
    pieces, text = streamed(list(b"xEN"), ("END",))
    assert pieces == ["x", "", "", "EN"]
    assert not text.stopped


def test_the_earliest_of_several_stop_strings_counts() -> None:
    def whole(ids: list[int]) -> str:
        return "first STOP then HALT" if ids else ""

    pieces, text = streamed([0], ("HALT", "STOP"), whole)
    assert pieces == ["first "]
    assert text.stopped


def test_a_stop_string_with_a_character_of_several_bytes() -> None:
    pieces, _ = streamed(list("ab→c".encode()), ("→",))
    assert "".join(pieces) == "ab"


@given(st.text(max_size=300))
def test_pieces_of_any_text_are_the_text(text: str) -> None:
    pieces, stream = streamed(list(text.encode("utf-8", errors="replace")))
    whole = from_bytes(list(text.encode("utf-8", errors="replace")))
    assert "".join(pieces) == whole == stream.text


@given(st.binary(max_size=300))
def test_pieces_of_any_bytes_are_the_text(data: bytes) -> None:
    assert "".join(streamed(list(data))[0]) == from_bytes(list(data))


@given(st.lists(st.integers(0, 99), max_size=300))
def test_words_keep_their_spaces_when_the_window_slides(ids: list[int]) -> None:
    assert "".join(streamed(ids, detokenize=from_words)[0]) == from_words(ids)


@given(st.text("abE ", max_size=200), st.lists(st.text("abE ", min_size=1, max_size=40), min_size=1, max_size=3))
def test_any_stop_string_cuts_where_it_first_becomes_whole(text: str, stops: list[str]) -> None:
    pieces, stream = streamed(list(text.encode()), tuple(stops))
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    seen = text[: min(ends)] if ends else text
    places = [seen.find(stop) for stop in stops if stop in seen]
    assert "".join(pieces) == (seen[: min(places)] if places else text)
    assert stream.stopped is bool(ends)


def test_a_long_answer_is_not_read_from_its_beginning_for_each_token() -> None:
    longest = 0

    def measured(ids: list[int]) -> str:
        nonlocal longest
        longest = max(longest, len(ids))
        return from_bytes(ids)

    streamed([97] * 5000, detokenize=measured)
    assert longest <= 64
