"""Who should answer a question: the model, the lines of a picture, or the transcript of a recording; how often it does.

python -m recipes.tutti_mini.routes [--model FOLDER] [--half heldout|dev] [--wrong]

The generator's questions (its phrasings to train on are for development, the others held out), the twenty on text of
`tests/providers/test_reading.py`, and 72 that were written for this before any was tried (every second one held out).
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import tutti
from recipes.tutti_mini.phrasings import CANNOT, LEADS, PHRASINGS
from tutti.providers.question_routes import QuestionRoutes, Route

Given = Literal["picture", "recording", "pair"]
Wanted = Literal["model", "lines", "lines?", "transcript", "transcript?"]
"""Who answers; with a question mark, yes or no."""
_WANTED: dict[Route, Wanted] = {
    "model": "model", "lines": "lines", "check lines": "lines?", "transcript": "transcript",
    "check transcript": "transcript?",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A question, what it is asked on, and who should answer it."""

    question: str
    given: Given
    wanted: Wanted
    half: Literal["dev", "heldout"]
    source: str


_OWN = """
picture lines?: Does the sign say stop? / Is the word exit anywhere on it? / Is there anything written on the wall?
 / Is number 42 on the shirt? / Can you make out the name Miller on the label? / Does the label mention sugar? / Is 7
 the number on the door? / Has the poster got the word sale on it? / Does the ticket show the date 12 May? / Is any
 writing visible?
picture model: Does he look happy? / Would you say it is raining? / Are there more chairs than tables? / Can you
 tell whether the door is open? / Has somebody left a bag on the bench? / Is the bigger one on the left? / Do the
 shoes match? / Did it snow? / How many windows does the house have? / I'd like to know what is lying under the
 table. / Give me the colour of her coat. / Say who stands in the middle. / Tell me which of them is taller. / Please
 name the thing beside the lamp. / What is the man holding in his hand? / Which of these animals is closest to us? /
 What is the tallest building here? / What sort of weather is it?
picture lines: Say what the banner says. / Can you read me the first line? / What's the name on the badge? / Which
 words are on the cover? / I need the text of this note. / How much is the soup? / Could you tell me what the sticker
 says? / What number is on the jersey? / What headline does the newspaper carry? / What did they write on the cake?
recording transcript?: Does she mention the harbour? / Did the man say goodbye? / Is the word winter ever used? /
 Was the number nine said? / Do they talk about money? / Is anybody talking? / Does anyone say please? / Would you
 say she says yes?
recording model: Is that a dog? / Would you say the engine is running? / Say which animal makes this noise. / Tell
 me what is making that racket. / Can you tell if it is a man or a woman? / How many birds can be heard? / Is the
 music fast? / Does it get louder? / What would you say this sound is? / Name the instrument. / What kind of bell is
 it?
recording transcript: What did the caller want to know? / Say what the woman says. / Give me the sentence that is
 spoken. / What was the last thing he said? / What are the two of them discussing? / Repeat the message. / At what
 point does he bring up the war? / Which numbers does she read out? / What's the message about?
pair model: Tell me what you see and what is spoken. / Is what she says written there? / Say how many cups there
 are. / Name the animal and its call.
pair lines: Which word is printed on the mug?
pair transcript: What does the man say about it?
"""
"""Written before any of them was tried; every second one is held out."""

