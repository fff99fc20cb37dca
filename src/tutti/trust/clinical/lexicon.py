"""Words of radiology reports that the rules know: findings with their urgency, body parts, sides.

A word that is not here is not read, so that a contradiction about it is not found; it is no claim to be complete.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Term(NamedTuple):
    """A finding."""

    name: str
    words: str
    """A regular expression."""
    urgency: int
    """3 must be seen at once, 2 today, 1 in turn."""


FINDINGS = (
    Term("pneumothorax", r"(?:tension )?pneumothora(?:x|ces)", 3),
    Term("free air", r"free (?:intraperitoneal |subdiaphragmatic )?air|pneumoperitoneum", 3),
    Term("pulmonary embolism", r"pulmonary embol(?:ism|us|i)", 3),
    Term("intracranial haemorrhage", r"(?:intracranial|subdural|epidural|subarachnoid) ha?emorrhage", 3),
    Term("aortic dissection", r"aortic dissection", 3),
    Term("pneumonia", r"(?:broncho)?pneumonia", 2),
    Term("consolidation", r"consolidations?", 2),
    Term("pleural effusion", r"(?:pleural )?effusions?", 2),
    Term("fracture", r"fractures?", 2),
    Term("dislocation", r"dislocations?", 2),
    Term("mass", r"mass(?:es)?", 2),
    Term("pulmonary oedema", r"pulmonary o?edema", 2),
    Term("abscess", r"abscess(?:es)?", 2),
    Term("nodule", r"nodules?", 1),
    Term("opacity", r"opacit(?:y|ies)", 1),
    Term("atelectasis", r"atelectas[ie]s", 1),
    Term("cardiomegaly", r"cardiomegaly|enlarged heart", 1),
    Term("cyst", r"cysts?", 1),
    Term("lymphadenopathy", r"lymphadenopathy|enlarged lymph nodes?", 1),
    Term("emphysema", r"emphysema", 1),
    Term("calcification", r"calcifications?", 1),
    Term("scar", r"scars?|scarring", 1),
    Term("osteophyte", r"osteophytes?", 1),
)
URGENCY = {term.name: term.urgency for term in FINDINGS}
PARTS = ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot", "breast", "kidney", "femur", "humerus",
         "tibia", "forearm")  # fmt: skip
FINDING = re.compile(
    r"\b(?:" + "|".join(f"(?P<f{place}>{term.words})" for place, term in enumerate(FINDINGS)) + r")\b", re.IGNORECASE
)
PART = re.compile(r"\b(" + "|".join(PARTS) + r")s?\b", re.IGNORECASE)
SIDE = re.compile(r"\b(left|right|bilateral|bilaterally|both)(?:-sided|-hand)?\b", re.IGNORECASE)
BOTH_SIDES = re.compile(r"\b(?:left and (?:the )?right|right and (?:the )?left|either side|each side)\b", re.IGNORECASE)
SIZE = re.compile(
    r"\b(\d{1,4}(?:\.\d{1,2})?)(?:\s*(?:x|×|by)\s*(\d{1,4}(?:\.\d{1,2})?)){0,2}\s*(mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b",
    re.IGNORECASE,
)
ABSENT_BEFORE = re.compile(
    r"\b(?:no(?! (?:change|longer than))|without|negative for|free of|absence of|denies|never had|neither|excludes?|"
    r"not (?:have|show|see|any)|rules out|ruled out)\b",
    re.IGNORECASE,
)
ABSENT_AFTER = re.compile(
    r"^[\w\s,]{0,30}?\b(?:(?:is|are|was|were) (?:absent|excluded|ruled out)|not (?:seen|present|identified|visible|"
    r"found|demonstrated)|(?:has|have) (?:resolved|cleared))\b|^\s*:\s*(?:none|no|absent)\b",
    re.IGNORECASE,
)
UNCERTAIN = re.compile(
    r"\?|\b(?:possibl[ey]|probabl[ey]|likely|suspected|suspicion|suspicious|query|rule out|r/o|evaluate|exclude|"
    r"concern|may|might|could|cannot|versus|vs|assess|check|question of|look for|follow-?up|risk of|if)\b",
    re.IGNORECASE,
)
BEFORE = re.compile(
    r"\b(?:previous(?:ly)?|formerly|prior (?:ct|mr|x-?ray|study|exam(?:ination)?|report|imaging|radiograph) "
    r"(?:showed|shows|demonstrated|described)|history of|h/o|status post|s/p|years? ago|months? ago|weeks? ago|last "
    r"(?:year|month|week)|old|at that time|used to|resolved|treated|as a child|since (?:19|20)\d\d|in (?:19|20)\d\d)\b",
    re.IGNORECASE,
)
OF_OTHERS = re.compile(
    r"\b(?:mother|father|sister|brother|family|aunt|uncle|grand\w+|husband|wife|son|daughter)\b", re.IGNORECASE
)
ENDS_SCOPE = re.compile(
    r"\b(?:but|however|although|though|except|there (?:is|are)|with|while|whereas|now|yet|apart from|other than)\b|;",
    re.IGNORECASE,
)
