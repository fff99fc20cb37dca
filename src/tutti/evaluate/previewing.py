"""What an evaluation would send to models elsewhere, and what that may cost. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tutti.content import Message
from tutti.errors import TuttiError
from tutti.evaluate.prompts import prompt
from tutti.evaluate.reply_log import ReplyLog
from tutti.evaluate.running import Candidate, EvaluationPlan, reply_digest, wrapped
from tutti.evaluate.suite import Case
from tutti.interfaces import Previewing
from tutti.media import Limits
from tutti.pricing.prices import PriceBook
from tutti.pricing.tariff import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One request that would be made."""

    model: str
    variant: str
    id: str
    request: dict[str, Any] | None = None
    """The payload, media described by type, size and digest; None where there is an error or a kept answer."""
    usd: float | None = None
    """At most so many dollars; None where no price or no rule is known, or nothing is sent."""
    kept: bool = False
    """The answer is there from an earlier run, so that nothing is sent."""
    error: str = ""
    """Why it could not be sent, or not be shown."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values: the request and its price, or the error."""
        told = {"error": self.error} if self.error else {"request": self.request, "usd_at_most": self.usd}
        return {"model": self.model, "variant": self.variant, "id": self.id, **told}


def previews(plan: EvaluationPlan, log: ReplyLog, book: PriceBook, limits: Limits) -> Iterator[Preview]:
    """Every request that a run would make, in its order; models on this machine are passed over.

    Args:
        plan: What would be asked of whom.
        log: Answers of an earlier run, which are not asked for again.
        book: Prices.
        limits: Budgets for looking at the media.
    """
    tariff = Tariff(book, limits)
    for candidate in plan.candidates:
        if not isinstance(candidate.model, Previewing):
            continue
        for variant in plan.variants:
            for case in plan.suite.cases:
                question, _ = prompt(variant, case)
                found = _preview(candidate, candidate.model, case, question, plan, log, tariff)
                yield Preview(model=candidate.name, variant=variant.name, id=case.id, **found)


def _preview(
    candidate: Candidate,
    model: Previewing,
    case: Case,
    question: str,
    plan: EvaluationPlan,
    log: ReplyLog,
    tariff: Tariff,
) -> dict[str, Any]:
    """What differs between previews."""
    if case.metric == "recall":
        return {"error": "Its items would be sent to be embedded, which is not shown here."}
    try:
        media = [wrapped(path) for path in case.media]
        if reply_digest(candidate, [question], media, plan.options) in log:
            return {"kept": True}
        conversation = [Message.user(*media, question)]
        request = model.preview(conversation, plan.options)
    except TuttiError as error:
        return {"error": str(error)}
    try:
        usd = tariff.estimate(candidate.name, conversation, plan.options.max_tokens)
    except TuttiError:
        usd = None
    return {"request": request, "usd": usd}


def summary(candidate: Candidate, found: Sequence[Preview]) -> str:
    """What a candidate's previews come to, in words."""
    if not candidate.hosted:
        return f"{candidate.name} is on this machine; nothing would be sent anywhere."
    sent = [one for one in found if one.request is not None]
    told = [f"{candidate.name}: requests that would be sent: {len(sent)}; none was"]
    if sent and all(one.usd is not None for one in sent):
        told.append(f"at most ${sum(one.usd or 0.0 for one in sent):.4f}")
    elif sent:
        told.append("their price is not known, and is not 0: tutti cost --help")
    if kept := sum(one.kept for one in found):
        told.append(f"answers kept from an earlier run: {kept}")
    if failed := sum(bool(one.error) for one in found):
        told.append(f"cannot be sent, or not be shown: {failed}, see their errors")
    return "; ".join(told) + "."