_BY_WAY: dict[Given, dict[Wanted, str]] = {
    "picture": {
        "lines": "read read_number",
        "lines?": "is_word is_number",
        "model": "what what_at what_photo what_clothing what_food what_hand what_xray what_shade colour count where "
        "relation size caption present is_photo is_colour is_at is_side is_size is_count is_hand is_xray is_shade "
        "is_group",
    },
    "recording": {
        "transcript": "digit digits keyword",
        "transcript?": "is_digit is_keyword",
        "model": "sound first last caption_sound is_sound is_first",
    },
    "pair": {
        "lines": "read",
        "lines?": "is_word",
        "transcript": "digit digits keyword",
        "transcript?": "is_digit is_keyword",
        "model": "what what_at count colour both both_digit fit fit_count sound present is_colour is_at is_count "
        "is_sound caption",
    },
}
"""What is asked on → who should answer → the generator's ways of asking."""
_SLOTS = {
    "thing": "pretzel", "a": "an owl", "many": "sailboats", "at": "in the top right", "side": "to the right of",
    "more": "bigger", "one": "old man", "two": "broccoli", "colour": "green", "digit": "eight", "heard": "a snare drum",
    "motion": "move to the left", "number": "four",
}  # fmt: skip
_WORD = {"is_word": "best", "is_keyword": "yes", "is_number": "89", "is_shade": "tan"}
_MEDIUM = {"picture": "picture", "recording": "recording", "pair": "image"}
UNSEEN_ON_TEXT = (
    "What's on the board?", "Spell out the sign for me.", "How much do I owe?", "Which company printed this?",
    "What is the licence plate?", "Give me the wording on the package.", "Who is it addressed to?",
    "On what day was it issued?", "What flavour is it according to the label?", "What does the poster announce?",
    "Which words can you make out?", "What is the name of the shop?", "Could you transcribe the text?",
    "What's the phone number?", "How much was the coffee?", "Where does the sign point to?",
    "What is the order number?", "Quote the headline.", "What brand is it?", "Which street is the restaurant in?",
)  # fmt: skip
"""On what is written, asked before the examples that questions are compared with were chosen."""


def labelled() -> Iterator[Labelled]:
    """All questions with who should answer them."""
    for entry in re.sub(r"\n ", " ", _OWN.strip()).splitlines():
        (given, wanted), questions = entry.partition(": ")[0].split(), entry.partition(": ")[2].split(" / ")
        for number, question in enumerate(questions):
            half = "dev" if number % 2 == 0 else "heldout"
            yield Labelled(question=question, given=given, wanted=wanted, half=half, source="own")  # type: ignore[arg-type]
    for question in UNSEEN_ON_TEXT:
        yield Labelled(question=question, given="picture", wanted="lines", half="heldout", source="unseen on text")
    yield from _generated()


def _generated() -> Iterator[Labelled]:
    for given, wanted_ways in _BY_WAY.items():
        for wanted, ways in wanted_ways.items():
            for way in ways.split():
                for half, phrases in zip(("dev", "heldout"), PHRASINGS[way], strict=True):
                    leads = LEADS["train" if half == "dev" else "val"]
                    for number, phrase in enumerate(phrases):
                        slots = {**_SLOTS, "word": _WORD.get(way, "best"), "m": _MEDIUM[given]}
                        lead = leads[number % len(leads)] if number % 4 == 3 else ""
                        question = lead + phrase.format(**slots)
                        yield Labelled(question=question, given=given, wanted=wanted, half=half, source="generator")  # type: ignore[arg-type]
    for given in ("picture", "recording"):
        for half, phrases in zip(("dev", "heldout"), CANNOT[given], strict=True):
            for phrase in phrases:
                yield Labelled(question=phrase, given=given, wanted="model", half=half, source="cannot be told")  # type: ignore[arg-type]


def route_of(model: QuestionRoutes, one: Labelled) -> Wanted:
    """Who does answer it."""
    routed = model.routed(one.question, picture=one.given != "recording", sound=one.given != "picture")
    return _WANTED[routed.route]


def main() -> None:
    """Print how many questions go where they should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tutti-mini", help="tutti-mini, or a folder")
    parser.add_argument("--half", choices=("dev", "heldout"), default="heldout", help="which half (heldout)")
    parser.add_argument("--wrong", action="store_true", help="also print those that go elsewhere")
    arguments = parser.parse_args()
    model = tutti.open_provider(arguments.model)
    if not isinstance(model, QuestionRoutes):
        raise SystemExit(f"{arguments.model} routes no questions; expected a model that answers and embeds.")
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one in labelled():
        if one.half != arguments.half:
            continue
        got = route_of(model, one)
        for key in ((one.source, one.wanted), (one.source, "all"), ("all", "all")):
            right[key].append(got == one.wanted)
        if arguments.wrong and got != one.wanted:
            print(f"{one.given}: {one.question} → {got}; expected {one.wanted}")
    for (source, wanted), goods in sorted(right.items()):
        print(f"{source:16} {wanted:12} {sum(goods):5} of {len(goods):5}  {100 * sum(goods) / len(goods):5.1f} %")


if __name__ == "__main__":
    main()
