"""Amounts of money as feeds and people write them: 19.99 EUR, €1.299,00, USD 5, $5.

Sources: ISO 4217 (codes), Google Merchant Center's attribute `price` (a number with a point, a space, a code).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tutti.errors import InputError

CODES = frozenset(
    (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
        "HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD "
        "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
        "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY "
        "TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL"
    ).split()
)
SIGNS = {"€": ("EUR",), "£": ("GBP", "GIP", "FKP"), "¥": ("JPY", "CNY"), "₹": ("INR",), "zł": ("PLN",), "₩": ("KRW",)}
SIGNS |= {"$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"), "kr": ("SEK", "NOK", "DKK", "ISK"), "₺": ("TRY",)}
"""Sign → the currencies that are written with it, the usual one first."""
NAMES = {
    "euro": "€",
    "euros": "€",
    "dollar": "$",
    "dollars": "$",
    "bucks": "$",
    "pound": "£",
    "pounds": "£",
    "quid": "£",
    "yen": "¥",
    "rupees": "₹",
    "zloty": "zł",
    "kroner": "kr",
    "kronor": "kr",
}
"""Words of speech → the sign that they mean."""
_SIGN = "|".join(map(re.escape, SIGNS))
NUMBER = r"\d[\d.,'\u00a0\u202f]*\d|\d"
_AMOUNT = re.compile(rf"(?P<before>[A-Za-z]{{3}}|{_SIGN})?\s*(?P<number>{NUMBER})\s*(?P<after>[A-Za-z]{{3}}|{_SIGN})?")


class Money(NamedTuple):
    """An amount in a currency."""

    amount: float
    currency: str
    """ISO 4217."""

    def __str__(self) -> str:
        return f"{self.amount:,.2f} {self.currency}"


def parse_money(text: str, currency: str | None = None) -> Money:
    """Read a price.

    Args:
        text: As a feed has it.
        currency: Where the text names none.

    Raises:
        InputError: It is no price, is negative, or names no currency or one that there is not.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise InputError(f"The price is {text[:40]!r}; expected a number and a currency, as in 19.99 EUR.")
    named = found["before"] or found["after"]
    if found["before"] and found["after"] and found["before"] != found["after"]:
        raise InputError(f"The price is {text[:40]!r}, in two currencies; expected one, as in 19.99 EUR.")
    return Money(number_of(found["number"]), code_of(named, currency) if named else _given(text, currency))


def code_of(named: str, currency: str | None = None) -> str:
    """The ISO code that a code, a sign or a word names; of several with one sign, the given one if it is among them.

    Raises:
        InputError: There is no such currency.
    """
    sign = NAMES.get(named.lower(), named)
    if sign in SIGNS:
        return currency if currency in SIGNS[sign] else SIGNS[sign][0]
    if named.upper() not in CODES:
        raise InputError(f"There is no currency {named!r}; expected a code of ISO 4217, such as EUR or USD.")
    return named.upper()


def number_of(text: str) -> float:
    """A number as people write it: of a point and a comma, the last one is the decimal one.

    A single one with three digits behind it stands between thousands, as in 1,299 or 1.299.

    Raises:
        InputError: It cannot be read in one way.
    """
    plain = re.sub(r"['\u00a0\u202f ]", "", text)
    last = max(plain.rfind("."), plain.rfind(","))
    if last < 0:
        return float(plain)
    mark = plain[last]
    other = "," if mark == "." else "."
    whole, behind = plain[:last], plain[last + 1 :]
    if mark in whole or (other not in whole and len(behind) == 3 and whole.lstrip("0")):
        whole, behind = plain, ""
    groups = re.split(r"[.,]", whole)
    if any(len(group) != 3 for group in groups[1:]) or (not behind.isdigit() and behind):
        raise InputError(f"The number {text[:40]!r} cannot be read in one way; write it as in 1299.50.")
    return float("".join(groups) + (f".{behind}" if behind else ""))


def _given(text: str, currency: str | None) -> str:
    if currency is None:
        raise InputError(f"The price {text[:40]!r} names no currency; write 19.99 EUR, or name one for all: --currency")
    return currency
