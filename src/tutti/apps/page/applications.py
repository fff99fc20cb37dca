"""The applications that a page was given, opened when the page is drawn, over the page's first model."""

from __future__ import annotations

from collections.abc import Mapping

from tutti.apps.page.models import Models
from tutti.apps.page.trading import ModerationRoom, RadiologyRoom, ShopRoom


class PageApplications:
    """What of shop, radiology and moderation there is; None where it was not given.

    Args:
        given: Name → its database, folder of cases, policy.
        models: Of the page.

    Raises:
        InputError: One cannot be opened, or the model does not suit it.
        MissingExtra: Its extra is not installed.
    """

    def __init__(self, given: Mapping[str, str], models: Models) -> None:
        self.shop: ShopRoom | None = None
        self.radiology: RadiologyRoom | None = None
        self.moderation: ModerationRoom | None = None
        provider = getattr(models.get(), "provider", None) if given else None
        if "shop" in given:
            from tutti.apps.shop.http import open_shop

            self.shop = ShopRoom(open_shop(provider, given["shop"]))
        if "radiology" in given:
            from tutti.apps.radiology.http import open_radiology

            self.radiology = RadiologyRoom(open_radiology(provider, given["radiology"]))
        if "moderation" in given:
            from tutti.apps.moderation.http import open_moderation

            self.moderation = ModerationRoom(open_moderation(provider, given["moderation"]))
