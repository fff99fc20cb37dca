"""The checksums by which numbers that identify an account differ from other numbers."""

from __future__ import annotations

_IBAN_LENGTHS = (15, 34)
_CARD_LENGTHS = (13, 19)
_LETTERS_AS_DIGITS = str.maketrans("OoQDIl|SBZ", "0000111582")
"""What a reader of text takes for one another."""


def is_iban(text: str) -> bool:
    """Whether letters and digits are an IBAN: two letters of a country, and 97 as ISO 13616 says (ISO 7064, MOD 97-10).

    Digits that were read as letters are tried as digits.

    Args:
        text: Without blanks.
    """
    plain = text.upper()
    if not _IBAN_LENGTHS[0] <= len(plain) <= _IBAN_LENGTHS[1] or not plain.isascii() or not plain.isalnum():
        return False
    if not plain[:2].isalpha():
        return False
    return any(_mod_97(plain[:2] + rest) for rest in {plain[2:], plain[2:].translate(_LETTERS_AS_DIGITS)})


def _mod_97(iban: str) -> bool:
    if not iban[2:4].isdigit():
        return False
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def is_card(text: str) -> bool:
    """Whether digits are the number of a payment card: its first digit an issuer's, and the sum as ISO/IEC 7812-1 says.

    Args:
        text: Without blanks; letters that are read for digits are taken as them.
    """
    digits = text.translate(_LETTERS_AS_DIGITS)
    if not digits.isdigit() or not _CARD_LENGTHS[0] <= len(digits) <= _CARD_LENGTHS[1]:
        return False
    if digits[0] not in "23456" or len(set(digits)) == 1:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0
