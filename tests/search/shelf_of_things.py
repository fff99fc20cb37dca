"""A small assortment whose truth can be read: lipsticks, shoes in sizes, bags with patterns."""

from __future__ import annotations

import numpy as np

from tutti.search.catalogue.assortment import Appearance, Assortment, stated_lab
from tutti.search.catalogue.money import Money
from tutti.search.catalogue.products import Product

_LIPSTICKS = [
    ("L0", "red", "#c81e28", "Acme", 9.9, True),
    ("L1", "dark red", "#78141e", "Belle", 14.9, False),
    ("L2", "pink", "#f08caa", "Acme", 19.9, True),
    ("L3", "nude", "#c89682", "Belle & Co", 24.9, True),
]


def product(key: str, title: str, price: float, **more: object) -> Product:
    values: dict = {"availability": "in stock", "group": key, **more}
    return Product(id=key, title=title, price=Money(price, "EUR"), **values)


def things() -> list[Product]:
    found = [
        product(
            key,
            f"Velvet Lipstick {colour}",
            price,
            colour=colour,
            hex=code,
            brand=brand,
            kind="Beauty > Lipsticks",
            finish="matt",
            availability="in stock" if stock else "out of stock",
        )
        for key, colour, code, brand, price, stock in _LIPSTICKS
    ]
    found += [
        product(
            f"S{size}",
            "Runner 3 running shoes",
            79.9,
            brand="Fleet",
            colour="blue",
            size=str(size),
            group="runner",
            kind="Apparel > Shoes",
            availability="out of stock" if size == 41 else "in stock",
        )
        for size in (40, 41, 42, 43)
    ]
    found.append(
        product(
            "S50", "Canvas sneaker", 45.0, brand="Acme", colour="white", size="42", kind="Apparel > Shoes > Sneakers"
        )
    )
    found.append(product("B1", "Leather bag", 99.0, brand="Belle", colour="black", kind="Bags"))
    found.append(product("B2", "Striped tote bag", 24.5, brand="Acme", colour="red", pattern="striped", kind="Bags"))
    found.append(
        product("B3", "Striped shopper bag", 19.5, brand="Belle", colour="blue", pattern="striped", kind="Bags")
    )
    return found


def assortment() -> Assortment:
    """With no vectors, so that only what is stated counts."""
    products = things()
    looks = [Appearance(stated_lab(one), one.pattern, one.finish) for one in products]
    nothing = np.zeros((len(products), 8), np.float32)
    return Assortment(products, looks, nothing, nothing)
