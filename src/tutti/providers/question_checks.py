"""Yes/no questions that name a word or a number which a text can be searched for, as in: Does it say stop?

What is named is found by the form of the question: in quotes, after "the word" or "the number", as the object of a verb
such as say or mention, or as the subject of written, said or spoken. Questions that name nothing of that kind are not
about words, whatever words they use.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tutti.processing.languages import LANGUAGES
from tutti.providers.question_forms import AUXILIARY

About = Literal["written", "spoken", "either"]

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_VALUE = {name: str(number) for number, name in enumerate(_NUMBERS)}
_NUMBER = rf"(?:\d[\d.,:/-]*|{'|'.join(_NUMBERS)})"
_SAYING = (
    r"(?:says?|said|saying|mentions?|mentioned|mentioning|announces?|announced"
    r"|speaks? (?:of|about)|spoken? (?:of|about)|speaking (?:of|about)|talks? about|talked about|talking about"
    r"|asks? for|asked for|asking for|brings? up|brought up)"
)
_TO_READ = (
    r"(?:text|writing|sign|label|poster|ticket|receipt|bill|menu|list|letter|caption|banner|card|board|cover|plate"
    r"|headline|line|word|note|recipe|it|this)"
)
_DONE = r"(?:said|spoken|mentioned|written|printed|uttered|announced|read out|quoted)"
_PEOPLE = (
    r"(?:he|she|they|any(?:one|body)|some(?:one|body)|man|men|woman|women|person|people|caller|narrator|presenter"
    r"|announcer|teacher|child|children|girl|boy)"
)
_SPOKEN = re.compile(
    r"\b(?:hear|hears|heard|audible|spoken?|speak(?:s|ing)?|said|voices?|speakers?|talk(?:s|ed|ing)?|mention(?:s|ed)?"
    rf"|uttered?|recording|brought up|brings? up|{_PEOPLE})\b",
    re.IGNORECASE,
)
_WRITTEN = re.compile(
    r"\b(?:writ(?:ten|ing)|printed|reads?|text|sign|label|poster|ticket|receipt|bill|menu|page|letter|caption|banner"
    r"|card|board|screen|package|packet|envelope|cover|plate|door|shirt|picture|image|photo)\b",
    re.IGNORECASE,
)
_NOT_TEXT = re.compile(
    r"\bhow (?:many|often)\b|\b(?:number|count|amount) of\b|\bcount\b|\bas many\b|\bhand\b|\bfingers?\b|\bsigned\b"
    r"|\bspoken (?:digit|number)s? (?:right|equal|the)\b",
    re.IGNORECASE,
)
_QUOTES = re.compile(r"(?<!\w)[\"“”«‘'’](?P<named>[^\"“”«»]+?)[\"“”»’'](?!\w)")
_END = (
    r"(?= (?:on|in|at|to|of|by|anywhere|somewhere|here|there|ever|written|printed|shown"
    r"|said|spoken|heard|mentioned|used|be|being)\b|[\s?.!]*$)"
)
_TITLED = re.compile(
    rf"\b(?:the|an?|any) (?:words?|names?|phrase|letters?|term|text|date|price|title|expression) "
    rf"(?:is |are |reads? |of )?(?P<named>\S.*?){_END}",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    rf"\b(?:numbers?|digits?|figures?|numerals?)(?: (?:is|are))? (?P<after>{_NUMBER})\b"
    rf"|\b(?P<among>{_NUMBER})(?: is| are)?(?: (?:one of|among|part of|what|the|in|not))+ (?:[\w-]+ )?"
    rf"(?:numbers?|digits?|figures?|numerals?)\b|\b(?P<before>{_NUMBER}) (?:number|digit|figure|numeral)\b",
    re.IGNORECASE,
)
_AS = re.compile(rf"\bread\b.*?\bas (?P<named>{_NUMBER})\b", re.IGNORECASE)
_OBJECT = re.compile(
    rf"\b{_SAYING}\b(?: that)? (?P<named>.+)$"
    rf"|\b{_TO_READ} (?:reads?|contains?|includes?|lists?|states?|shows? the words?) (?P<lists>.+)$",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    rf"^(?:{AUXILIARY} )?(?P<named>(?!there\b|it\b|any|some)\S.*?) (?:(?:is|be|being|ever|also|really|actually|been) )*"
    rf"{_DONE}\b(?! (?:numbers?|digits?|words?|of)\b)",
    re.IGNORECASE,
)
_IS_WHAT = re.compile(
    r"^\w+ (?P<named>\S+) what (?:is (?:written|said|spoken|printed)|(?:you|one) reads?"
    r"|(?:it|he|she|the (?:voice|text|sign|speaker)) says?)\b",
    re.IGNORECASE,
)
_HEARD_NUMBER = re.compile(rf"^\w+ (?:you hear )?(?P<named>{_NUMBER}) (?:be )?(?:heard|audible)\b", re.IGNORECASE)
_LANGUAGE = "|".join(LANGUAGES)
_IN_LANGUAGE = re.compile(
    rf"\b(?:speak|speaks|speaking|spoken|talk|talks|talking|said|say)(?: (?:this|that|it))?(?: in)? ({_LANGUAGE})\b"
    rf"|\b({_LANGUAGE}) (?:being |what is )?spoken\b|\b(?:language|speech) (?:\w+ )?({_LANGUAGE})\b",
    re.IGNORECASE,
)
_WHETHER_SPOKEN = re.compile(
    r"\b(?:any|some)(?:body|one)\b.*\b(?:speak|talk)(?:s|ing)?\b(?! (?:of|about))"
    r"|\b(?:speech|talking(?! about| of)|conversation)\b"
    r"|\b(?:any|some) (?:words?|voices?)\b.*\b(?:hear|heard|said|spoken|audible)\b"
    r"|\b(?:hear|heard|said|spoken) (?:any|some) (?:words?|voices?)\b"
    rf"|\banything\b.*\b(?:said|spoken)\b|\b{_PEOPLE} (?:says?|said) anything\b",
    re.IGNORECASE,
)
_WHETHER_WRITTEN = re.compile(
    r"\b(?:any|some)(?:thing|where)?\b.*\b(?:text|writing|written|printed|words?|letters|lettering|to read)\b"
    r"|\b(?:text|writing|lettering)\b.*\b(?:visible|there|here|seen|on|in)\b"
    rf"|^\w+ there (?:text|writing|words|letters)\b|\b{_TO_READ} says? anything\b",
    re.IGNORECASE,
)
_WRITES = re.compile(rf"\b{_PEOPLE}\b.*\b(?:writing|reads?|reading)\b", re.IGNORECASE)
"""What somebody does, and not what is written."""
_FINDING = re.compile(
    rf"\b(?:{_DONE}|used|hear|heard|shown?|read|see|spot|find|make out|got|anywhere|there)\b", re.IGNORECASE
)
_LOOKS = re.compile(r"(?:at|in|on|to|left|right|above|below|under|over|near|beside|\w+er than|of)\b", re.IGNORECASE)
_TAIL = re.compile(
    r"(?<=\S)[\s,]+(?:here|there|at all|anywhere|somewhere|ever|too|also|please|out loud|once|on it|in it"
    r"|(?:in|on|at|to|during) (?:the|this|that|his|her|their)(?: \w+){1,2})\s*$",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|an?|his|her|its|their|any|some|that|this)\s+", re.IGNORECASE)
_NOTHING = frozenset(
    "it this that them these those something anything nothing everything so number numbers digit digits word words "
    "written printed said spoken mentioned heard shown used here there text same "
    "right what which who whom how when where why whether".split()
)
_SMALL = frozenset("a an the of in on at to for and or is are was were be it its will would that".split())
_ALIKE, _LONG = 0.82, 5
"""Of long words, so much has to be the same where they were read from a picture."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a yes/no question asks to find."""

    named: str
    """Words or a number; empty where the question is whether there are words at all."""
    about: About
    language: bool = False
    """Whether the question is whether that language is spoken."""


