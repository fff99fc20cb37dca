"""What a catalogue knows of a product, read from a row of a feed and checked.

Columns are those of Google Merchant Center's product data specification, and the usual other names for them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from typing import Any

from tutti.errors import InputError
from tutti.search.catalogue.money import Money, parse_money

_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "sku", "product_id", "key", "gtin"),
    "title": ("title", "name"),
    "description": ("description", "text"),
    "price": ("price",),
    "sale_price": ("sale_price",),
    "sale_dates": ("sale_price_effective_date",),
    "currency": ("currency", "price_currency"),
    "availability": ("availability", "stock", "in_stock", "quantity"),
    "brand": ("brand", "manufacturer", "vendor"),
    "colour": ("colour", "color", "shade"),
    "size": ("size",),
    "group": ("item_group_id", "group", "parent_id"),
    "kind": ("product_type", "category", "type", "kind", "google_product_category"),
    "pattern": ("pattern",),
    "finish": ("finish",),
    "material": ("material",),
    "hex": ("hex", "colour_hex", "color_hex"),
    "link": ("link", "url"),
    "image": ("image_link", "image", "image_path", "picture", "photo", "file", "path"),
}
_AVAILABLE = {
    "in_stock": "in stock",
    "instock": "in stock",
    "available": "in stock",
    "limited_availability": "in stock",
    "out_of_stock": "out of stock",
    "outofstock": "out of stock",
    "sold_out": "out of stock",
    "preorder": "preorder",
    "backorder": "backorder",
}
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>|<!--.{0,300}?-->")
_YES, _NO = ("true", "yes"), ("false", "no")
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_LONGEST_ID, _LONGEST_TEXT = 200, 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product, or one variant of it, as the catalogue states it. What a feed leaves out is None, never guessed."""

    id: str
    title: str
    price: Money
    availability: str
    """in stock, out of stock, preorder or backorder; unknown where the feed does not say."""
    group: str
    """Shared by the variants of one product; the id where there are none."""
    description: str | None = None
    brand: str | None = None
    colour: str | None = None
    size: str | None = None
    kind: str | None = None
    """What it is: its category, steps from the widest parted by >."""
    pattern: str | None = None
    finish: str | None = None
    material: str | None = None
    hex: str | None = None
    """Its colour in sRGB, as #rrggbb."""
    link: str | None = None
    image: str | None = None
    """Path or address of its picture, as the feed has it."""

    @property
    def available(self) -> bool:
        """Whether it can be bought now."""
        return self.availability == "in stock"

    @property
    def words(self) -> str:
        """What is embedded and found by words."""
        told = (
            self.title,
            self.kind and self.kind.split(">")[-1].strip(),
            self.brand,
            self.colour,
            self.material,
            self.pattern,
            self.finish,
        )
        return " . ".join(dict.fromkeys(filter(None, (*told, self.description))))

    @property
    def stamp(self) -> str:
        """Digest of what is embedded: as long as it is the same, prices and stock change without embedding again."""
        return hashlib.sha256(json.dumps([self.words, self.image, self.hex]).encode()).hexdigest()[:32]


TEXTS = tuple(part.name for part in fields(Product) if part.name not in ("price", "group"))
"""Fields that are kept as they are; the price is kept as two columns, and the group beside them."""


def product_of(cells: Mapping[str, Any], currency: str | None = None) -> Product:
    """Read a row.

    Args:
        cells: Column → cell, named as `feed_rows.own_name` writes them.
        currency: Of prices that name none.

    Raises:
        InputError: It lacks an id, a title or a price, or one of them cannot be read.
    """
    own = {field: _text(cells, names) for field, names in _NAMES.items()}
    key, title = own["id"], own["title"]
    if not key:
        raise InputError("The row has no id; every product needs one of its own.")
    if len(key) > _LONGEST_ID:
        raise InputError(f"The id has {len(key):,} characters; expected at most {_LONGEST_ID}.")
    if not title:
        raise InputError("The row has no title.")
    texts = {name: own[name] for name in ("description", "brand", "colour", "size", "material", "link", "image")}
    return Product(
        id=key,
        title=title,
        price=_price(own, currency),
        availability=_availability(own["availability"]),
        group=own["group"] or key,
        kind=_kind(own["kind"]),
        pattern=own["pattern"].lower() if own["pattern"] else None,
        finish=own["finish"].lower() if own["finish"] else None,
        hex=_hex(own["hex"]),
        **texts,
    )


