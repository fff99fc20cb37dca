"""How an answer is scored against a case. Every score lies in [0, 1]; what a metric needs beside it is `extra`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tutti.content import Claim
from tutti.errors import MissingExtra
from tutti.evaluate.captions import Consensus
from tutti.evaluate.final_answers import final_answer, stated, unmarked
from tutti.evaluate.hallucination import Truth, asserts, check
from tutti.evaluate.language import abstains, holds, normalized, numbers_in, plain
from tutti.evaluate.multiple_choice import chosen
from tutti.evaluate.suite import Case
from tutti.processing.words import folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good one answer is."""

    value: float
    """0 is wrong, 1 is right."""
    abstained: bool = False
    """The answer declines; it is counted apart, and is right only where declining is expected."""
    claims: tuple[Claim, ...] = ()
    """What the answer asserts, checked."""
    extra: Mapping[str, float] = field(default_factory=dict)
    """Counts from which a metric's figures over many answers are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer and what is needed to score it."""

    text: str
    options: tuple[str, ...] = ()
    """The choices in the order in which they were shown."""
    read: tuple[str, ...] | None = None
    """Lines that a reader of text found in the media."""


def score(case: Case, said: Said, captions: Consensus | None = None) -> Score:
    """Score an answer by its case's metric: what follows the reasoning of a model that reasons first.

    An answer that was cut off while it reasoned is none: it scores 0, and declines nothing.

    Args:
        case: What was asked, and what is right.
        said: The answer.
        captions: Document frequencies of the suite's captions; those of the case alone when not given.

    Raises:
        MissingExtra: The metric needs a library that is not installed.
    """
    if case.metric == "recall":
        value, extra = _recall(case, said)
        return Score(value=value, extra=extra)
    final = final_answer(said.text)
    if final is None:
        return Score(value=0.0, extra={"unparsed": 1.0})
    said = replace(said, text=unmarked(final) if case.metric in _PROSE else stated(final))
    declined = abstains(said.text)
    if case.expected and all(abstains(answer) for answer in case.expected):
        return Score(value=float(declined), abstained=declined)
    if case.metric == "caption":
        measured = (captions or Consensus([case.expected])).score(said.text, case.expected)
        return Score(value=min(1.0, measured / 10), abstained=declined, extra={"cider": measured})
    if case.metric in ("facts", "hallucination"):
        return _annotated(case, said, declined)
    value, extra = _METRICS[case.metric](case, said)
    return Score(value=value, abstained=declined, extra=extra)


_Measured = tuple[float, dict[str, float]]
_PROSE = frozenset({"caption", "facts", "hallucination", "judge", "wer", "contains"})
"""Metrics by which all of an answer counts, not only what is marked as the answer."""


def _exact(case: Case, said: Said) -> _Measured:
    return float(normalized(said.text) in {normalized(answer) for answer in case.expected}), {}


def _contains(case: Case, said: Said) -> _Measured:
    return float(any(holds(said.text, answer) for answer in case.expected)), {}


def _number(case: Case, said: Said) -> _Measured:
    """The first number, or that after the last "answer is", lies within the tolerance of an expected one."""
    found = numbers_in(_after_cue(said.text))[:1] or numbers_in(said.text)[:1]
    wanted = [goal for answer in case.expected for goal in numbers_in(answer)[:1]]
    near = [abs(value - goal) <= case.tolerance * abs(goal) + 1e-9 for value in found for goal in wanted]
    return float(any(near)), {}


def _choice(case: Case, said: Said) -> _Measured:
    options = said.options or case.options
    picked = chosen(said.text, options)
    right = {option for option in options if option in case.expected}  # C, C++ and C# have one normal form
    if not right:
        normal = {normalized(answer) for answer in case.expected}
        right = {option for option in options if normalized(option) in normal}
    return float(picked is not None and options[picked] in right), {"unparsed": float(picked is None)}


def _vqa(case: Case, said: Said) -> _Measured:
    """VQA accuracy (Antol et al. 2015): the mean over all but one annotator of min(1, agreeing / 3).

    With fewer than four annotators there is no such consensus, and agreeing with any of them counts in full.
    """
    given = normalized(said.text)
    answers = [normalized(answer) for answer in case.expected]
    if len(answers) < 4:
        return float(given in answers), {}
    parts = [
        min(1.0, sum(other == given for j, other in enumerate(answers) if j != i) / 3) for i in range(len(answers))
    ]
    return sum(parts) / len(parts), {}