def check_of(core: str) -> Check | None:
    """What a yes/no question names that a text can be searched for; None if it names nothing of the kind.

    Args:
        core: The question, as `form_of` leaves it.
    """
    core = core.strip().rstrip("?.! ")
    about = _about(core)
    if quoted := _QUOTES.search(core):
        return Check(named=quoted["named"], about=about)
    if _NOT_TEXT.search(core):
        return None
    if language := _IN_LANGUAGE.search(core):
        return Check(named=next(filter(None, language.groups())), about="spoken", language=True)
    if _WHETHER_SPOKEN.search(core):
        return Check(named="", about="spoken")
    if _WRITES.search(core):
        return None
    if _WHETHER_WRITTEN.search(core) and about != "spoken":
        return Check(named="", about="written")
    for pattern in (_AS, _IS_WHAT, _NUMBERED, _HEARD_NUMBER, _TITLED, _SUBJECT, _OBJECT):
        found = pattern.search(core)
        named = next(filter(None, found.groupdict().values()), "") if found is not None else ""
        if (named := _trimmed(named)) and _can_be_named(named, pattern is _TITLED, core):
            return Check(named=named, about=about)
    return None


def _about(core: str) -> About:
    written, spoken = bool(_WRITTEN.search(core)), bool(_SPOKEN.search(core))
    return "either" if written == spoken else "written" if written else "spoken"


def _trimmed(named: str) -> str:
    before = None
    while before != named:
        before, named = named, _TAIL.sub("", _ARTICLE.sub("", named.strip(" ,?.!")))
    return named


def _can_be_named(named: str, titled: bool, core: str) -> bool:
    first, *_ = named.lower().split()
    if first in _NOTHING or named.lower() in _NOTHING:
        return False
    if not titled or re.fullmatch(_NUMBER, named, re.IGNORECASE):
        return True
    # "Is the word yellow?", "Is the word bigger than the dog?" and "Is the word at the top?" are about how it looks.
    return _FINDING.search(core) is not None and _LOOKS.match(named) is None


def tokens_of(text: str) -> list[str]:
    """Words in small letters, and numbers in digits: "Nine o'clock" → 9, o, clock."""
    return [_VALUE.get(word, word) for word in re.findall(r"\d+|[^\W\d_]+", text.lower())]


def is_in(named: str, text: str, *, read: bool = False) -> bool:
    """Whether words stand in a text, in this order and side by side; or, of several, all that mean something.

    Args:
        named: What to look for.
        text: Where to look.
        read: The text was read from a picture, in which letters are taken for others.
    """
    wanted, there = tokens_of(named), tokens_of(text)
    if not wanted:
        return False
    run = len(wanted)
    if any(_same(wanted, there[at : at + run], read) for at in range(len(there) - run + 1)):
        return True
    telling = [_stem(word) for word in wanted if word not in _SMALL]
    stems = {_stem(word) for word in there}
    return len(telling) > 0 and not read and all(word in stems for word in telling)


def _same(wanted: Sequence[str], there: Sequence[str], read: bool) -> bool:
    return all(one == other or (read and _alike(one, other)) for one, other in zip(wanted, there, strict=True))


def _alike(one: str, other: str) -> bool:
    return min(len(one), len(other)) >= _LONG and difflib.SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _stem(word: str) -> str:
    return re.sub(r"(?:'s|ies|es|s|ing|ed)$", "", word) if len(word) > 4 else word
