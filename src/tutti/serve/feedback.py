"""`/v1/feedback`: judgements of answers that the server gave, tied to their ids.

For a while the server remembers of each answer what was asked, in words, and the digests of its media; never the media.
An id is another tenant's or unknown alike.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from tutti.content import Media, Message, Text
from tutti.content.feedback import KEEP_DAYS, Feedback, FeedbackVerdict, JudgedMedium
from tutti.errors import InputError
from tutti.evaluate.feedback_store import FeedbackStore
from tutti.interfaces import SealerOf
from tutti.serve.errors import ErrorStatus, Refusal
from tutti.serve.schemas.feedback import FeedbackRequest, FeedbackResponse

_MOST_CHARACTERS = 16_000_000
"""Of all that is remembered of one tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """An answer that can be judged: what was asked, and what was said in each choice."""

    question: str
    before: tuple[tuple[str, str], ...]
    media: tuple[JudgedMedium, ...]
    choices: Mapping[int, str]
    model: str
    adapter: str
    until: float

    @property
    def size(self) -> int:
        """Characters, roughly."""
        turns = sum(len(text) for _, text in self.before) + len(self.question)
        return 500 + turns + sum(map(len, self.choices.values())) + 200 * len(self.media)


class FeedbackDesk:
    """Remembers answers for a while, and keeps what is thought of them.

    Args:
        folder: Where feedback is kept.
        sealer_of: Encrypts for a tenant.
        keep_days: Longest that any is kept.
        remember_s: How long an answer can be judged.
        most: Answers of one tenant that are remembered; the oldest makes room.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        folder: Path,
        sealer_of: SealerOf | None = None,
        *,
        keep_days: float = KEEP_DAYS,
        remember_s: float = 86_400.0,
        most: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._sealer_of, self.keep_days = folder, sealer_of, keep_days
        self._remember_s, self._most, self._clock = remember_s, most, clock
        self._given: dict[str, OrderedDict[str, GivenAnswer]] = {}
        self._lock = threading.Lock()

    def remember(
        self, tenant: str, answer_id: str, turns: Sequence[Message], choices: Mapping[int, str], *, model: str,
        adapter: str = "",
    ) -> None:  # fmt: skip
        """Remember an answer, so that it can be judged by its id. Digests are made here, so call it off the loop."""
        said = [(turn.role, " ".join(part.text for part in turn.parts if isinstance(part, Text))) for turn in turns]
        media = tuple(
            JudgedMedium(modality=part.modality, digest=part.digest)
            for turn in turns
            for part in turn.parts
            if isinstance(part, Media)
        )
        one = GivenAnswer(
            question=said[-1][1] if said else "",
            before=tuple(said[:-1]),
            media=media,
            choices=dict(choices),
            model=model,
            adapter=adapter,
            until=self._clock() + self._remember_s,
        )
        with self._lock:
            own = self._given.setdefault(tenant, OrderedDict())
            self._expire(own)
            own[answer_id] = one
            while len(own) > 1 and (len(own) > self._most or sum(a.size for a in own.values()) > _MOST_CHARACTERS):
                own.popitem(last=False)

    def keep(self, tenant: str, body: FeedbackRequest) -> Feedback:
        """Keep a judgement; when this returns it is on the disk.

        Raises:
            Refusal: 404, there is no such answer of this tenant, or not any more.
            InputError: The verdict lacks what belongs to it.
        """
        with self._lock:
            own = self._given.get(tenant, OrderedDict())
            self._expire(own)
            given = own.get(body.answer_id)
        if given is None:
            raise Refusal(
                ErrorStatus(404, "invalid_request_error", "answer_not_found"),
                f"There is no answer {body.answer_id[:80]!r} to judge; expected the id of one that this server gave "
                f"you in the last {self._remember_s / 3600:g} hours.",
                cause="answer",
                param="answer_id",
            )
        feedback = Feedback(
            question=given.question or "(media alone)",
            answer=_choice(given, body.choice, "choice"),
            verdict=body.verdict,
            other=_other(given, body),
            media=given.media,
            before=given.before,
            who=body.who or "",
            model=given.model,
            adapter=given.adapter,
            answer_id=body.answer_id,
            consent=body.consent,
            keep_days=min(self.keep_days, body.keep_days or self.keep_days),
        )
        return self.store(tenant).add(feedback)

    def store(self, tenant: str) -> FeedbackStore:
        """What is kept of a tenant."""
        return FeedbackStore(self._folder, tenant, self._sealer_of(tenant) if self._sealer_of else None)

    def _expire(self, own: OrderedDict[str, GivenAnswer]) -> None:
        now = self._clock()
        while own and next(iter(own.values())).until < now:
            own.popitem(last=False)


def _choice(given: GivenAnswer, index: int, name: str) -> str:
    if index not in given.choices:
        raise InputError(f"{name} is {index}; expected below {len(given.choices)}, the number of choices.")
    return given.choices[index]


def _other(given: GivenAnswer, body: FeedbackRequest) -> str:
    wanted: dict[FeedbackVerdict, str] = {"corrected": "text", "chosen": "over"}
    for name in ("text", "over"):
        if (getattr(body, name) is not None) != (wanted.get(body.verdict) == name):
            what = "is missing" if getattr(body, name) is None else "does not belong"
            raise InputError(
                f"{name} {what} where verdict is {body.verdict!r}; corrected takes text, chosen takes over."
            )
    if body.over is not None:
        return _choice(given, body.over, "over")
    return body.text or ""


class FeedbackRoutes:
    """The route.

    Args:
        desk: Keeps feedback; None where the server was started without.
    """

    def __init__(self, desk: FeedbackDesk | None) -> None:
        self.desk = desk

    def add_to(self, router: APIRouter) -> None:
        """Add the route."""
        router.add_api_route("/v1/feedback", self.judge, methods=["POST"], response_model=FeedbackResponse)

    async def judge(self, body: FeedbackRequest, request: Request) -> FeedbackResponse:
        """Keep what is thought of an answer."""
        if self.desk is None:
            raise InputError("This server keeps no feedback; start it with --feedback FOLDER.")
        kept = await run_in_threadpool(partial(self.desk.keep, request.state.tenant, body))
        return FeedbackResponse(id=kept.id, erased_at=kept.ends.isoformat())