def _anls(case: Case, said: Said) -> _Measured:
    """Average normalized Levenshtein similarity, cut off below one half (Biten et al. 2019, section 4)."""
    text = " ".join(folded(plain(said.text)).split())
    best = 0.0
    for answer in case.expected:
        wanted = " ".join(folded(plain(answer)).split())
        far = distance(text, wanted) / max(len(text), len(wanted), 1)
        best = max(best, 1 - far if far < 0.5 else 0.0)
    return best, {}


def distance(one: str, other: str) -> int:
    """Levenshtein distance in characters."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return row[-1]


def _wer(case: Case, said: Said) -> _Measured:
    """Word error rate by jiwer, after VQA's normal form; the score is what is left of 1."""
    try:
        import jiwer
    except ImportError:
        raise MissingExtra("The word error rate", "evaluate") from None
    rates: list[tuple[float, int, int]] = []
    for answer in case.expected:
        reference = normalized(answer) or "∅"
        out = jiwer.process_words(reference, normalized(said.text))
        errors = out.substitutions + out.deletions + out.insertions
        length = out.hits + out.substitutions + out.deletions
        rates.append((errors / length, errors, length))
    rate, errors, length = min(rates)
    return max(0.0, 1 - rate), {"word_errors": float(errors), "words": float(length)}


def _recall(case: Case, said: Said) -> _Measured:
    """Recall at 1, 5 and 10 of a ranking, whose items stand one a line in the answer."""
    ranked = said.text.splitlines()
    wanted = set(case.expected)
    extra = {f"recall_at_{k}": len(wanted & set(ranked[:k])) / min(k, len(wanted)) for k in (1, 5, 10)}
    return extra["recall_at_1"], extra


def yes_or_no(text: str) -> str | None:
    """What an answer says: the yes or no after its last "answer is", else the first one.

    "Not" without either is a no, as POPE's own evaluation has it. Reasoning before the answer does not count.
    """
    final = final_answer(text)
    if final is None:
        return None
    answer = folded(plain(stated(final)))
    for part in (_after_cue(answer), answer):
        if found := re.search(r"\b(yes|no)\b", part):
            return found[1]
    return "no" if re.search(r"\bnot\b|n't\b", answer) else None


def _after_cue(text: str) -> str:
    """What follows the last "answer:" or "answer is" of a text; nothing where there is none."""
    cues = list(re.finditer(r"\banswer\b\W*(?:(?:is|was|would be|must be|should be)\b|[:=])", text, re.IGNORECASE))
    return text[cues[-1].end() :] if cues else ""


def _pope(case: Case, said: Said) -> _Measured:
    """Right or wrong, and the counts from which precision, recall and yes-ratio are made (Li et al. 2023)."""
    answer, truth = yes_or_no(said.text), case.expected[0].lower()
    counts = {"yes": float(answer == "yes"), "unparsed": float(answer is None), "positive": float(truth == "yes")}
    return float(answer == truth), counts | {"true_positive": float(answer == truth == "yes")}


def _judge(case: Case, said: Said) -> _Measured:
    """Left to the judge model; until it has spoken, a containing answer counts."""
    return _contains(case, said) if case.expected else (0.0, {})


_METRICS: dict[str, Callable[[Case, Said], _Measured]] = {
    "exact": _exact,
    "contains": _contains,
    "number": _number,
    "choice": _choice,
    "vqa": _vqa,
    "anls": _anls,
    "wer": _wer,
    "pope": _pope,
    "judge": _judge,
}


def _annotated(case: Case, said: Said, declined: bool) -> Score:
    """`facts`: the share of facts that the answer asserts, and nothing if it asserts a forbidden one.

    `hallucination`: the share of its assertions that hold; an answer that asserts nothing invents nothing.
    """
    claims = tuple(check(said.text, Truth(case.annotation, said.read)))
    inventions = sum(claim.supported is False for claim in claims)
    checked = sum(claim.supported is not None for claim in claims)
    extra = {"claims": float(checked), "inventions": float(inventions), "unchecked": float(len(claims) - checked)}
    if case.metric == "hallucination" or case.annotation is None:
        value = 1 - inventions / checked if checked else 1.0
        return Score(value=value, abstained=declined, claims=claims, extra=extra)
    forbidden = tuple(
        Claim(text=f"forbidden: {phrase}", supported=False, evidence="the suite forbids it")
        for phrase in case.annotation.forbidden
        if asserts(said.text, phrase)
    )
    facts = case.annotation.facts
    said_facts = sum(asserts(said.text, fact) for fact in facts)
    value = 0.0 if forbidden else said_facts / len(facts) if facts else 1.0
    return Score(
        value=value, abstained=declined, claims=claims + forbidden, extra=extra | {"forbidden": float(len(forbidden))}
    )
