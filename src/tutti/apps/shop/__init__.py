"""Conversational shopping: a catalogue, photographs, and answers that state facts of the catalogue."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.apps.shop.offers import Offer as Offer
    from tutti.apps.shop.offers import ShopAnswer as ShopAnswer
    from tutti.apps.shop.shop import Shop as Shop
    from tutti.search.catalogue.catalogue import Catalogue as Catalogue
    from tutti.search.catalogue.catalogue import CatalogueReport as CatalogueReport
    from tutti.search.dialogue.sifting import ShopSetting as ShopSetting

_DOORS = {
    "Catalogue": "tutti.search.catalogue.catalogue:Catalogue",
    "CatalogueReport": "tutti.search.catalogue.catalogue:CatalogueReport",
    "Offer": "tutti.apps.shop.offers:Offer",
    "Shop": "tutti.apps.shop.shop:Shop",
    "ShopAnswer": "tutti.apps.shop.offers:ShopAnswer",
    "ShopSetting": "tutti.search.dialogue.sifting:ShopSetting",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
