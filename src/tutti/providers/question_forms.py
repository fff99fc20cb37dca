"""What form of answer a question wants: yes or no, one of two, a number of things, a colour, two things, or a name.

What introduces a question ("Quick question:", "Say", "I would like to know", "Would you say that") is taken away first,
so that "Say how many dogs there are" is about dogs and not about speech.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Form = Literal["polar", "choice", "count", "colour", "both", "open"]
"""Answered by: yes or no, one of two, a number of things, a colour, what is seen and what is heard, something else."""

AUXILIARY = (
    r"(?:is|are|was|were|am|do|does|did|has|have|had|can|could|would|will|should|shall|may|might|must"
    r"|(?:is|are|was|were|do|does|did|has|have|had|ca|could|would|wo|should)n['’]t)"
)
"""What a yes/no question begins with, as a regular expression."""
_ASKING = (
    r"(?:what|which|who|whom|whose|where|when|why|how|at (?:what|which)|in (?:what|which)|(?:of|with) (?:what|which))"
)
_TELLING = (
    r"(?:say|tell|show|give|name|identify|state|list|describe|explain|read|spell|quote|repeat|transcribe|translate"
    r"|write|count|find out|let|summari[sz]e|caption|point|locate|look)"
)
_ONE = r"(?:you|one|i|we|anyone|anybody|people)"
_POLITE = re.compile(
    r"^(?:please|kindly|now|so|and|but|ok(?:ay)?|well|then|hello|hi|hey|thanks|also)\b[\s,:!.;–-]*", re.IGNORECASE
)
_TO_KNOW = re.compile(
    r"^(?:i(?:['’]d| would)?(?: really| just| also)? (?:want|like|love|wish|need|have) to"
    r" (?:know|ask|hear|learn|see|find out)"
    r"|i (?:wonder|ask myself|am wondering|am curious)|i['’]m (?:wondering|curious)|i need"
    r"|(?:do|would|could) you (?:happen to )?know|(?:have you )?any idea|can you guess)\b[\s,:]*",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    rf"^(?:can|could|would|will|might) you(?: please| kindly| perhaps)? (?={_TELLING}\b(?!\s+[“\"'‘]|[^?]* as\b))",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"^(?:say|tell(?: me| us)?|show(?: me| us)?|state|explain(?: to me)?|find out|let me know|name|identify|list)\b"
    rf"[\s,:]*(?=(?:{_ASKING}|whether|if)\b)",
    re.IGNORECASE,
)
_NAMING = re.compile(
    r"^(?:say|tell(?: me| us)?|give(?: me| us)?|name|identify|state|list)(?: first)? "
    r"(?=(?:the|all|both|each|its|his|her|their|my|your|this|that|every)\b)",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    rf"^(?:(?:would|could|can|may|might|do|should|will) {_ONE} (?:say|think|claim|agree|believe|state|conclude)"
    r"|(?:is|would) it (?:be )?(?:true|so|right|correct|fair to say|the case|possible)|is it a fact)"
    rf"(?: that)?\b(?![\s,:]*(?:{_ASKING}|whether|if)\b)[\s,:]*",
    re.IGNORECASE,
)
_ASIDE = re.compile(rf"\b(?:would|do|could|can) {_ONE} (?:say|think|believe|call|guess)\b(?: that)?", re.IGNORECASE)
_POLAR = re.compile(rf"^{AUXILIARY}\b", re.IGNORECASE)
_WHETHER = re.compile(r"^(?:whether|if)\b\s*", re.IGNORECASE)
_BEGINS = re.compile(rf"^(?:{_ASKING}|{AUXILIARY}|{_TELLING}|whether|if)\b", re.IGNORECASE)
_CHOICE = re.compile(r"\bor\b(?! (?:not|so|something|anything|any)\b)", re.IGNORECASE)
_COUNT = re.compile(
    r"\bhow (?:many|often)\b|^count\b|\b(?:number|count|amount) of\b|^(?:what|which) (?:is|are) the count\b",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"\bcolou?r(?:s|ed|ing)?\b", re.IGNORECASE)
_SEEN = re.compile(
    r"\b(?:see|seen|seeing|sees|show[ns]?|visible|thing|object|picture|image|photo|animal|sight|pictured)\b",
    re.IGNORECASE,
)
_HEARD = re.compile(
    r"\b(?:hear|heard|hearing|hears|audible|sounds?|noise|recording|spoken|said|says?|voice|digit|number|call|cry)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\b(?:and|then)\b|,", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class QuestionForm:
    """A question without what introduces it, and what form of answer it wants."""

    core: str
    form: Form


def form_of(question: str) -> QuestionForm:
    """What a question asks, and in which form it wants the answer."""
    core, claim = _core(question)
    return QuestionForm(core=core, form=_form(core, claim))


def _form(core: str, claim: bool) -> Form:
    if claim or _POLAR.match(core):
        return "choice" if _CHOICE.search(core) else "polar"
    if _COUNT.search(core):
        return "count"
    if _COLOUR.search(core):
        return "colour"
    if _CHOICE.search(core) or re.match(r"^(?:of|between)\b.*\bwhich\b", core, re.IGNORECASE):
        return "choice"
    parts = _JOINED.split(core)
    seen, heard = ({i for i, part in enumerate(parts) if kind.search(part)} for kind in (_SEEN, _HEARD))
    if len(parts) > 1 and any(one != other for one in seen for other in heard):
        return "both"
    return "open"


def _core(question: str) -> tuple[str, bool]:
    """What is asked, without what introduces it; and whether that said that yes or no is wanted."""
    core, claim = _last_clause(question.strip()), False
    while True:
        shorter = _POLITE.sub("", core, count=1)
        shorter = _TO_KNOW.sub("", shorter, count=1)
        for pattern in (_CLAIM, _WHETHER):
            without = pattern.sub("", shorter, count=1)
            claim = claim or without != shorter
            shorter = without
        if not claim:
            shorter = _TOLD.sub("", _REQUEST.sub("", shorter, count=1), count=1)
        if shorter == core or not shorter:
            break
        core = shorter
    core = _NAMING.sub("what is ", core, count=1)
    if not claim:
        core = re.sub(r"\s+", " ", _ASIDE.sub("", core)) if not _POLAR.match(core) else core
    return core.strip(), claim


def _last_clause(question: str) -> str:
    """The last sentence, or what follows a colon, if that is a question by itself."""
    for match in reversed(list(re.finditer(r"[:.!?]\s+(?=\S)", question))):
        rest = question[match.end() :]
        if _BEGINS.match(_POLITE.sub("", rest)):
            return rest
    return question
