"""Which of several options an answer picks: by its letter or by its words, where it does not deny it.

A stated answer ("the answer is B") counts wherever it stands, and the last one wins. Without one, a letter in front of
a line counts ("B) London"), if all of those are the same letter. Two letters side by side are no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tutti.evaluate.final_answers import final_answer, stated
from tutti.evaluate.language import holds, normalized, plain

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_CLAUSE = re.compile(
    r"(?<=[.!?;])(?<!\b[A-Za-z]\.)\s+|\n+|,?\s+(?=\b(?:but|so|therefore|thus|hence|and not)\b)"
    r"|,\s+(?=(?:not|it|it's|the|i|this|that|then|rather|actually)\b)",
    re.IGNORECASE,
)
_REASON = re.compile(r"\b(?:because|since|given that)\b[^,.;\n]*|,\s*as\b[^.;\n]*", re.IGNORECASE)
_ANYTHING_BUT = re.compile(r"\b(?:anything|everything|all|nothing|any(?: of them)?|none) but\b", re.IGNORECASE)
_DENIES = re.compile(
    r"\b(?:not|never|neither|nor|except|excluding|excludes?|eliminate[sd]?|eliminating|discard|reject|hardly|unlikely|"
    r"unlike|cannot|without|other than|instead of|rather than|far from|i doubt|rul(?:e|es|ed|ing) out)\b|n't\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"^\W*(?:(?:and|or)\W+\(?[A-Z]\)?\W+)*(?:\w+n't\b|cannot\b|(?:is|are|was|were|would|can|could|should|must|does|do|did|will|"
    r"has|seems?|looks?)\b\W*(?:\w+\W+){0,4}?"
    r"(?:not|wrong|incorrect|false|out|excluded|eliminated|impossible|unlikely|implausible|untrue)\b)",
    re.IGNORECASE,
)
_IS = r"(?:is|was|be|being|would be|must be|should be|will be|has to be)"
_FILLER = (
    r"(?:\W|(?:the|an?|letter|option|choice|number|definitely|clearly|probably|most likely|likely|simply|thus|"
    r"therefore)\b)*"
)
_STATES = re.compile(
    rf"(?:\b(?:(?:answer|solution|conclusion|response|result|correction)s?\b(?:\W*{_IS}\b)?"
    rf"|(?:option|choice|one|pick|guess)\W*{_IS}\b"
    r"|(?:i|we|you)(?:'d|'ll| would| will| should|'m| am)?(?: \w+)? "
    r"(?:pick|choose|chose|select|say|guess|go(?:ing)? with|went with|opt for|take|vote for)"
    r"|(?:therefore|thus|hence|so|actually|wait|correction)(?:\W+(?:it|that|this)(?: is|'s))?"
    rf"|(?:it|that|this) (?:clearly |definitely |probably )?(?:{_IS})|(?:it|that)'s))\b{_FILLER}$",
    re.IGNORECASE,
)
_LABELS = re.compile(rf"\b(?:option|choice|{_IS})\b{_FILLER}$|[:=]\s*$|[-=]>\s*$", re.IGNORECASE)
_STATED = re.compile(
    r"^\W*(?:is|was|would be|must be|should be|seems|looks)\b\W*(?:\w+\W+){0,3}?"
    r"(?:correct|right|best|true|answer|choice|option|solution|one)\b",
    re.IGNORECASE,
)
_MARK = re.compile(r"(?<![\w'-])(?:[(\[{]\s*(?P<inside>[A-Za-z])\s*[)\]}]|(?P<bare>[A-Za-z]))(?![\w']|-\w|\.\w)")
_AFTER_LETTER = set(
    "is are was were would can cannot could should must has seems looks because since and or nor but not isn't can't "
    "doesn't as".split()
)
"""Words that may follow the letter A; before any other, it is an article."""
_LONGEST = 10_000
"""Characters of an answer, its last ones, that are looked at."""
_NEAR = 200
"""Characters on each side of a letter that are looked at."""
_BETWEEN = re.compile(
    r"^(?:\W|\b(?:and|or|also|maybe|perhaps|possibly|option|choice|even|either|both|then)\b)*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Mention:
    """A letter in a clause."""

    option: int
    start: int
    end: int
    stated: bool
    bare: bool
    """It stands in front of its clause, or where a label would."""


def chosen(text: str, options: Sequence[str]) -> int | None:
    """Which option an answer picks; None when none or several.

    Args:
        text: The answer; reasoning before it and Markdown in it do not count.
        options: In the order in which they were shown, as A, B, C, …
    """
    final = final_answer(text)
    if final is None:
        return None
    answer = plain(stated(final)).strip()[-_LONGEST:]
    words = [normalized(option) for option in options]
    whole = normalized(answer)
    if len(whole) > 1 and words.count(whole) == 1:
        return words.index(whole)
    letters = LETTERS[: len(options)]
    alone = re.fullmatch(r"[\W_]*([A-Za-z])[\W_]*", answer)
    if alone and alone[1].upper() in letters:
        return letters.index(alone[1].upper())
    found = _by_letter(answer, options)
    if found is None:
        found = _by_words(answer, options)
    return next(iter(found)) if found is not None and len(found) == 1 else None


def _by_letter(answer: str, options: Sequence[str]) -> frozenset[int] | None:
    """The letters that are stated last, or else those in front of lines; None where no letter answers."""
    statements: list[frozenset[int]] = []
    bare: set[int] = set()
    for clause in _clauses(answer):
        for group in _groups(clause, _mentions(clause, len(options)), options):
            picked = frozenset(mention.option for mention in group)
            if any(mention.stated for mention in group):
                statements.append(picked)
            elif any(mention.bare for mention in group):
                bare |= picked
    last = re.fullmatch(r"[\W_]*([A-Z])[\W_]*", answer.rsplit("\n", 1)[-1]) if "\n" in answer else None
    if last and last[1] in LETTERS[: len(options)]:
        statements.append(frozenset({LETTERS.index(last[1])}))
    if statements:
        return statements[-1]
    return frozenset(bare) if bare else None


def _clauses(answer: str) -> Iterator[str]:
    """Clauses that assert something: no questions, no reasons."""
    text = _REASON.sub(" ", _ANYTHING_BUT.sub("except", answer))
    for clause in _CLAUSE.split(text):
        if clause.strip() and not clause.rstrip().endswith("?"):
            yield re.sub(r"^but\b", "", clause.strip(), flags=re.IGNORECASE).strip()


def _mentions(clause: str, count: int) -> Iterator[_Mention]:
    """Letters of options in a clause that are not denied."""
    for found in _MARK.finditer(clause):
        letter = found["inside"] or found["bare"]
        option = LETTERS[:count].find(letter.upper())
        before, after = clause[max(0, found.start() - _NEAR) : found.start()], clause[found.end() :][:_NEAR]
        if option < 0 or not _is_letter(found, before, after):
            continue
        beside = re.split(r"[.;:]\s", before)[-1]
        if _DENIES.search(beside) or _DENIED.match(after):
            continue
        states = bool(_STATES.search(before)) or bool(_STATED.match(after))
        fronts = not re.search(r"\w", beside) or bool(_LABELS.search(before))
        yield _Mention(option, found.start(), found.end(), states, fronts)


def _is_letter(found: re.Match[str], before: str, after: str) -> bool:
    """Whether a single letter is the name of an option: not an article, a pronoun, or a small letter in a sentence."""
    if found["inside"]:
        return True
    if found["bare"].islower():
        ends = re.match(r"\s*(?:[).:,;]|$)", after) is not None
        return ends and (not re.search(r"\w", before) or bool(_STATES.search(before) or _LABELS.search(before)))
    following = re.match(r"\s+([\w']+)", after)
    if found["bare"] not in "AI" or following is None or len(following[1]) == 1:
        return True
    return found["bare"] == "A" and following[1] in _AFTER_LETTER


def _groups(clause: str, mentions: Iterator[_Mention], options: Sequence[str]) -> list[list[_Mention]]:
    """Mentions that stand side by side: with nothing between them but the options' words, "and", "or" or a comma."""
    groups: list[list[_Mention]] = []
    for mention in mentions:
        if groups:
            between = clause[groups[-1][-1].end : mention.start]
            for option in options:
                between = re.sub(re.escape(option), "", between, flags=re.IGNORECASE)
            if _BETWEEN.match(between):
                groups[-1].append(mention)
                continue
        groups.append([mention])
    return groups


def _by_words(answer: str, options: Sequence[str]) -> frozenset[int] | None:
    """The options whose words are stated last, or else those that the answer names and does not deny."""
    words = [normalized(option) for option in options]
    named: set[int] = set()
    statements: list[frozenset[int]] = []
    for clause in _clauses(answer):
        found = [index for index, option in enumerate(options) if holds(clause, option)]
        longest = {i for i in found if not any(i != j and f" {words[i]} " in f" {words[j]} " for j in found)}
        if not longest or _denies_words(clause):
            continue
        named |= longest
        if re.search(r"\banswer\b", clause, re.IGNORECASE):
            statements.append(frozenset(longest))
    if statements:
        return statements[-1]
    return frozenset(named) if named else None


def _denies_words(clause: str) -> bool:
    return bool(_DENIES.search(clause)) or bool(re.search(r"\b(?:wrong|incorrect|false)\b", clause, re.IGNORECASE))
