"""Moderation's routes: decide on a medium, what waits for a person, verdicts, figures. Each tenant's are its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tutti.apps.moderation.journal import DecisionJournal
from tutti.apps.moderation.moderator import Moderator
from tutti.apps.moderation.opening import open_moderator
from tutti.apps.moderation.running import decide_once, figures_of, review_rows, take_verdicts
from tutti.content import Part, Text
from tutti.errors import InputError
from tutti.media import wrap


class ModerationRequest(BaseModel):
    """A medium, a text, or a medium with what was written beside it."""

    model_config = ConfigDict(extra="forbid")
    media: str | None = Field(default=None, description="A picture, recording or film as a data: URL.")
    text: str = Field(default="", max_length=100_000, description="The caption, or the text by itself.")
    name: str = Field(default="", max_length=200, description="What it is called in the decision.")


class ModerationVerdict(BaseModel):
    """What a person decides."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(min_length=1, max_length=64)
    verdict: str
    by: str = Field(min_length=1, max_length=200)


class ModerationApplication:
    """Moderation behind a server: one policy, a journal for each tenant.

    Args:
        moderator: Who decides; one medium at a time.
        folder: Where decisions are kept.
    """

    name = "moderation"

    def __init__(self, moderator: Moderator, folder: Path) -> None:
        self.moderator, self.folder = moderator, folder
        self._lock = threading.Lock()

    def journal(self, tenant: str) -> DecisionJournal:
        """The journal of a tenant."""
        return DecisionJournal(self.folder, tenant)

    def decide(
        self, part: Part, name: str, caption: str, tenant: str, told: Callable[[float], None] | None = None
    ) -> dict[str, Any]:
        """Decide on a medium with what was written beside it; the same again is answered from the journal.

        Args:
            part: The medium, or a text.
            name: What it is called in the decision.
            caption: What was written beside it.
            tenant: Whose.
            told: As for `Moderator.decide`.
        """
        journal = self.journal(tenant)
        with self._lock:
            journal.purge(self.moderator.policy.retention_days)
            values, _ = decide_once(self.moderator, journal, part, name, caption, *journal.state(), told)
        return values

    def router(self, tenant_of: Any) -> APIRouter:
        """The routes; they run on the server's threads."""
        router = APIRouter()

        @router.post("/decisions")
        def decide(request: Request, body: ModerationRequest) -> dict[str, Any]:
            """Decide on a medium; the same again is answered from the journal."""
            if body.media is None and not body.text.strip():
                raise InputError("Neither media nor text was given; expected a data: URL in media, or words in text.")
            if body.media is not None and not body.media.startswith("data:"):
                raise InputError("media is not a data: URL; expected one, as in data:image/jpeg;base64,…")
            part = Text(body.text) if body.media is None else wrap(body.media)
            caption = "" if body.media is None else body.text
            return self.decide(part, body.name or part.modality, caption, tenant_of(request))

        @router.get("/review")
        def review(request: Request) -> dict[str, Any]:
            """What waits for a person, the worst first."""
            return {"waiting": review_rows(self.journal(tenant_of(request)))}

        @router.post("/verdicts")
        def judge(request: Request, body: ModerationVerdict) -> dict[str, Any]:
            """Note what a person decides."""
            return {"noted": take_verdicts(self.journal(tenant_of(request)), [body.model_dump()])}

        @router.get("/figures")
        def of_decisions(request: Request) -> dict[str, Any]:
            """Decisions by action, and how far people agree."""
            return figures_of(self.journal(tenant_of(request)))

        return router


def open_moderation(provider: Any, where: str | None) -> ModerationApplication:
    """Moderation for `tutti serve --app moderation=POLICY`; decisions are kept in `moderation/` beside the policy.

    Raises:
        InputError: No policy was named, or it is none.
    """
    if where is None:
        raise InputError("--app moderation names no policy; expected --app moderation=policy.toml.")
    policy = Path(where).expanduser()
    return ModerationApplication(open_moderator(policy, provider), policy.parent / "moderation")
