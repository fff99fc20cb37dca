"""The shop's routes: a turn, a choice, the events' figures, and forgetting a session. Each tenant's are its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tutti.apps.shop.events import figures
from tutti.apps.shop.shop import Shop
from tutti.errors import InputError
from tutti.search.dialogue.sifting import ShopSetting


class ShopTurn(BaseModel):
    """A turn of a customer."""

    model_config = ConfigDict(extra="forbid")
    session: str = Field(min_length=1, max_length=200)
    text: str = Field(default="", max_length=1000)
    photo: str | None = Field(default=None, description="A picture as a data: URL.")
    on_sheet: bool | None = Field(default=None, description="Whether a white sheet is in the picture.")


class ShopChoice(BaseModel):
    """What a customer takes."""

    model_config = ConfigDict(extra="forbid")
    session: str = Field(min_length=1, max_length=200)
    product: str = Field(min_length=1, max_length=200)


class ShopApplication:
    """The shop behind a server: one catalogue database, a collection for each tenant.

    Args:
        path: Folder of the database.
        model: What embeds.
        sessions: Folder of sessions and events; beside the catalogue when not given.
        setting: How what fits is ordered.
    """

    name = "shop"

    def __init__(
        self, path: str | Path, model: Any, *, sessions: str | None = None, setting: ShopSetting | None = None
    ) -> None:
        self.path, self.model, self.sessions, self.setting = path, model, sessions, setting
        self._shops: dict[str, Shop] = {}
        self._lock = threading.Lock()

    def shop(self, tenant: str) -> Shop:
        """The shop of a tenant, opened once."""
        with self._lock:
            if tenant not in self._shops:
                self._shops[tenant] = Shop(
                    self.path, self.model, tenant=tenant, sessions=self.sessions, setting=self.setting
                )
            return self._shops[tenant]

    def router(self, tenant_of: Any) -> APIRouter:
        """The routes; they run on the server's threads."""
        router = APIRouter()

        @router.post("/turns")
        def turn(request: Request, body: ShopTurn) -> dict[str, Any]:
            """Answer a turn."""
            if body.photo is not None and not body.photo.startswith("data:"):
                raise InputError("The photograph is not a data: URL; expected one, as in data:image/jpeg;base64,…")
            shop = self.shop(tenant_of(request))
            return shop.ask(body.text, session=body.session, photo=body.photo, on_sheet=body.on_sheet).to_dict()

        @router.post("/choices")
        def choice(request: Request, body: ShopChoice) -> dict[str, Any]:
            """Note what a customer takes."""
            self.shop(tenant_of(request)).chosen(body.product, session=body.session)
            return {"session": body.session, "product": body.product}

        @router.get("/figures")
        def of_events(request: Request) -> dict[str, Any]:
            """Turns, choices and the share of sessions that chose."""
            return figures(self.shop(tenant_of(request)).events.read())

        @router.delete("/sessions/{session}")
        def forget(request: Request, session: str) -> dict[str, Any]:
            """Remove a session and its events."""
            found, events = self.shop(tenant_of(request)).forget(session)
            return {"session": session, "found": found, "events": events}

        return router


def open_shop(provider: Any, where: str | None) -> ShopApplication:
    """The shop for `tutti serve --app shop=DB`.

    Raises:
        InputError: No database was named, or there is none.
    """
    if where is None or not Path(where).expanduser().is_dir():
        raise InputError(
            f"{where or 'No database'} is no catalogue's database; make one with tutti shop update FEED --in DB, then "
            "serve it with --app shop=DB."
        )
    return ShopApplication(Path(where).expanduser(), provider)
