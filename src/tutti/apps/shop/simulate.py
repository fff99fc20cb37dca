"""Two settings compared on recorded sessions: what each would show is interleaved, and choices are credited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tutti.apps.shop.shop import Shop
from tutti.errors import InputError
from tutti.evaluate.interleaving import credit, preferred, team_draft
from tutti.search.dialogue.sifting import ShopSetting
from tutti.search.dialogue.wishes import ShopState, wish_of

_DRAWS = 50


def simulate(shop: Shop, first: ShopSetting, second: ShopSetting, *, seed: int = 0) -> dict[str, Any]:
    """Replay the recorded turns that led to a choice under two settings.

    Args:
        shop: Whose catalogue and events.
        first: A setting.
        second: The setting that it is compared with.
        seed: Of the coins.

    Returns:
        Choices counted for each, and the advantage of the second with its interval, in clusters of sessions.

    Raises:
        InputError: No choice was recorded.
    """
    turns = list(chosen_turns(shop.events.read()))
    if not turns:
        raise InputError("No choice is recorded; choices are noted by `tutti shop chosen`, or “I take the second”.")
    assortment = shop.catalogue.assortment()
    rng = np.random.default_rng(seed)
    credits_: list[float | None] = []
    sessions = []
    for session, wishes, product in turns:
        state = ShopState(wishes=tuple(wish_of(wish | {"said": ""}) for wish in wishes))
        one, other = (_ids(shop, state, setting) for setting in (first, second))
        draws = [credit(team_draft(one, other, min(first.top, second.top), rng), product) for _ in range(_DRAWS)]
        told = [team for team in draws if team is not None]
        if product not in assortment.by_id or not told:
            credits_.append(None)
        else:
            credits_.append(sum(told) / len(told))
        sessions.append(session)
    found = preferred(credits_, sessions, seed=seed)
    return {"choices": len(turns), "sessions": len(set(sessions))} | asdict(found)


def chosen_turns(events: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, list[dict[str, Any]], str]]:
    """Session, wishes and product of each choice; the wishes are those of the last turn that showed the product.

    A choice in a turn of its own ("I take the second") follows the turn that showed it.
    """
    wishes: dict[str, list[dict[str, Any]]] = {}
    showing: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        session = event["session"]
        if event["event"] == "asked":
            wishes[session] = event["wishes"]
        elif event["event"] == "shown":
            for product in (*event["offers"], *event["alternatives"]):
                showing[session, product] = wishes.get(session, [])
        elif event["event"] == "chosen" and (session, event["product"]) in showing:
            yield session, showing[session, event["product"]], event["product"]


def _ids(shop: Shop, state: ShopState, setting: ShopSetting) -> list[str]:
    offers, _, _ = shop.found(state, shop.catalogue.assortment(), setting)
    return [offer.id for offer in offers]
