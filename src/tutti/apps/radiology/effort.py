"""What signing a draft took: how much of its words was edited, and how long a person had the case before them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tutti.apps.radiology.report import Draft


def times_of(entries: Sequence[Mapping[str, Any]]) -> list[float]:
    """Seconds from when a person last opened a case to their signature, of each case that they opened to sign.

    What was opened before another draft took its place does not count.
    """
    opened: dict[tuple[str, str], str] = {}
    found = []
    for entry in entries:
        if entry["event"] == "opened":
            opened[entry["case"], entry["reader"]] = entry["at"]
        elif entry["event"] == "drafted":
            opened = {key: at for key, at in opened.items() if key[0] != entry["case"]}
        elif (at := opened.get((entry["case"], entry["signer"]))) is not None:
            waited = datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(at)
            found.append(max(0.0, waited.total_seconds()))
    return found


def effort_of(draft: dict[str, Any], statement: Mapping[str, Any]) -> dict[str, float]:
    """How much of the text was edited, by words, and how long after the draft it was signed."""
    before, after = Draft.from_dict(draft).text().split(), str(statement["text"]).split()
    same = difflib.SequenceMatcher(None, before, after, autojunk=False).ratio()
    waited = datetime.fromisoformat(str(statement["at"])) - datetime.fromisoformat(draft["made"])
    return {"edited_share": round(1 - same, 4), "seconds_to_sign": waited.total_seconds()}