def row_of_product(product: Product) -> dict[str, Any]:
    """A product as columns of the table."""
    row = {f"shop_{name}": getattr(product, name) for name in TEXTS}
    return row | {
        "shop_group": product.group,
        "shop_price": product.price.amount,
        "shop_currency": product.price.currency,
    }


REFRESHED = ("shop_price", "shop_currency", "shop_availability", "shop_link", "shop_size", "shop_group")
"""Columns that change without embedding again."""


def product_of_row(row: Mapping[str, Any]) -> Product:
    """A product from such columns."""
    price = Money(row["shop_price"], row["shop_currency"])
    texts = {name: row.get(f"shop_{name}") for name in TEXTS}
    return Product(price=price, group=row["shop_group"], **texts)  # type: ignore[arg-type]


def _text(cells: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        cell = cells.get(name)
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            continue
        text = _written(cell) if isinstance(cell, float) else str(cell)
        if text.strip():
            return " ".join(_plain(text).split())[:_LONGEST_TEXT] or None
    return None


def _plain(text: str) -> str:
    """Words without mark-up: feeds have HTML in descriptions."""
    if "<" not in text and "&" not in text:
        return text
    return unescape(_TAG.sub(" ", text))


def _written(number: float) -> str:
    """A number with all its digits and no exponent: 4006381333931.0 is 4006381333931."""
    text = f"{Decimal(repr(number)):f}".removesuffix(".0")
    # Three digits behind a point are read as thousands, which a number that is no text cannot mean.
    return f"{text}0" if text[-4:-3] == "." else text


def _price(own: Mapping[str, str | None], currency: str | None) -> Money:
    if own["price"] is None:
        raise InputError("The row has no price; a product without one cannot be offered.")
    named = own["currency"].upper() if own["currency"] else currency
    price = parse_money(own["price"], parse_money(f"0 {named}").currency if named else None)
    if own["sale_price"] is None or not _on_sale(own["sale_dates"]):
        return price
    sale = parse_money(own["sale_price"], price.currency)
    if sale.currency != price.currency:
        raise InputError(
            f"The price is in {price.currency} and the sale price in {sale.currency}; expected one of them."
        )
    return min(price, sale)


def _on_sale(dates: str | None) -> bool:
    """Whether a sale price holds now: dates are two of ISO 8601 parted by a stroke; without any it always does."""
    if dates is None:
        return True
    try:
        begin, end = (datetime.fromisoformat(date.strip()) for date in dates.split("/"))
    except ValueError:
        raise InputError(
            f"The dates of the sale are {dates[:60]!r}; expected two, as in 2026-11-27T00:00Z/2026-11-30T23:59Z."
        ) from None
    begin, end = (date if date.tzinfo else date.replace(tzinfo=UTC) for date in (begin, end))
    return begin <= datetime.now(UTC) <= end


def _availability(text: str | None) -> str:
    if text is None:
        return "unknown"
    word = "_".join(text.lower().replace("-", " ").split()).rsplit("/", 1)[-1]
    if word in _AVAILABLE:
        return _AVAILABLE[word]
    if word in _YES or word in _NO:
        return "in stock" if word in _YES else "out of stock"
    try:
        return "in stock" if float(word) > 0 else "out of stock"
    except ValueError:
        raise InputError(
            f"The availability is {text[:40]!r}; expected in_stock, out_of_stock, preorder, backorder or a number."
        ) from None


def _kind(text: str | None) -> str | None:
    return text if text and not text.isdigit() else None  # numbers of Google's taxonomy say nothing by themselves


def _hex(text: str | None) -> str | None:
    found = _HEX.fullmatch(text) if text else None
    if text and found is None:
        raise InputError(f"The colour's code is {text[:40]!r}; expected one such as #c81e3c.")
    return f"#{found[1].lower()}" if found else None
