"""Which option an answer picks: forms that count, and answers that pick nothing."""

from __future__ import annotations

import pytest

from tutti.evaluate.metrics import Said, score
from tutti.evaluate.multiple_choice import chosen
from tutti.evaluate.suite import Case

CITIES = ("Paris", "London", "Rome", "Berlin")
"""A to D; right is B."""

_WRONG = """
not B|Not B.|not (B)|It is not B.|It isn't B|The answer is not B.|The answer isn't B|Definitely not B|B is wrong
B is not correct.|B is incorrect|B isn't right|B can be ruled out.|B cannot be the answer.|I would exclude B.
Eliminate B|Rule out B.|Anything but B|Everything except B|neither A nor B|Neither B nor C is right|A or B|B or C
A or B.|Either A or B|B and C|Both A and B|A and B are correct.|A, B|B, C|A, B, C|A/B|B/C|B & C|A & B|(A) or (B)
(B) or (C)|**A** or **B**|The answer is A or B.|The answer is B or C.|Answer: A, B|Answer: B, C|Answer: A/B
\\boxed{A, B}|\\boxed{B \\text{ or } C}|B? No.|Is it B?|B, no wait, C|B. Actually, C.
First I thought B, but the answer is C.|The answer is B. No, the answer is C.|rather than B|not B but C|C, not B
C instead of B|The answer is C, not B.|B looks good, but the correct answer is A.|The answer is A. B is wrong.
All of the above|None of the above|I cannot tell whether it is B.|I don't know|Vitamin B|Plan B|Figure B shows a city.
Between B and C, I cannot tell.|It could be A, B or C.|not London|London is wrong|It is not London.|Paris or London
London or Rome|neither Paris nor London|It isn't London.|anything but London|The answer is not London.
<think>The answer is B.</think> C|<think>B|<think>I think the answer is B because|<think>The answer is B.</think>
A) Paris, B) London|A. B.|A B|B C|AB|Answer: AB|A. Paris B. London C. Rome D. Berlin|The answer is neither A nor B.
Not A and not B|The answer is hardly B.|B is false|B is out.|The options are A, B, C and D.|Choose between A and B.
No answer, certainly not B
"""
WRONG = _WRONG.strip().replace("\n", "|").split("|")

RIGHT = [
    "B", "b", "B.", "B)", "(B)", "(b)", "[B]", "b)", "B:", "**B**", "*B*", "`B`", "$B$", "### B", "> B", "- B",
    "Answer: B", "Answer: **B**", "**Answer:** B", "**Answer: B**", "Final answer: B", "answer: b", "Answer - B",
    "The answer is B", "The answer is B.", "The answer is (B).", "The correct answer is B. London is north.",
    "The correct answer is **B**.", "The correct answer is: **B) London**", "The right option is B", "Option B",
    "Option (B)",
    "Choice B is correct.", "B is correct.", "B is the correct answer.", "\\boxed{B}", "$\\boxed{B}$",
    "\\boxed{\\text{B}}",
    "The answer is $\\boxed{\\textbf{B}}$.", "\\(B\\)", "B because it is in England", "B, because it is in England.",
    "B since A is in France.", "B - London", "B: London", "B) London", "(B) London", "B. London", "**B) London**",
    "I choose B.",
    "I would go with B.", "I'd pick B", "My answer is B.", "It's B.", "It is B.", "It must be B",
    "Therefore, the answer is B.",
    "Therefore, B.", "So B.", "A is in France, so the answer is B.", "A is wrong. B is right.", "Not A but B.",
    "Not A. B.",
    "London", "london.", "The answer is London.", "It is London, not Paris.", "It shows London in the rain.",
    "**London**",
    "Let me see.\nA is in France.\n\nB", "Let me see: A is in France.\n\n**B**", "First A, but no. Answer: B",
    "The answer is A. Wait, the answer is B.", "Answer: A\nCorrection. Answer: B",
    "<think>It is A or C. Answer: C</think>B",
    "<think>\nThe answer is A.\n</think>\n\nThe answer is **B**.", "It looks like A.</think>\nB", "<answer>B</answer>",
    "<think>x</think><answer>(B)</answer>", '{"answer": "B"}', '```json\n{"answer": "B"}\n```', "The best choice is B.",
    "B is the best choice.", "The answer must be B, since A is in France.", "Answer (B)", "Answer B", "Ｂ",
    "The answer is “B”.",
    "[THINK]Is it A?[/THINK]B", "<thinking>A</thinking>\nB", "It can't be A, so it is B.",
    "The answer would be B, not C.",
    "<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>B",
    "Not sure, but I would say B.",
]  # fmt: skip


def picked_right(text: str) -> float:
    case = Case(id="c", media=(), question="q", expected=("London",), metric="choice", options=CITIES)
    return score(case, Said(text=text)).value


@pytest.mark.parametrize("text", WRONG)
def test_answers_that_do_not_pick_b(text: str) -> None:
    assert picked_right(text) == 0


@pytest.mark.parametrize("text", RIGHT)
def test_answers_that_pick_b(text: str) -> None:
    assert picked_right(text) == 1


def test_there_are_sixty_of_them() -> None:
    assert len(set(WRONG)) >= 60


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("A dog", 1), ("a dog", 1), ("A", 0), ("A cat, not a dog.", 0), ("I see a dog", 1), ("A is correct", 0),
        ("A because of its ears", 0), ("The answer is a dog.", 1), ("The answer is A.", 0), ("a bird", None), ("C", 2),
        ("D", None), ("It is a hot dog, not a cat.", 2), ("I", None), ("", None), ("The answer is a.", 0),
    ],
)  # fmt: skip
def test_articles_are_no_letters(text: str, picked: int | None) -> None:
    assert chosen(text, ["cat", "dog", "hot dog"]) == picked


def test_a_pronoun_is_no_letter() -> None:
    options = [f"thing {word}" for word in "one two three four five six seven eight nine ten".split()]
    assert chosen("I think that it is J.", options) == 9
    assert chosen("I", options) == 8
    assert chosen("I choose B", options) == 1


@pytest.mark.parametrize("expected", ["C", "C++", "C#"])
def test_options_that_differ_in_signs_only_are_different(expected: str) -> None:
    options = ("C", "C++", "C#")
    case = Case(id="c", media=(), question="q", expected=(expected,), metric="choice", options=options)
    for letter, option in zip("ABC", options, strict=True):
        assert score(case, Said(text=f"The answer is {letter}.")).value == float(option == expected)


def test_options_of_signs_are_found() -> None:
    assert chosen("The sign is ×", ["+", "−", "×"]) == 2
    assert chosen("🐱", ["🐶", "🐱"]) == 1
    assert chosen("🦊", ["🐶", "🐱"]) is None
